/// What came of asking whether one may try a partner that is away.
public enum ProbeAnswer: Sendable, Equatable {
  /// Try it: nobody else does, for as long as was asked for.
  case granted
  /// Another process tries it.
  case taken
  /// It is not away any more.
  case closed
}

/// Which partners are away for the whole installation: one process that finds out is enough, and one at a time tries again.
public protocol PartnerBreakers: Sendable {
  /// Why nobody goes to this partner; nil: all may.
  func standing(of partner: Partner) async throws(LedgerFailure) -> Reason?
  /// Stops all processes. Open already: the newer reason counts, and who tries the partner goes on trying.
  func open(_ partner: Partner, _ reason: Reason) async throws(LedgerFailure)
  /// Asks to be the one that tries the partner.
  /// - Parameters:
  ///   - holder: who asks; whoever has the permit gets it again.
  ///   - seconds: how long it may take, 1 or more. A process that dies meanwhile keeps nobody from it for longer.
  func probe(_ partner: Partner, as holder: Int64, seconds: Int64) async throws(LedgerFailure) -> ProbeAnswer
  /// The partner has answered: all may go on.
  func close(_ partner: Partner) async throws(LedgerFailure)
}
