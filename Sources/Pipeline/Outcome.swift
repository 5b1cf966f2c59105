/// What became of one message at one stage. The worker settles it; a stage never acks, publishes or retries.
public enum Outcome: Sendable, Equatable {
  /// Goes on to the next queue: at least one message. This one is settled when all of them are safe.
  case forward([Envelope])
  /// Nothing more to do.
  case done(Done)
  /// Tried, failed, may work later. Counts as an attempt; the retry policy decides on delay or burial.
  case retry(Reason)
  /// Not this message's fault and not an attempt: somebody else holds it, or the answer must be waited for.
  case later(Reason, afterSeconds: Int)
  /// Something that every message needs is away. Not an attempt; the worker also pauses before it takes more.
  case outage(Reason)
  /// Will never work as it is: parked with its reason.
  case dead(Burial)

  /// The ways of being done.
  public enum Done: String, Sendable, CaseIterable {
    /// Written to K/3 just now.
    case written
    /// Its bill in K/3 was changed just now.
    case updated
    /// OKKI has removed the order; nothing of it is in K/3.
    case removed
    /// OKKI has removed the order, and its bills were deleted in K/3.
    case cancelled
    /// Found in K/3 after a doubt; not sent again.
    case resolved
    /// This revision was written before.
    case duplicate
    /// A newer revision has overtaken it.
    case stale
    /// By policy nothing happens to it.
    case ignored
  }

  /// What is kept of a message that is parked.
  public struct Burial: Sendable, Equatable {
    /// Why.
    public let reason: Reason
    /// The vendor's answer, shortened, secrets masked; empty when none was involved.
    public let vendorAnswer: String
    /// At load: the external key under which K/3 has got the bill, or would have. Nil where none was given out yet.
    public var key: String?

    /// A burial.
    public init(_ reason: Reason, vendorAnswer: String = "") {
      self.reason = reason
      self.vendorAnswer = vendorAnswer
    }
  }

  /// The label of the outcome in metrics.
  public var label: String {
    switch self {
    case .forward: "forward"
    case .done(let kind): kind.rawValue
    case .retry: "retry"
    case .later: "later"
    case .outage: "outage"
    case .dead: "dead"
    }
  }
}

extension Outcome {
  /// What is tried again at no special moment: those that failed with it are not to come back all at once. `later` names its
  /// moment, the end of a lease or of a doubt; only master data comes when it comes.
  var mayComeEarly: Bool {
    switch self {
    case .retry, .outage: true
    case .later(let reason, _): MasterDataWait.waited.contains(reason.code)
    case .forward, .done, .dead: false
    }
  }
}

/// Turns a batch of messages into one outcome each, in the same order.
///
/// A stage works in batches because its partners do: one statement, one round of requests, one confirm for many
/// messages. It must return exactly one outcome per message and must not throw: whatever went wrong is an outcome.
public protocol Stage: Sendable {
  /// Which stage it is.
  var name: StageName { get }
  /// One outcome per envelope, in order.
  func handle(_ batch: [Envelope]) async -> [Outcome]
  /// Asks a partner that was away whether it answers again, without a message at stake.
  /// - Returns: nil where only a message can tell.
  func answers(_ partner: Partner) async -> Bool?
}

extension Stage {
  /// Only a message can tell, unless the stage knows better.
  public func answers(_ partner: Partner) async -> Bool? { nil }
}
