public import Pipeline

/// The exchange, queues, bindings and policies that the flow needs, as data.
///
/// One direct exchange carries everything: each queue is bound to it under its own short name. Queues are declared with
/// nothing but their type; all that may have to change is in policies, since a queue's arguments never can.
public struct Topology: Sendable, Equatable {
  /// A value in a policy.
  public enum PolicyValue: Sendable, Hashable {
    /// A whole number.
    case int(Int)
    /// A text.
    case text(String)
  }

  /// A queue with its policy.
  public struct Queue: Sendable, Equatable {
    /// What a queue is for.
    public enum Role: Sendable, Hashable {
      /// Carries the flow to a stage.
      case work(StageName)
      /// Holds messages back for so many seconds, then gives them to the stage's queue.
      case retry(StageName, seconds: Int)
      /// Keeps what a stage has parked.
      case dead(StageName)
    }

    /// Its name on the broker.
    public let name: String
    /// What it is for.
    public let role: Role
    /// Under what it is bound to the exchange: its name without the prefix.
    public let routingKey: String
    /// What its policy says, without what depends on the broker's version.
    public let policy: [String: PolicyValue]
  }

  /// Bounds of the queues.
  public struct Limits: Sendable, Equatable {
    /// Deliveries of one message before the broker itself parks it, 2...1000. Crashes of a worker count for all
    /// messages that it held.
    public var deliveries = 20
    /// Bytes in a work queue before the broker refuses more, at least 1 MiB.
    public var workBytes = 4 << 30
    /// Bytes in a delay queue before the broker refuses more, at least 1 MiB.
    public var retryBytes = 1 << 30

    /// The bounds above.
    public init() {}
  }

  /// What all names begin with.
  public let prefix: String
  /// The exchange's name.
  public let exchange: String
  /// Seconds of the delay queues, growing; each stage has one queue for each.
  public let ladder: [Int]
  /// All queues.
  public let queues: [Queue]

  /// A topology.
  /// - Parameters:
  ///   - prefix: at most 60 of `A-Z a-z 0-9 . _ -`; tells installations on one virtual host apart.
  ///   - ladder: 1...16 different delays of 1...604,800 s.
  public init(
    prefix: String = "", ladder: [Int] = [10, 60, 600, 3_600], limits: Limits = Limits()
  ) throws(QueueFailure) {
    guard prefix.utf8.count <= 60, prefix.utf8.allSatisfy(Self.isNameByte) else {
      throw QueueFailure("the queue prefix must be at most 60 of A-Z a-z 0-9 . _ -")
    }
    let rungs = Set(ladder).sorted()
    guard (1...16).contains(rungs.count), rungs.count == ladder.count, rungs.allSatisfy((1...604_800).contains) else {
      throw QueueFailure("the retry delays must be 1 to 16 different numbers of seconds from 1 to 604800")
    }
    guard (2...1_000).contains(limits.deliveries), limits.workBytes >= 1 << 20, limits.retryBytes >= 1 << 20 else {
      throw QueueFailure("the queues' limits are out of range")
    }
    self.prefix = prefix
    self.ladder = rungs
    let exchange = prefix + "ferry"
    self.exchange = exchange
    queues = StageName.allCases.flatMap { stage in
      Self.queues(of: stage, prefix: prefix, exchange: exchange, ladder: rungs, limits: limits)
    }
  }

  private static func queues(
    of stage: StageName, prefix: String, exchange: String, ladder: [Int], limits: Limits
  ) -> [Queue] {
    let work = stage.queue.rawValue
    // At-least-once: the broker keeps a message until the queue that it moves to has it. Needs reject-publish.
    func moving(to key: String, bytes: Int) -> [String: PolicyValue] {
      [
        "dead-letter-exchange": .text(exchange), "dead-letter-routing-key": .text(key),
        "dead-letter-strategy": .text("at-least-once"), "overflow": .text("reject-publish"),
        "max-length-bytes": .int(bytes),
      ]
    }
    func queue(_ key: String, _ role: Queue.Role, _ policy: [String: PolicyValue]) -> Queue {
      Queue(name: prefix + key, role: role, routingKey: key, policy: policy)
    }
    let limited = moving(to: "\(work).dead", bytes: limits.workBytes)
      .merging(["delivery-limit": .int(limits.deliveries)]) { _, new in new }
    let rungs = ladder.map { seconds in
      queue(
        "\(work).retry.\(seconds)s", .retry(stage, seconds: seconds),
        moving(to: work, bytes: limits.retryBytes).merging(["message-ttl": .int(seconds * 1_000)]) { _, new in new })
    }
    // Says nothing by itself. It keeps policies away that a site may have for all its queues, whose limits would
    // drop what is parked.
    let dead = queue("\(work).dead", .dead(stage), ["overflow": .text("reject-publish")])
    return [queue(work, .work(stage), limited)] + rungs + [dead]
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  /// The name of a flow's queue on the broker.
  public func name(of queue: QueueName) -> String { prefix + queue.rawValue }

  /// The name of a stage's dead queue on the broker.
  public func deadQueue(of stage: StageName) -> String { prefix + stage.queue.rawValue + ".dead" }

  /// The routing key that leads to a destination.
  public func routingKey(to destination: Destination) -> String {
    switch destination {
    case .queue(let queue): queue.rawValue
    case .dead(let stage): "\(stage.queue.rawValue).dead"
    case .retry(let stage, let seconds): "\(stage.queue.rawValue).retry.\(rung(for: seconds))s"
    }
  }

  /// The longest delay not above this, else the shortest: a message that comes back too early is told to wait again, one
  /// that comes back too late has waited for nothing.
  public func rung(for seconds: Int) -> Int {
    ladder.last { $0 <= seconds } ?? ladder[0]
  }

  /// Whether a binding is a delay queue of ours from an earlier ladder. It stays as it is: what waits in it comes back to
  /// its stage, and nothing new gets there.
  func isRetiredRung(_ queue: String, _ key: String) -> Bool {
    guard queue == prefix + key else { return false }
    return StageName.allCases.contains { stage in
      let start = "\(stage.queue.rawValue).retry."
      guard key.hasPrefix(start), key.hasSuffix("s") else { return false }
      let digits = key.dropFirst(start.count).dropLast()
      return !digits.isEmpty && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
  }

  /// A queue's policy on a broker of this major version.
  func policy(of queue: Queue, brokerMajor: Int) -> [String: PolicyValue] {
    // From 4.0 on quorum queues have a delivery limit of 20 unless told otherwise, and drop what exceeds it.
    guard brokerMajor >= 4, case .dead = queue.role else { return queue.policy }
    return queue.policy.merging(["delivery-limit": .int(-1)]) { _, new in new }
  }

  /// A regular expression that matches this queue's name only.
  static func pattern(for name: String) -> String {
    var pattern = "^"
    for character in name {
      if !character.isLetter, !character.isNumber, character != "_", character != "-" { pattern.append("\\") }
      pattern.append(character)
    }
    return pattern + "$"
  }
}
