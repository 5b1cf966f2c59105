/// Time as the pipeline sees it: what a test can replace.
public struct PipelineClock: Sendable {
  /// A monotonic instant, for leases and deadlines.
  public var now: @Sendable () -> ContinuousClock.Instant
  /// Milliseconds since 1970 UTC, for people's eyes; no decision rests on it but how long an order
  /// waits for master data.
  public var epochMilliseconds: @Sendable () -> Int64
  /// Waits; returns early when the task is cancelled.
  public var sleep: @Sendable (Duration) async -> Void

  /// A clock made of its parts.
  public init(
    now: @escaping @Sendable () -> ContinuousClock.Instant, epochMilliseconds: @escaping @Sendable () -> Int64,
    sleep: @escaping @Sendable (Duration) async -> Void
  ) {
    self.now = now
    self.epochMilliseconds = epochMilliseconds
    self.sleep = sleep
  }
}
