internal import JSON
internal import Orders
internal import Pipeline

/// Compares a bill in K/3 with the one that was (to be) sent: customer, total, and each line's material, quantity,
/// price and amount (vendor-apis.md A.8).
///
/// Only what was sent is compared. Numbers are compared as exact decimals, sent as number or text. A reference counts
/// as equal when its number is, or, where K/3 shows only a text, when the text is the number or name that was sent.
enum K3Comparison {
  /// Amounts have two decimals in K/3 ([A-18]).
  private static let amountDecimals = 2

  /// Same bill, other bill, or no proper answer.
  /// - Parameter number: that whose details K/3 was asked for.
  static func compare(_ bill: KeyedBill, under number: String, with answer: K3Answer) -> LookUpAnswer {
    guard let sent = K3BillBody(bill.bill.body) else {
      return .different(Reason(.configuration, "the bill's body is not Data with one header in Page1"))
    }
    // The pages stand in `Data`, or in a `Data` inside it (A.5.1).
    let data = answer.data?.member("Page1") == nil ? answer.data?.member("Data") : answer.data
    guard let page = data?.member("Page1"), let header = page.kind == .array ? page[0] : page, header.kind == .object,
      let shownLines = data?.member("Page2"), shownLines.kind == .array
    else { return .unusable(Reason(.inDoubt, "K/3's details of the bill have no pages")) }
    if let shown = header.member(Bill.numberField)?.text, shown != number {
      return .unusable(Reason(.inDoubt, "K/3 shows the details of a bill that was not asked for"))
    }
    // Of a bill that was found by its number the key is no more than what somebody may have changed.
    if bill.standing == nil, let shown = header.member(bill.keyField)?.text, shown != bill.key {
      return .unusable(Reason(.inDoubt, "K/3 shows the details of a bill with another key"))
    }
    if let field = firstDifference(sent, header, inOrder(Array(shownLines.elements))) {
      return .different(Reason(.conflict, "\(field): K/3 holds another bill under the order's number"))
    }
    let id = header.member("FInterID")?.text.flatMap { ExactDecimal($0) }?.wholeNumber
    return .same(WrittenBill(number: number, internalID: id))
  }

  /// Whether the bill under a number is the one that was written: K/3's id tells. The number alone is no proof, for what follows
  /// is a Delete, and somebody may have deleted ours and given its number to another bill.
  static func identify(_ bill: StandingBill, with answer: K3Answer) -> LookUpAnswer {
    let data = answer.data?.member("Page1") == nil ? answer.data?.member("Data") : answer.data
    guard let page = data?.member("Page1"), let header = page.kind == .array ? page[0] : page, header.kind == .object
    else { return .unusable(Reason(.inDoubt, "K/3's details of the bill have no pages")) }
    if let number = header.member(Bill.numberField)?.text, number != bill.number {
      return .unusable(Reason(.inDoubt, "K/3 shows the details of a bill that was not asked for"))
    }
    let id = header.member("FInterID")?.text.flatMap { ExactDecimal($0) }?.wholeNumber
    guard let id, let known = bill.internalID else {
      return .ambiguous(
        Reason(.conflict, "FInterID: K/3 never told it, so that the bill under the order's number may be another one"))
    }
    guard id == known else {
      return .different(Reason(.conflict, "FInterID: K/3 holds another bill under the order's number"))
    }
    return .same(WrittenBill(number: bill.number, internalID: id))
  }

  /// The first field that differs, as page and field.
  private static func firstDifference(_ sent: K3BillBody, _ header: JSONValue, _ lines: [JSONValue]) -> String? {
    // A delivery has its customer in FSupplyID (A.11).
    for field in ["FCustID", "FSupplyID"] {
      guard let reference = sent.header.member(field) else { continue }
      if !isSame(reference, header.member(field)) { return "Page1.\(field)" }
    }
    let sentLines = inOrder(sent.lines)
    guard sentLines.count == lines.count else { return "Page2 (number of lines)" }
    guard isSameTotal(sentLines, lines) else { return "Page2 (sum of FAllAmount)" }
    for (number, (mine, shown)) in zip(sentLines, lines).enumerated() {
      if let field = firstDifference(mine, shown) { return "Page2 line \(number + 1) \(field)" }
    }
    return nil
  }

  private static func firstDifference(_ mine: JSONValue, _ shown: JSONValue) -> String? {
    if let reference = mine.member("FItemID"), !isSame(reference, shown.member("FItemID")) { return "FItemID" }
    for field in ["Fauxqty", "FAuxTaxPrice", "FAllAmount", "FConsignPrice", "FConsignAmount"] {
      guard let value = mine.member(field), !value.isBlank else { continue }
      guard let wanted = value.number, wanted == shown.member(field)?.number else { return field }
    }
    return nil
  }

  /// Whether the lines' amounts sum up alike. An amount that was not sent is what K/3 computes from quantity and price
  /// ([A-19]). True where they cannot be summed up: then the lines decide.
  private static func isSameTotal(_ sent: [JSONValue], _ shown: [JSONValue]) -> Bool {
    var mine = ExactDecimal.zero
    var theirs = ExactDecimal.zero
    do throws(ArithmeticError) {
      for line in sent {
        guard let amount = try amount(of: line) else { return true }
        mine = try mine.adding(amount)
      }
      for line in shown {
        guard let amount = line.member("FAllAmount")?.number else { return true }
        theirs = try theirs.adding(amount)
      }
    } catch { return true }
    return mine == theirs
  }

  private static func amount(of line: JSONValue) throws(ArithmeticError) -> ExactDecimal? {
    if let amount = line.member("FAllAmount")?.number { return amount }
    guard let quantity = line.member("Fauxqty")?.number, let price = line.member("FAuxTaxPrice")?.number else {
      return nil
    }
    return try quantity.multiplied(by: price).rounded(scale: amountDecimals)
  }

  /// Lines by their number where each has one, else as they come.
  private static func inOrder(_ lines: [JSONValue]) -> [JSONValue] {
    let numbers = lines.compactMap { $0.member("FEntryID2")?.number }
    guard numbers.count == lines.count else { return lines }
    return zip(numbers, lines).sorted { $0.0 < $1.0 }.map(\.1)
  }

  private static func isSame(_ sent: JSONValue, _ shown: JSONValue?) -> Bool {
    let number = sent.member("FNumber")?.text ?? sent.text ?? ""
    guard let shown else { return number.isEmpty }
    if let shownNumber = shown.member("FNumber")?.text { return shownNumber == number }
    guard let text = shown.text else { return number.isEmpty }
    return text == number || (!text.isEmpty && text == sent.member("FName")?.text)
  }
}

extension JSONValue {
  /// A number's or a text's exact value.
  fileprivate var number: ExactDecimal? { text.flatMap { ExactDecimal($0) } }
  /// Null or an empty text: nothing was sent.
  fileprivate var isBlank: Bool { isNull || string?.isEmpty == true }
}
