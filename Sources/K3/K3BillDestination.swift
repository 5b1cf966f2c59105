internal import Curl
internal import JSON
public import Orders
public import Pipeline
internal import Synchronization

/// K/3 WISE as the load stage sees it (vendor-apis.md part A).
public final class K3BillDestination: BillDestination {
  let client: K3Client
  /// Objects of which K/3 has told us something good lately: it lets us in.
  let open = Mutex<Set<String>>([])

  /// Connects nothing yet.
  /// - Throws: `SetupProblem` when an option is out of its range or the CA file cannot be read.
  public convenience init(_ options: K3Options) throws(SetupProblem) {
    try self.init(options, clock: ContinuousClock())
  }

  init<C: Clock & Sendable>(_ options: K3Options, clock: C) throws(SetupProblem) where C.Duration == Duration {
    client = try K3Client(options, clock: clock)
  }

  /// Ends the connections; Saves under way may finish first, within their timeout.
  public func close() async { await client.close() }

  /// How many requests to K/3 may be under way now: `K3Options.concurrency` while K/3 keeps up, fewer while it does not.
  public var concurrencyLimit: Int { client.concurrencyLimit }

  /// Whether a bill may have this number: what `lookUp` could not ask K/3 for is never saved.
  public static func isUsableKey(_ key: String) -> Bool { K3Filter.isUsable(key) }

  /// A body is `Data` with one header in `Page1`, whose `FBillNo`, or whatever field holds the key, is the message's number.
  ///
  /// A number that could not be looked up anyway is not compared: a message's header does not carry all of it.
  public func defect(of bill: Bill) -> String? {
    let document: JSONDocument
    do throws(JSONError) { document = try JSONDocument(bill.body) } catch { return "body is \(error)" }
    guard let header = K3BillBody.header(of: document.root) else { return "body is not Data with one header in Page1" }
    guard Bill.isFieldName(bill.keyField) else { return "key would stand in a field that K/3 cannot have" }
    guard let number = header.member(bill.keyField) else { return "body has no \(bill.keyField)" }
    guard number.text == bill.number || !Self.isUsableKey(bill.number) else {
      return "\(bill.keyField) is not the number that the message has for it"
    }
    return nil
  }

  /// Posts each bill to `{object}/Save`, at most once (A.5.2), and classifies the answers (A.4).
  public func save(_ bills: [KeyedBill]) async -> [SaveAnswer] {
    await write(
      bills, action: "Save", body: { bill throws(Reason) in try Self.body(of: bill) },
      answer: { answer($0, Self.number(of: $1), takenBesides: Self.isTakenByAnother($1) ? $1.keyField : nil) })
  }

  /// Posts each bill to `{object}/Update`, at most once (A.5.3).
  public func update(_ bills: [KeyedBill]) async -> [SaveAnswer] {
    await write(
      bills, action: "Update", body: { bill throws(Reason) in try Self.updateBody(of: bill) },
      answer: { updated($0, Self.number(of: $1)) })
  }

  /// Posts each bill's number to `{object}/Delete`, at most once (A.5.4).
  public func delete(_ bills: [StandingBill], notAfter: ContinuousClock.Instant) async -> [SaveAnswer] {
    let calls = bills.map {
      K3Client.Call(
        $0.object + "/Delete", K3Question.delete(number: $0.number), notAfter: notAfter, repeatable: false)
    }
    do throws(K3Outage) {
      let answers = zip(bills, try await client.post(calls)).map { deleted($0, $1) }
      return await judged(answers, of: bills.map(\.object))
    } catch {
      return bills.map { _ in .outage(error.reason) }
    }
  }

  private func deleted(_ bill: StandingBill, _ reply: K3Reply) -> SaveAnswer {
    guard case .answer(let told) = reply else { return answer(reply, bill.number) }
    if told.isGood, !told.hasFailedRow {
      return .written(WrittenBill(number: bill.number, internalID: bill.internalID))
    }
    // That it is not there is what was wanted; whether it will stay so a look-up tells.
    if client.options.messages.isGone(told.refusal) {
      return .uncertain(Reason(.inDoubt, "K/3 says that the bill to be deleted is not there"))
    }
    return refused(told)
  }

  private func write(
    _ bills: [KeyedBill], action: String, body: (KeyedBill) throws(Reason) -> [UInt8],
    answer: (K3Reply, KeyedBill) -> SaveAnswer
  ) async -> [SaveAnswer] {
    var answers = [SaveAnswer?](repeating: nil, count: bills.count)
    var calls: [K3Client.Call] = []
    var indices: [Int] = []
    calls.reserveCapacity(bills.count)
    indices.reserveCapacity(bills.count)
    for (index, bill) in bills.enumerated() {
      do throws(Reason) {
        let path = bill.bill.object + "/" + action
        calls.append(K3Client.Call(path, try body(bill), notAfter: bill.notAfter, repeatable: false))
        indices.append(index)
      } catch {
        answers[index] = .rejected(error, answer: "")
      }
    }
    do throws(K3Outage) {
      let replies = try await client.post(calls)
      let told = zip(indices, replies).map { index, reply in answer(reply, bills[index]) }
      let judged = await judged(told, of: indices.map { bills[$0].bill.object })
      for (index, answer) in zip(indices, judged) { answers[index] = answer }
    } catch {
      for index in indices { answers[index] = .outage(error.reason) }
    }
    return answers.map { $0 ?? .uncertain(Reason(.inDoubt, "no answer was noted")) }
  }

  /// The number that K/3 is to give a bill, as far as it is known: its key, or what the strategy maps otherwise.
  private static func number(of bill: KeyedBill) -> String? {
    bill.number ?? K3BillBody(bill.bill.body)?.header.member(Bill.numberField)?.text
  }

  /// Whether a number that K/3 says is taken is another bill's: K/3 shows none with the key, which is not the number.
  private static func isTakenByAnother(_ bill: KeyedBill) -> Bool {
    bill.followsAbsences && !bill.isKeyNumber && number(of: bill) != nil
  }

  private static func updateBody(of bill: KeyedBill) throws(Reason) -> [UInt8] {
    guard let number = bill.number, let update = K3BillBody(try body(of: bill))?.updating(number) else {
      throw Reason(.configuration, "no Update can be made of the bill's body")
    }
    return update
  }

  /// The body to be sent, with the claim's key in its field.
  static func body(of bill: KeyedBill) throws(Reason) -> [UInt8] {
    guard isObject(bill.bill.object) else {
      throw Reason(.configuration, "the strategy's target object is not a name that K/3 can have")
    }
    guard Bill.isFieldName(bill.keyField) else {
      throw Reason(.configuration, "the key would stand in a field that K/3 cannot have")
    }
    guard isUsableKey(bill.key) else {
      throw Reason(
        .valueInvalid,
        "\(bill.keyField): the bill's number is empty, too long or holds characters that K/3 cannot look up")
    }
    if bill.bill.number == bill.key, bill.bill.keyField == bill.keyField { return bill.bill.body }
    guard let body = K3BillBody(bill.bill.body) else {
      throw Reason(.configuration, "the bill's body is not Data with one header in Page1")
    }
    return body.with(bill.key, in: bill.keyField)
  }

  private static func isObject(_ name: String) -> Bool {
    1...64 ~= name.utf8.count
      && name.utf8.allSatisfy { byte in
        byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
      }
  }

  // MARK: Classification

  /// What came of one Save.
  /// - Parameters:
  ///   - number: that which K/3 was asked to give the bill; nil where it was left to K/3.
  ///   - keyField: see `refused`.
  private func answer(_ reply: K3Reply, _ number: String?, takenBesides keyField: String? = nil) -> SaveAnswer {
    switch reply {
    case .notSent(let failure): notSent(failure)
    case .unclear(let sentence, let body, _): .uncertain(Reason(.inDoubt, sentence), answer: client.excerpt(body))
    case .answer(let answer):
      answer.isGood ? accepted(answer, number, keyField) : refused(answer, takenBesides: keyField)
    }
  }

  /// What came of one Update. That K/3 names the bill in its answer is not known (A.5.3): a good one is enough.
  private func updated(_ reply: K3Reply, _ number: String?) -> SaveAnswer {
    if case .answer(let refusal) = reply, !refusal.isGood, client.options.messages.isUnchangeable(refusal.refusal) {
      let told = client.shown(refusal.refusal)
      let sentence = "K/3 does not let the bill be changed: \(K3Messages.withoutValues(told))"
      return .rejected(Reason(.changedAfterWritten, sentence), answer: told)
    }
    guard case .answer(let good) = reply, good.isGood, !good.hasFailedRow, let number else {
      return answer(reply, number)
    }
    guard good.savedBill?.number ?? number == number else {
      return .uncertain(
        Reason(.inDoubt, "K/3 answered an Update with the number of another bill"), answer: client.excerpt(good.body))
    }
    return .written(WrittenBill(number: number, internalID: good.savedBill?.internalID))
  }

  private func notSent(_ failure: HTTPFailure) -> SaveAnswer {
    switch failure.kind {
    case .expired: .notStarted(Reason(.k3Busy, "the Save waited too long for a free connection"))
    case .cancelled, .shutdown: .notStarted(Reason(.k3Unavailable, "the Save was not sent: Ferry is shutting down"))
    case .invalid: .outage(Reason(.configuration, failure.description))
    case .connect, .resolve, .tls, .timeout, .dropped, .tooLarge:
      .outage(Reason(.k3Unavailable, failure.description))
    }
  }

  private func accepted(_ answer: K3Answer, _ number: String?, _ keyField: String?) -> SaveAnswer {
    let bill = answer.savedBill ?? numberInMessage(answer, number).map { ($0, nil) }
    switch (bill, answer.hasFailedRow) {
    case (let bill?, false): return .written(WrittenBill(number: bill.number, internalID: bill.internalID))
    case (nil, true): return refused(answer, takenBesides: keyField)
    case (_?, true):
      return .uncertain(
        Reason(.inDoubt, "K/3 answered with a bill number and a failed row"), answer: client.excerpt(answer.body))
    case (nil, false):
      return .uncertain(
        Reason(.inDoubt, "K/3 answered StatusCode 200 without a bill number"), answer: client.excerpt(answer.body))
    }
  }

  /// The legacy dialect has the number where others have a word of success (A.5.2): it is what we asked for, or looks like what a
  /// numbering rule makes.
  private func numberInMessage(_ answer: K3Answer, _ number: String?) -> String? {
    let message = answer.message
    if message == number { return message }
    guard 1...80 ~= message.utf8.count, !client.options.messages.isGeneric(message) else {
      return nil
    }
    let isNumber = message.utf8.allSatisfy { byte in
      byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26 || "-_./#".utf8.contains(byte)
    }
    return isNumber && message.utf8.contains { $0 &- UInt8(ascii: "0") < 10 } ? message : nil
  }

  /// - Parameter keyField: by this field K/3 was asked for the bill, and has none: a number that is taken is another bill's.
  private func refused(_ answer: K3Answer, takenBesides keyField: String? = nil) -> SaveAnswer {
    let told = client.shown(answer.refusal)
    let sentence = "K/3 refused the bill: \(K3Messages.withoutValues(told))"
    switch client.options.messages.kind(of: answer.refusal, isFresh: true) {
    case .token, .unauthorized: return .outage(Reason(.k3Unauthorized, sentence))
    case .busy where client.options.messages.isUnsettled(answer.refusal):
      return .uncertain(Reason(.inDoubt, sentence), answer: told)
    case .busy: return .nothingWritten(Reason(.k3Busy, sentence))
    // Whose bill has the number? A look-up tells: ours, if an earlier Save's answer was lost (A.14).
    case .duplicate:
      if let keyField {
        let taken = "FBillNo: K/3 says that the number is taken, and shows no bill with the order's key in \(keyField)"
        return .rejected(Reason(.conflict, taken), answer: told)
      }
      return .uncertain(Reason(.inDoubt, sentence), answer: told)
    case .other: return .rejected(Reason(.k3Rejected, sentence), answer: told)
    }
  }
}
