internal import JSON
internal import Pipeline

/// Reads a `GetList` answer to the question for one bill number (vendor-apis.md A.6).
enum K3Listed {
  /// What the answer says; nil when there is one bill, whose details must be compared.
  ///
  /// Containers and counts are named `DATA`/`ROWCOUNT` or `Data`/`RowCount`. Only a plain "no rows" counts as absent:
  /// an answer that contradicts itself or the question is no answer, for what follows absence is another Save.
  static func answer(_ answer: K3Answer, key: String) -> LookUpAnswer? {
    guard let data = answer.data, data.kind == .object else { return unusable("holds no page") }
    guard let count = data.member("RowCount")?.text.flatMap({ Int($0) }), count >= 0 else {
      return unusable("has no row count")
    }
    guard isEcho(data.member("PageSize"), K3Question.pageSize), isEcho(data.member("PageIndex"), 1) else {
      return unusable("is of another page than was asked for")
    }
    let page = data.member("Data")
    guard page == nil || page?.isNull == true || page?.kind == .array else { return unusable("holds no rows") }
    let rows = page.map { Array($0.elements) } ?? []
    if count == 0, rows.isEmpty { return .absent }
    guard let row = rows.first else { return unusable("counts \(count) rows and shows none") }
    guard rows.count == 1, count == 1 else {
      return .ambiguous(
        Reason(.conflict, "FBillNo: K/3 holds \(max(count, rows.count)) bills under the order's number"))
    }
    // A site that does not let us see the number shows the row without it.
    guard let number = row.member("FBillNo")?.text, number != key else { return nil }
    if number.lowercased().trimmed == key.lowercased().trimmed {
      return .ambiguous(Reason(.conflict, "FBillNo: K/3 holds a bill whose number differs by case or spaces only"))
    }
    return unusable("shows a bill that was not asked for")
  }

  /// Whether there are several rows, all of this very number.
  static func hasRows(_ answer: K3Answer, key: String) -> Bool {
    let rows = rows(of: answer)
    return rows.count > 1 && rows.allSatisfy { $0.member("FBillNo")?.text == key }
  }

  /// Whether all rows that there are are shown, and are of one bill by K/3's id.
  static func isOneBill(_ answer: K3Answer, key: String) -> Bool {
    let rows = rows(of: answer)
    guard hasRows(answer, key: key), answer.data?.member("RowCount")?.text.flatMap({ Int($0) }) == rows.count else {
      return false
    }
    let ids = rows.map { $0.member("FInterID")?.text.flatMap { ExactDecimal($0) }?.wholeNumber }
    return ids.allSatisfy { $0 ?? 0 > 0 } && Set(ids).count == 1
  }

  private static func rows(of answer: K3Answer) -> [JSONValue] {
    guard let page = answer.data?.member("Data"), page.kind == .array else { return [] }
    return Array(page.elements)
  }

  private static func isEcho(_ value: JSONValue?, _ asked: Int) -> Bool {
    guard let value, !value.isNull else { return true }
    return value.text.flatMap { ExactDecimal($0) } == ExactDecimal(Int64(asked))
  }

  private static func unusable(_ what: String) -> LookUpAnswer {
    .unusable(Reason(.inDoubt, "K/3's list \(what)"))
  }
}

extension String {
  /// Without spaces at its end, which SQL comparisons ignore.
  fileprivate var trimmed: Substring {
    var text = Substring(self)
    while text.last == " " { text = text.dropLast() }
    return text
  }
}
