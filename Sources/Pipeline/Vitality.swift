/// What a look at a worker shows.
public struct WorkerActivity: Sendable, Equatable {
  /// Something keeps it from working that no restart mends: a partner or the broker is away, or it is stopping.
  public var isHeldBack: Bool
  /// Messages taken since it began.
  public var taken: Int
  /// When the oldest batch under way was taken; nil when there is none.
  public var oldestBatch: ContinuousClock.Instant?

  /// An activity.
  public init(isHeldBack: Bool, taken: Int, oldestBatch: ContinuousClock.Instant?) {
    self.isHeldBack = isHeldBack
    self.taken = taken
    self.oldestBatch = oldestBatch
  }
}

/// Whether a worker that is up also works. It is fed with looks, and decides by them and the monotonic clock alone.
///
/// Two things are wrong with a worker, and only while nothing holds it back: it takes nothing though its queue has messages
/// ready for it, or a batch does not come to an end. An outage of the broker or of a partner is neither, so it restarts
/// nobody.
public struct Vitality: Sendable {
  /// What is wrong.
  public enum Trouble: Sendable, Equatable {
    /// So many messages are ready, and for as long as is waited none was delivered.
    case notConsuming(ready: Int)
    /// A batch has been under way for longer than any can take.
    case stuck
  }

  /// How long a worker may get nothing from a queue that has something, where nobody says otherwise.
  public static let patience = Duration.seconds(60)

  /// Time between two looks.
  public var interval: Duration { min(.seconds(15), patience / 4) }

  private let patience: Duration
  private let longestBatch: Duration
  private var taken = -1
  private var idleSince: ContinuousClock.Instant?
  private var heldBackUntil: ContinuousClock.Instant?

  /// A vitality of a worker that has just begun.
  /// - Parameters:
  ///   - longestBatch: more than a batch can take while nobody is away.
  ///   - patience: how long it may get nothing from a queue that has something.
  public init(longestBatch: Duration, patience: Duration = Self.patience) {
    self.longestBatch = longestBatch
    self.patience = patience
  }

  /// Whether the queue's length is worth asking for.
  public func isIdle(_ activity: WorkerActivity) -> Bool { !activity.isHeldBack && activity.oldestBatch == nil }

  /// Takes a look into account.
  /// - Parameter ready: messages ready in the queue; nil when it is not known.
  /// - Returns: what is wrong; nil when nothing is.
  public mutating func note(
    _ activity: WorkerActivity, ready: Int?, at now: ContinuousClock.Instant
  ) -> Trouble? {
    if activity.isHeldBack { heldBackUntil = now }
    defer { taken = activity.taken }
    guard isIdle(activity), activity.taken == taken, let ready, ready > 0 else {
      idleSince = nil
      // What was waited for in an outage does not count.
      let begun = max(activity.oldestBatch ?? now, heldBackUntil ?? activity.oldestBatch ?? now)
      return !activity.isHeldBack && begun.duration(to: now) > longestBatch ? .stuck : nil
    }
    let since = idleSince ?? now
    idleSince = since
    return since.duration(to: now) >= patience ? .notConsuming(ready: ready) : nil
  }
}
