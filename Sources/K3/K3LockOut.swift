internal import Orders
internal import Pipeline
internal import Synchronization

/// Whom a refusal with words about token or rights is about: all of us, or one bill.
///
/// The words alone do not tell: a customer's name may hold them, and so may a rule about one order (vendor-apis.md A.14 knows
/// hardly any of K/3's texts). Taken for a lock-out, one such order would stop the whole installation, for ever.
extension K3BillDestination {
  /// The answers, in which a lock-out is one: where K/3 lets us in all the same, the refusal is the bill's own. Nothing was
  /// written, it may pass later, and it counts as an attempt.
  ///
  /// K/3 lets us in where it has just written another bill of the object, or answers a cheap question with the same token: one
  /// for each object, and one more for another object, of which it has told us something before.
  /// - Parameter objects: of each answer its bill's.
  func judged(_ answers: [SaveAnswer], of objects: [String]) async -> [SaveAnswer] {
    var isOpen: [String: Bool] = [:]
    for case (.written, let object) in zip(answers, objects) { isOpen[object] = true }
    note(isOpen.keys)
    var judged = answers
    for (index, object) in objects.enumerated() {
      guard case .outage(let reason) = answers[index], reason.code == .k3Unauthorized else { continue }
      let isIn: Bool
      if let known = isOpen[object] { isIn = known } else { isIn = await letsUsIn(object) }
      isOpen[object] = isIn
      var refusal = reason
      refusal.object = object
      judged[index] = isIn ? .nothingWritten(reason) : .outage(refusal)
    }
    return judged
  }

  /// Objects of which something was answered.
  func note(_ objects: some Sequence<String>) { open.withLock { $0.formUnion(objects) } }

  private func letsUsIn(_ object: String) async -> Bool {
    if await isReadable(object) { return true }
    // An object that nobody has ticked for us is no matter of the others.
    let other = open.withLock { open in
      open.remove(object)
      return open.sorted().first
    }
    guard let other else { return false }
    return await isReadable(other)
  }

  private func isReadable(_ object: String) async -> Bool {
    guard let question = K3Question(object, Bill.numberField, "ferry-probe") else { return false }
    guard let reply = try? await client.post([question.call()], renewing: false).first, case .answer(let answer) = reply
    else {
      return false
    }
    if answer.isGood { note([object]) } else { _ = open.withLock { $0.remove(object) } }
    return answer.isGood
  }

  // MARK: Silence

  /// The replies to look-ups, in which those that are not K/3's while K/3 answers the same question about another bill are
  /// told as an answer that tells nothing, and counts: a gateway that refuses the one filter, a bill at which K/3's details
  /// break. Waited for as an outage it would be so for ever. So that an outage that ended meanwhile is not taken for that, each
  /// is asked once more afterwards, and what is said then goes; but for what came too late, which would take as long again. What
  /// passes by itself (`K3Reply.Cause`) is an outage at once.
  /// - Parameter probes: of each call the question to be asked, once for all that have the same.
  func silenced(
    _ replies: [K3Reply], to calls: [K3Client.Call], _ probes: [K3Client.Call]
  ) async -> [Result<K3Reply, Miss>] {
    var known: [String: Bool] = [:]
    var doubtful: [Int] = []
    var told = replies.map { Result<K3Reply, Miss>.success($0) }
    for (index, reply) in replies.enumerated() {
      guard case .unclear(let sentence, let body, let cause) = reply, cause != .passing else { continue }
      let name = probes[index].path + String(decoding: probes[index].body, as: UTF8.self)
      let isAnswered: Bool
      if let answered = known[name] { isAnswered = answered } else { isAnswered = await hasWords(for: probes[index]) }
      known[name] = isAnswered
      guard isAnswered else { continue }
      if cause == .any {
        doubtful.append(index)
      } else {
        let reason = Reason(.inDoubt, "K/3 answers it for other bills, and for this one too late: \(sentence)")
        told[index] = .failure(Miss(answer: .late(reason, answer: client.excerpt(body))))
      }
    }
    guard !doubtful.isEmpty, let again = try? await client.post(doubtful.map { calls[$0] }) else { return told }
    for (index, reply) in zip(doubtful, again) {
      told[index] = .success(reply)
      if case .unclear(let sentence, let body, .any) = reply {
        let reason = Reason(.inDoubt, "K/3 answers the question for other bills and not for this one: \(sentence)")
        told[index] = .failure(Miss(answer: .unusable(reason, answer: client.excerpt(body))))
      }
    }
    return told
  }

  static func detailProbe(_ object: String) -> K3Client.Call {
    K3Client.Call(object + "/GetDetail", K3Question.detail(number: "ferry-probe"))
  }

  /// Whether K/3 answers in its own words, and neither that it is busy nor that we may not ask.
  private func hasWords(for call: K3Client.Call) async -> Bool {
    guard let reply = try? await client.post([call]).first, case .answer(let answer) = reply else { return false }
    return answer.isGood || client.options.messages.kind(of: answer.refusal, isFresh: true) == .other
  }
}
