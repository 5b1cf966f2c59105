public import Orders

/// A message that a stage, or the broker itself, has parked.
public struct DeadLetter: Sendable, Equatable {
  /// The stage whose dead queue it lay in; a replay goes to that stage's queue.
  public var stage: StageName
  /// Why: a `ReasonCode`'s text, or RabbitMQ's own word where it moved the message itself (`rejected`,
  /// `delivery_limit`).
  public var reason: String
  /// One sentence.
  public var sentence: String
  /// The order, where the message tells it.
  public var orderID: OrderID?
  /// The order's number, for people.
  public var orderNumber: String?
  /// The order's revision.
  public var revision: Int64?
  /// Attempts of its stage, from 1.
  public var attempts: Int?
  /// When the first stage saw it: milliseconds since 1970 UTC.
  public var firstSeen: Int64?
  /// When it was parked: milliseconds since 1970 UTC.
  public var parkedAt: Int64
  /// The vendor's answer, shortened, secrets masked; empty when none was involved.
  public var vendorAnswer = ""
  /// The message's properties with its headers, as a JSON object: all that publishing it again takes, and the broker's own
  /// account of it.
  public var properties: String
  /// The body as it came.
  public var body: [UInt8]
  /// What is the same, together with stage and body, whenever the same message is parked for the same reason in the same words;
  /// empty where nobody can tell. Not kept in the archive.
  public var identity = ""

  /// A letter of which nothing else is known.
  public init(
    stage: StageName, reason: String, sentence: String, parkedAt: Int64, properties: String, body: [UInt8]
  ) {
    self.stage = stage
    self.reason = reason
    self.sentence = sentence
    self.parkedAt = parkedAt
    self.properties = properties
    self.body = body
  }
}

/// A letter in the archive.
public struct FiledLetter: Sendable, Equatable {
  /// What became of a letter.
  public enum State: String, Sendable, CaseIterable {
    /// Nobody has dealt with it.
    case waiting
    /// It was published to its stage again, or its order is read anew.
    case replayed
    /// Somebody has decided that nothing happens to it.
    case discarded
  }

  /// Its number in the archive, from 1, growing.
  public let id: Int64
  /// What became of it.
  public let state: State
  /// Who dealt with it last; nil while it waits.
  public let by: String?
  /// The letter; the body is empty where it was not asked for.
  public let letter: DeadLetter
  /// How often its message was parked while it waited, from 1.
  public var times = 1
  /// When it was parked last: milliseconds since 1970 UTC.
  public var lastParkedAt: Int64

  /// A filed letter.
  public init(id: Int64, state: State, by: String?, letter: DeadLetter) {
    self.id = id
    self.state = state
    self.by = by
    self.letter = letter
    lastParkedAt = letter.parkedAt
  }
}

/// Something that a person did to a letter.
public struct LetterAct: Sendable, Equatable {
  /// What the letter became by it.
  public let state: FiledLetter.State
  /// Who.
  public let by: String
  /// When, milliseconds since 1970 UTC by the archive's clock.
  public let at: Int64
  /// The order was to be read anew from OKKI; the message itself was not published again.
  public let isRefetch: Bool

  /// An act.
  public init(_ state: FiledLetter.State, by: String, at: Int64, isRefetch: Bool = false) {
    self.state = state
    self.by = by
    self.at = at
    self.isRefetch = isRefetch
  }
}

/// Which letters are meant: those that all its parts fit. Nothing given means all.
public struct LetterFilter: Sendable, Equatable {
  /// Numbers in the archive.
  public var ids: [Int64]?
  /// The reason's whole text.
  public var reason: String?
  /// OKKI's order id, or the order's number.
  public var order: String?
  /// The stage.
  public var stage: StageName?
  /// What became of them.
  public var state: FiledLetter.State?
  /// Where bodies are read: bytes of all of them at most, unless a single one is larger. What comes after it comes with the
  /// next question.
  public var mostBodyBytes = 32 << 20

  /// All letters.
  public init() {}
}

/// Letters of one stage and reason that nobody has dealt with.
public struct WaitingLetters: Sendable, Equatable {
  /// The stage.
  public let stage: StageName
  /// The reason's text.
  public let reason: String
  /// How many, at least 1.
  public let count: Int
  /// When the oldest was parked first: milliseconds since 1970 UTC.
  public let oldest: Int64

  /// Waiting letters.
  public init(stage: StageName, reason: String, count: Int, oldest: Int64) {
    self.stage = stage
    self.reason = reason
    self.count = count
    self.oldest = oldest
  }
}

/// What came of filing letters.
public struct Filing: Sendable, Equatable {
  /// How many are new.
  public var new = 0
  /// Letters that the archive cannot take, by their places among those given, with why: it lies with the letter, so that
  /// trying again does not help. Nothing of what is in them is in the words.
  public var refused: [Int: String] = [:]

  /// Nothing was filed.
  public init() {}
}

/// The archive of parked messages. One message is one letter, however often it is filed; and what a stage parks again in the
/// same words, while the first letter of it waits, is that letter once more.
public protocol DeadLetters: Sendable {
  /// Files letters; what is there already stays as it is, and one that cannot be filed holds up no other. Durable when it
  /// returns.
  func file(_ letters: [DeadLetter]) async throws(LedgerFailure) -> Filing
  /// Letters with growing numbers above `after`, at most `limit`, and with bodies no more than `LetterFilter.mostBodyBytes`
  /// lets; none only when there are none.
  /// - Parameter withBodies: whether their bodies are read.
  func letters(
    _ filter: LetterFilter, after: Int64, limit: Int, withBodies: Bool
  ) async throws(LedgerFailure) -> [FiledLetter]
  /// Letters that wait, counted by stage and reason, in the order of both texts. Cheap enough to be asked four times a minute.
  func waiting() async throws(LedgerFailure) -> [WaitingLetters]
  /// What was done to a letter, first things first.
  func acts(on id: Int64) async throws(LedgerFailure) -> [LetterAct]
  /// Records an act. Only what waits can be discarded; whatever was published again is marked so.
  /// - Parameter times: of each letter `FiledLetter.times` as it was read; one that was parked once more since then is left
  ///   alone. Nil: whatever they are.
  /// - Returns: the letters that have become it.
  func mark(
    _ ids: [Int64], _ state: FiledLetter.State, by: String, read times: [Int]?
  ) async throws(LedgerFailure) -> [Int64]
  /// Marks letters as replayed and asks the poller to read their orders anew (`PollLedger.refetches`): both or neither.
  /// - Returns: the letters that have become it. One that names no order stays as it is.
  func refetch(_ ids: [Int64], by: String) async throws(LedgerFailure) -> [Int64]
}

extension DeadLetters {
  /// Records an act, however often the letters were parked since they were read.
  public func mark(_ ids: [Int64], _ state: FiledLetter.State, by: String) async throws(LedgerFailure) -> [Int64] {
    try await mark(ids, state, by: by, read: nil)
  }
}

/// The broker's dead queues, and the way back out of them.
public protocol DeadQueues: Sendable {
  /// Takes messages that lie in a stage's dead queue.
  /// - Returns: one to `max`, with bodies of at most 32 MiB together or a single larger one; none only when the broker says
  ///   that the queue is empty, however long it takes to say so.
  func take(_ stage: StageName, max: Int) async throws(BrokerFailure) -> [TakenLetter]
  /// Removes taken messages from the dead queue: they are safe elsewhere. What is taken and not removed stays there, and is
  /// not taken again before `close`.
  func acknowledge(_ taken: [TakenLetter])
  /// Publishes letters to their stages anew, each on its first attempt: persistent, mandatory, confirmed.
  /// - Returns: one result per letter, in order; `tooLarge`, with the remedy, for one that has no body to be published.
  func publishAgain(_ letters: [DeadLetter]) async -> [PublishResult]
  /// Sends what is acknowledged, and gives back what is not.
  func close() async
}

/// A message that the broker has lent from a dead queue.
public struct TakenLetter: Sendable {
  /// The message.
  public let letter: DeadLetter
  /// The broker's delivery tag.
  public let tag: UInt64
  /// Where it lies.
  public let place: LetterPlace
  /// Why it has to stay there: it is too large to be taken in, and the letter has no body. Nil with all others.
  public let excess: String?

  /// A taken letter.
  public init(_ letter: DeadLetter, tag: UInt64, place: LetterPlace, excess: String? = nil) {
    self.letter = letter
    self.tag = tag
    self.place = place
    self.excess = excess
  }
}

/// Where a message lies in a dead queue, so that a person finds it there.
public struct LetterPlace: Sendable, Equatable {
  /// The queue's name on the broker.
  public let queue: String
  /// Its place among the messages that the queue gave, from 1.
  public let position: Int
  /// Its message id, fit to be shown; nil where it has none.
  public let messageID: String?

  /// A place.
  public init(queue: String, position: Int, messageID: String?) {
    self.queue = queue
    self.position = position
    self.messageID = messageID
  }
}

/// A letter that stays in its dead queue.
public struct LeftLetter: Sendable, Equatable {
  /// Where it lies.
  public let place: LetterPlace
  /// Why. Nothing of its body.
  public let why: String

  /// A letter that stays.
  public init(_ place: LetterPlace, why: String) {
    self.place = place
    self.why = why
  }
}

/// The broker cannot be worked with.
public struct BrokerFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// Why, in one sentence.
  public let description: String

  /// A failure.
  public init(_ description: String) { self.description = description }
}
