/// What the loader makes of look-ups that tell it nothing.
extension LoadStage {
  /// The bill stays in doubt. K/3 that is away is waited for; K/3 that does not let us in stops everybody; and what it answers
  /// unusably counts as an attempt, for it would answer so again and again.
  func unanswered(_ answer: LookUpAnswer, _ reason: Reason) -> Outcome {
    if case .unusable = answer { return .retry(reason) }
    return reason.code == .k3Unauthorized ? .outage(reason) : .later(reason, afterSeconds: times.visibleSeconds)
  }
}
