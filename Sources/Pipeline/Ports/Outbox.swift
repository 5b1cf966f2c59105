/// Where a message goes.
public enum Destination: Sendable, Hashable {
  /// A queue of the flow.
  case queue(QueueName)
  /// A delay queue of a stage: the one with the longest delay not above so many seconds, else the shortest.
  case retry(StageName, afterSeconds: Int)
  /// The dead queue of a stage.
  case dead(StageName)
}

/// A message to be published.
public struct Parcel: Sendable {
  /// What is published.
  public enum Content: Sendable {
    /// A message of the flow.
    case envelope(Envelope)
    /// A message that could not be read, as it came.
    case unreadable([UInt8])
  }

  /// Where it goes.
  public let destination: Destination
  /// What is published.
  public let content: Content
  /// With a dead letter: why it is parked.
  public let burial: Outcome.Burial?
  /// With a message that could not be read: the properties that it came with, JSON; empty where nobody knows them.
  public var properties = ""
  /// Whether its body stays behind, since the broker takes none of its size: its size and digest go in its place.
  public var leavesOutBody = false
  /// Whether the headers that may be long stay behind, since all together do not fit into a frame: notes, the streams beside,
  /// K/3's answer, the properties of a message that could not be read. Others are cut.
  public var leavesOutHeaders = false
  /// How often the message that it comes from was lent and came back without an answer. It goes as a message of its own
  /// that tells so; 0: nobody need know.
  public var returns = 0
  /// In a delay queue: it may come back a little early, so that a crowd does not come back in one moment.
  public let isSpread: Bool

  /// A parcel.
  public init(
    to destination: Destination, _ content: Content, burial: Outcome.Burial? = nil, isSpread: Bool = false
  ) {
    self.destination = destination
    self.content = content
    self.burial = burial
    self.isSpread = isSpread
  }
}

/// What the broker said to one parcel.
public enum PublishResult: Sendable, Equatable {
  /// It is safe: persistent, routed, confirmed.
  case confirmed
  /// It may or may not have arrived; publishing it again can duplicate it and loses nothing.
  case unknown(String)
  /// It was refused or not sent.
  case refused(String)
  /// It cannot be published, however often it is tried: it is larger than the broker takes, or, of a dead letter, has no
  /// body.
  case tooLarge(String)
  /// What goes beside its body is more than one frame of the connection holds, and will be so however often it is published.
  case headersTooLarge(String)
}

extension Parcel {
  /// What is parked in its place when the broker takes no message of its size, or with such headers.
  /// - Parameter code: `.messageTooLarge` or `.headersTooLarge`.
  public func buried(for code: ReasonCode, at stage: StageName, _ why: String) -> Parcel {
    var parcel = Parcel(to: .dead(stage), content, burial: burial ?? Outcome.Burial(Reason(code, why)))
    parcel.properties = properties
    parcel.leavesOutBody = leavesOutBody || code == .messageTooLarge
    parcel.leavesOutHeaders = leavesOutHeaders || code == .headersTooLarge
    return parcel
  }

  /// The same of one of its size.
  public func buriedWithoutBody(at stage: StageName, _ why: String) -> Parcel {
    buried(for: .messageTooLarge, at: stage, why)
  }
}

/// The write side of all queues.
public protocol Outbox: Sendable {
  /// Publishes a batch, persistent and mandatory, and waits for all its confirms.
  /// - Returns: one result per parcel, in order. Never hangs: a broker that does not answer gives `.unknown`.
  func publish(_ parcels: [Parcel]) async -> [PublishResult]
  /// Closes the connection.
  func close() async
  /// Whether it is connected and may publish.
  var isReady: Bool { get }
}
