internal import Curl
internal import JSON
internal import Orders
public import Pipeline

extension K3BillDestination {
  /// Asks `SO/GetList` for each key and compares what it finds by `SO/GetDetail` with what was (to be) sent
  /// (vendor-apis.md A.5.5, A.6).
  public func lookUp(_ bills: [KeyedBill]) async -> [LookUpAnswer] {
    var answers = [LookUpAnswer?](repeating: nil, count: bills.count)
    var asked: [Int] = []
    var questions: [Question] = []
    for (index, bill) in bills.enumerated() {
      guard let filter = K3Filter.equals("FBillNo", bill.key), (try? Self.body(of: bill)) != nil else {
        // Such a bill is never saved, so whatever stands under its number is not ours.
        answers[index] = .different(Reason(.valueInvalid, "FBillNo: K/3 cannot be asked for the bill's number"))
        continue
      }
      asked.append(index)
      questions.append(Question(object: bill.bill.object, number: bill.key, filter: filter))
    }
    for (index, answer) in zip(asked, await listed(questions)) { answers[index] = answer }
    await compare(bills, &answers)
    return answers.map { $0 ?? .unavailable(Reason(.k3Unavailable, "K/3 gave no answer")) }
  }

  /// Asks for bills that were written, by their number and, where it is known, K/3's id.
  public func find(_ bills: [StandingBill]) async -> [LookUpAnswer] {
    var answers = [LookUpAnswer?](repeating: nil, count: bills.count)
    var asked: [Int] = []
    var questions: [Question] = []
    for (index, bill) in bills.enumerated() {
      guard let filter = K3Filter.equals("FBillNo", bill.number) else {
        answers[index] = .different(Reason(.valueInvalid, "FBillNo: K/3 cannot be asked for the bill's number"))
        continue
      }
      asked.append(index)
      questions.append(Question(object: bill.object, number: bill.number, filter: filter))
    }
    for (index, answer) in zip(asked, await listed(questions)) { answers[index] = answer }
    let there = answers.indices.filter { answers[$0] == nil }
    let details = there.map {
      K3Client.Call(bills[$0].object + "/GetDetail", K3Question.detail(number: bills[$0].number))
    }
    for (index, reply) in zip(there, await replies(details)) {
      switch reply {
      case .failure(let miss): answers[index] = miss.answer
      case .success(let answer): answers[index] = kept(K3Comparison.identify(bills[index], with: answer), answer)
      }
    }
    return answers.map { $0 ?? .unavailable(Reason(.k3Unavailable, "K/3 gave no answer")) }
  }

  /// Asks for a number that no bill has. Whatever K/3 says to it in its own words shows that it is there: whether it lets us
  /// do what we want, a bill finds out.
  public func isAnswering() async -> Bool {
    guard let filter = K3Filter.equals("FBillNo", "ferry-probe") else { return false }
    guard let reply = try? await client.post([K3Client.Call("SO/GetList", K3Question.list(filter: filter))]).first,
      case .answer(let answer) = reply
    else { return false }
    return answer.isGood || client.options.messages.kind(of: answer.refusal, isFresh: true) != .busy
  }

  /// One number that the list is asked for.
  private struct Question {
    let object: String
    let number: String
    let filter: String
  }

  /// What the lists say; nil where there is one bill, whose details must be compared.
  private func listed(_ questions: [Question]) async -> [LookUpAnswer?] {
    let calls = questions.map { K3Client.Call($0.object + "/GetList", K3Question.list(filter: $0.filter)) }
    var answers: [LookUpAnswer?] = []
    var inRows: [Int] = []
    for (question, reply) in zip(questions, await replies(calls)) {
      switch reply {
      case .failure(let miss): answers.append(miss.answer)
      case .success(let answer):
        if K3Listed.hasRows(answer, key: question.number) { inRows.append(answers.count) }
        answers.append(K3Listed.answer(answer, key: question.number).map { kept($0, answer) })
      }
    }
    // Several bills, or one whose lines have a row each: the ids tell. Not every site may show them, so they are asked for only here.
    let again = inRows.map {
      K3Client.Call(questions[$0].object + "/GetList", K3Question.list(filter: questions[$0].filter, isWithIDs: true))
    }
    for (index, reply) in zip(inRows, await replies(again)) {
      if case .success(let answer) = reply, K3Listed.isOneBill(answer, key: questions[index].number) {
        answers[index] = nil
      }
    }
    return answers
  }

  /// Fills in the answers of those bills that are there: they have none yet.
  private func compare(_ bills: [KeyedBill], _ answers: inout [LookUpAnswer?]) async {
    let there = answers.indices.filter { answers[$0] == nil }
    let calls = there.map {
      K3Client.Call(bills[$0].bill.object + "/GetDetail", K3Question.detail(number: bills[$0].key))
    }
    for (index, reply) in zip(there, await replies(calls)) {
      switch reply {
      case .failure(let miss): answers[index] = miss.answer
      case .success(let answer): answers[index] = kept(K3Comparison.compare(bills[index], with: answer), answer)
      }
    }
  }

  /// With the beginning of what K/3 answered, where that tells nothing of the bill.
  private func kept(_ answer: LookUpAnswer, _ told: K3Answer) -> LookUpAnswer {
    guard case .unusable(let reason, nil) = answer else { return answer }
    return .unusable(reason, answer: client.excerpt(told.body))
  }

  /// Why there is no good answer.
  private struct Miss: Error {
    let answer: LookUpAnswer
  }

  /// K/3's good answers. Anything else is K/3 that could not be asked, or an answer that tells nothing.
  private func replies(_ calls: [K3Client.Call]) async -> [Result<K3Answer, Miss>] {
    guard !calls.isEmpty else { return [] }
    do throws(K3Outage) {
      return zip(calls, try await client.post(calls)).map { good($1, to: $0.path) }
    } catch { return calls.map { _ in .failure(Miss(answer: .unavailable(error.reason))) } }
  }

  /// - Parameter path: object and action. The question for the list comes first: who is refused that is not let in. Where K/3
  ///   has answered it and refuses the details, it is a matter of this bill.
  private func good(_ reply: K3Reply, to path: String) -> Result<K3Answer, Miss> {
    switch reply {
    case .notSent(let failure): return .failure(Miss(answer: .unavailable(Reason(.k3Unavailable, failure.description))))
    // No envelope: somebody else may have answered for K/3, such as its web server while K/3 is being started.
    case .unclear(let sentence, let body):
      return .failure(
        Miss(answer: .unavailable(Reason(.k3Unavailable, sentence), answer: client.excerpt(body))))
    case .answer(let answer) where answer.isGood: return .success(answer)
    case .answer(let answer):
      let told = client.shown(answer.refusal)
      if client.options.messages.isOverload(answer.refusal) {
        return .failure(
          Miss(answer: .unavailable(Reason(.k3Unavailable, "K/3 is too busy for the look-up"), answer: told)))
      }
      let sentence = "K/3 refused the look-up: \(K3Messages.withoutValues(told))"
      let isLockedOut = client.options.messages.kind(of: answer.refusal, isFresh: true) == .unauthorized
      guard isLockedOut, path.hasSuffix("/GetList") else {
        return .failure(Miss(answer: .unusable(Reason(.inDoubt, sentence), answer: told)))
      }
      var reason = Reason(.k3Unauthorized, sentence)
      reason.object = path.split(separator: "/").first.map { String($0) }
      return .failure(Miss(answer: .unavailable(reason, answer: told)))
    }
  }
}

/// The bodies of the two reading requests.
enum K3Question {
  static let pageSize = 10

  /// `GetList` of headers, one row a bill (`SelectPage` 1).
  /// - Parameter isWithIDs: with K/3's ids, and as many rows as a bill may have lines, for a site that shows a row for each.
  static func list(filter: String, isWithIDs: Bool = false) -> [UInt8] {
    let pageSize = isWithIDs ? 1_000 : pageSize
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("Data")
    writer.beginObject()
    let fields = [
      ("Top", "\(pageSize)"), ("PageSize", "\(pageSize)"), ("PageIndex", "1"), ("SelectPage", "1"),
      ("Fields", isWithIDs ? "FBillNo,FInterID" : "FBillNo"), ("Filter", filter), ("OrderBy", ""),
    ]
    for (key, value) in fields {
      writer.key(key)
      writer.string(value)
    }
    writer.endObject()
    writer.endObject()
    return writer.bytes
  }

  /// `Delete` of one bill (A.5.4).
  static func delete(number: String) -> [UInt8] { bill(number) { _ in } }

  /// `GetDetail` of one bill.
  static func detail(number: String) -> [UInt8] {
    bill(number) { writer in
      writer.key("GetProperty")
      writer.bool(false)
    }
  }

  /// A bill's number in `Data`, and what stands beside it.
  private static func bill(_ number: String, _ beside: (inout JSONWriter) -> Void) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("Data")
    writer.beginObject()
    writer.key("FBillNo")
    writer.string(number)
    writer.endObject()
    beside(&writer)
    writer.endObject()
    return writer.bytes
  }
}
