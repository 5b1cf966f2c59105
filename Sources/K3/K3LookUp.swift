internal import Curl
internal import Orders
public import Pipeline

extension K3BillDestination {
  /// Asks `SO/GetList` for each key and compares what it finds by `SO/GetDetail` with what was (to be) sent
  /// (vendor-apis.md A.5.5, A.6).
  public func lookUp(_ bills: [KeyedBill]) async -> [LookUpAnswer] {
    var answers = [LookUpAnswer?](repeating: nil, count: bills.count)
    var asked: [Int] = []
    var questions: [K3Question] = []
    for (index, bill) in bills.enumerated() {
      guard let question = K3Question(bill), (try? Self.body(of: bill)) != nil else {
        // Such a bill is never saved, so whatever stands under its number is not ours.
        answers[index] = .different(
          Reason(.valueInvalid, "\(bill.keyField): K/3 cannot be asked for the bill's number"))
        continue
      }
      asked.append(index)
      questions.append(question)
    }
    var numbers = [String?](repeating: nil, count: bills.count)
    for (index, listed) in zip(asked, await listed(questions)) {
      switch listed {
      case .answer(let answer): answers[index] = answer
      case .bill(let number): numbers[index] = number
      }
    }
    await compare(bills, numbers, &answers)
    return answers.map { $0 ?? .unavailable(Reason(.k3Unavailable, "K/3 gave no answer")) }
  }

  /// Asks for bills that were written, by their number and, where it is known, K/3's id.
  public func find(_ bills: [StandingBill]) async -> [LookUpAnswer] {
    var answers = [LookUpAnswer?](repeating: nil, count: bills.count)
    var asked: [Int] = []
    var questions: [K3Question] = []
    for (index, bill) in bills.enumerated() {
      guard let question = K3Question(bill.object, Bill.numberField, bill.number) else {
        answers[index] = .different(Reason(.valueInvalid, "FBillNo: K/3 cannot be asked for the bill's number"))
        continue
      }
      asked.append(index)
      questions.append(question)
    }
    for (index, listed) in zip(asked, await listed(questions)) {
      if case .answer(let answer) = listed { answers[index] = answer }
    }
    let there = answers.indices.filter { answers[$0] == nil }
    let details = there.map {
      K3Client.Call(bills[$0].object + "/GetDetail", K3Question.detail(number: bills[$0].number))
    }
    for (index, reply) in zip(there, await replies(details, probes: there.map { Self.detailProbe(bills[$0].object) })) {
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
    guard let question = K3Question("SO", Bill.numberField, "ferry-probe") else { return false }
    guard let reply = try? await client.post([question.call()]).first,
      case .answer(let answer) = reply
    else { return false }
    return answer.isGood || client.options.messages.kind(of: answer.refusal, isFresh: true) != .busy
  }

  /// What the lists say.
  private func listed(_ questions: [K3Question]) async -> [K3Listed.Finding] {
    var findings: [K3Listed.Finding] = []
    var inRows: [Int] = []
    let probes = questions.map { $0.probe }
    for (question, reply) in zip(questions, await replies(questions.map { $0.call() }, probes: probes)) {
      switch reply {
      case .failure(let miss): findings.append(.answer(miss.answer))
      case .success(let answer):
        if K3Listed.hasRows(answer, question) { inRows.append(findings.count) }
        findings.append(kept(K3Listed.finding(answer, question), answer))
      }
    }
    // Several bills, or one whose lines have a row each: the ids tell. Not every site may show them, so they are asked for only here.
    let again = inRows.map { questions[$0].call(isWithIDs: true) }
    for (index, reply) in zip(inRows, await replies(again, probes: inRows.map { probes[$0] })) {
      if case .success(let answer) = reply, let number = K3Listed.oneBill(answer, questions[index]) {
        findings[index] = .bill(number)
      }
    }
    return findings
  }

  /// Fills in the answers of those bills that are there: they have none yet.
  /// - Parameter numbers: theirs, by which K/3 tells their details.
  private func compare(
    _ bills: [KeyedBill], _ numbers: [String?], _ answers: inout [LookUpAnswer?]
  ) async {
    var there: [(index: Int, number: String)] = []
    for (index, number) in numbers.enumerated() {
      if let number { there.append((index, number)) }
    }
    let calls = there.map {
      K3Client.Call(bills[$0.index].object + "/GetDetail", K3Question.detail(number: $0.number))
    }
    let probes = there.map { Self.detailProbe(bills[$0.index].object) }
    for ((index, number), reply) in zip(there, await replies(calls, probes: probes)) {
      switch reply {
      case .failure(let miss): answers[index] = miss.answer
      case .success(let answer):
        answers[index] = kept(K3Comparison.compare(bills[index], under: number, with: answer), answer)
      }
    }
  }

  private func kept(_ finding: K3Listed.Finding, _ told: K3Answer) -> K3Listed.Finding {
    guard case .answer(let answer) = finding else { return finding }
    return .answer(kept(answer, told))
  }

  /// With the beginning of what K/3 answered, where that tells nothing of the bill.
  private func kept(_ answer: LookUpAnswer, _ told: K3Answer) -> LookUpAnswer {
    guard case .unusable(let reason, nil) = answer else { return answer }
    return .unusable(reason, answer: client.excerpt(told.body))
  }

  /// Why there is no good answer.
  struct Miss: Error {
    let answer: LookUpAnswer
  }

  /// K/3's good answers. Anything else is K/3 that could not be asked, or an answer that tells nothing.
  /// - Parameter probes: of each call the same question about a bill that nobody has.
  private func replies(
    _ calls: [K3Client.Call], probes: [K3Client.Call]
  ) async -> [Result<K3Answer, Miss>] {
    guard !calls.isEmpty else { return [] }
    let replies: [K3Reply]
    do throws(K3Outage) { replies = try await client.post(calls) } catch {
      return calls.map { _ in .failure(Miss(answer: .unavailable(error.reason))) }
    }
    return zip(await silenced(replies, to: calls, probes), calls).map { reply, call in
      reply.flatMap { good($0, to: call.path) }
    }
  }

  /// - Parameter path: object and action. The question for the list comes first: who is refused that is not let in. Where K/3
  ///   has answered it and refuses the details, it is a matter of this bill.
  private func good(_ reply: K3Reply, to path: String) -> Result<K3Answer, Miss> {
    switch reply {
    case .notSent(let failure): return .failure(Miss(answer: .unavailable(Reason(.k3Unavailable, failure.description))))
    // No envelope: somebody else may have answered for K/3, such as its web server while K/3 is being started.
    case .unclear(let sentence, let body, _):
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
