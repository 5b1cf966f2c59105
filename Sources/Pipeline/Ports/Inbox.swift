/// A message that the broker has lent to this worker.
public struct Delivery: Sendable {
  /// Identifies the delivery to its inbox; worthless to any other.
  public struct Receipt: Sendable, Hashable {
    /// The inbox's connection, counted from 1; a receipt of an earlier connection is ignored.
    public let session: UInt64
    /// The broker's delivery tag.
    public let tag: UInt64
    /// Which of several envelopes that came in one message, 0...63; nil where it came alone.
    public let piece: UInt8?

    /// A receipt.
    public init(session: UInt64, tag: UInt64, piece: UInt8? = nil) {
      self.session = session
      self.tag = tag
      self.piece = piece
    }
  }

  /// Its receipt.
  public let receipt: Receipt
  /// The message, or why it cannot be read.
  public let envelope: Result<Envelope, Reason>
  /// The body as it came, for burying what cannot be read.
  public let body: [UInt8]
  /// How often it was lent before and came back without an answer: its workers died, or lost their connections.
  public var returns = 0
  /// Where it cannot be read: its properties with its headers as JSON, for burying them too; else empty.
  public var properties = ""

  /// As many returns may be the fault of a neighbour, of a restart or of the network. What comes back more often may be what
  /// ends its workers: it is worked alone, so that nobody else nears the broker's delivery limit with it.
  public static let mostReturns = 3

  /// What comes back more often is parked. It is the broker's limit, which counts only while the message stays in the queue:
  /// one that goes through a delay queue in between, as a bill whose loader died over it does while its lease lasts, takes
  /// its count along.
  public static let deliveryLimit = 20

  /// Whether it may be what ends its workers.
  public var isSuspect: Bool { returns > Self.mostReturns }

  /// The same of a bundle that it is a part of.
  var isOfSuspectBundle: Bool {
    guard isSuspect, receipt.piece != nil, case .success = envelope else { return false }
    return true
  }

  /// A delivery.
  public init(receipt: Receipt, envelope: Result<Envelope, Reason>, body: [UInt8]) {
    self.receipt = receipt
    self.envelope = envelope
    self.body = body
  }
}

/// One stage's queue, read side.
///
/// An inbox reconnects by itself; what it lent over a lost connection comes again, and its old receipts are ignored: but for
/// envelopes that came together in one message, of which it may remember what was settled.
/// Nothing is settled but by `acknowledge`.
public protocol Inbox: Sendable {
  /// Waits for messages and takes those that are there. A suspect message comes alone, when all others that were lent are
  /// acknowledged; the envelopes of a suspect bundle come as any, to be published each by itself.
  /// - Parameter max: at most so many, at least 1.
  /// - Returns: at least one delivery; an empty list once `stop()` was called or the task was cancelled. After a stop the rest
  ///   of a message of which some envelopes were given still comes, since it would come again whole.
  func next(max: Int) async -> [Delivery]
  /// Settles deliveries whose successors are confirmed, also of a connection that was lost meanwhile. Never blocks.
  func acknowledge(_ receipts: [Delivery.Receipt])
  /// Takes no more messages: `next` returns what is left of one that was begun, then empty. What was lent and not acknowledged goes back on `close()`.
  func stop() async
  /// Sends the acknowledgements that are due and gives everything else back.
  func close() async
  /// Whether `stop()` was called.
  var isStopped: Bool { get }
  /// Whether it is connected and consuming.
  var isReady: Bool { get }
}
