internal import Curl
internal import JSON
internal import Synchronization

/// Steers how many requests to K/3 are under way, by how they end.
final class K3Load: Sendable {
  private let messages: K3Messages
  private let governor: Mutex<ConcurrencyGovernor>

  init(_ options: K3Options) {
    messages = options.messages
    governor = Mutex(ConcurrencyGovernor(options.concurrencyFloor...options.concurrency))
  }

  /// How many requests may be under way.
  var limit: Int { governor.withLock { $0.limit } }

  /// Takes a request's end into account; returns the limit from now on.
  func note(_ transfer: HTTPTransfer) -> Int {
    let sign = sign(of: transfer)
    return governor.withLock { governor in
      if let sign { governor.note(sign, sent: transfer.started, now: transfer.started + transfer.took) }
      return governor.limit
    }
  }

  /// Nil: it tells nothing of K/3's load.
  private func sign(of transfer: HTTPTransfer) -> ConcurrencyGovernor.Sign? {
    switch transfer.outcome {
    case .uncertain(let failure): return failure.kind == .timeout ? .overloaded : nil
    // The network, or a K/3 that is not there: the pause sees to that.
    case .notSent: return nil
    case .response(let response):
      if response.status == 429 || response.status == 503 { return .overloaded }
      // Other errors come quicker or later than the work that they break off.
      guard response.status < 400 else { return nil }
      if isOverload(response) { return .overloaded }
      guard transfer.request.method == .post else { return nil }
      return .answered(transfer.request.repeatable ? .read : .write, after: transfer.took)
    }
  }

  /// How K/3 begins an answer that says that it went well.
  private static let good = Array(#"{"StatusCode":200,"#.utf8)

  /// Whether K/3 says so. Such answers are short; longer ones are not read twice, nor those that begin as good ones do.
  private func isOverload(_ response: HTTPResponse) -> Bool {
    guard response.body.count <= 4096, !response.body.starts(with: Self.good),
      case .answer(let answer) = K3Reply(.response(response), limits: JSONLimits())
    else { return false }
    return !answer.isGood && messages.isOverload(answer.refusal)
  }
}
