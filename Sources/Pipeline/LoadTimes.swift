/// How the load stage waits and holds.
public struct LoadTimes: Sendable {
  /// How long a claim keeps other workers away, in seconds. Longer than the three others together, so that whatever a
  /// dead worker sent is visible in K/3 when its lease is over and K/3 is asked.
  public var leaseSeconds: Int
  /// A Save's timeout, in seconds.
  public var saveSeconds: Int
  /// Kept free at the end of a lease, for settling.
  public var marginSeconds: Int
  /// After this K/3 must show a bill that it has written, in seconds; no look-up before.
  public var visibleSeconds: Int

  /// From a claim until the answer to the last request for it, at most, in seconds: also where a lease is longer than the
  /// broker waits for an acknowledgement.
  public var longestSeconds: Int { min(leaseSeconds - visibleSeconds - marginSeconds, WorkerShape.longestLentSeconds) }

  /// Times in seconds.
  public init(leaseSeconds: Int, saveSeconds: Int, marginSeconds: Int, visibleSeconds: Int) {
    self.leaseSeconds = leaseSeconds
    self.saveSeconds = saveSeconds
    self.marginSeconds = marginSeconds
    self.visibleSeconds = visibleSeconds
  }
}
