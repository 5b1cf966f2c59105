/// The publishing half of a channel in confirm mode: what waits to be sent, what waits for its confirm, and whose
/// message a return was. Belongs to the connection's thread.
struct Publisher {
  /// Most unconfirmed messages: the knee of RabbitMQ's throughput curve.
  static let window = 256
  /// How far sending may run ahead of the oldest unconfirmed message. It bounds the memory when the broker confirms
  /// everything but one.
  static let span = 16_384

  private struct Entry {
    let batch: PublishBatch
    let index: Int
    var returned: AMQPPublishResult?
    var isSettled = false
    var message: AMQPMessage { batch.messages[index] }
  }

  private var waiting = Fifo<PublishBatch>()
  /// Sent and not yet confirmed, by publish tag from `base` on; settled ones stay until they are the first.
  private var sent = Fifo<Entry>()
  private var base: UInt64 = 1
  private(set) var unconfirmed = 0
  /// Messages that wait to be sent.
  private(set) var unsent = 0
  /// Not yet finished, and perhaps some that are.
  private var live: [PublishBatch] = []
  /// Finished batches keep their messages' bodies until they are dropped here, so few of them may gather.
  private var liveLimit = 4
  /// No later than the earliest deadline of a live batch.
  private(set) var nextDeadline: ContinuousClock.Instant?

  var wantsToSend: Bool { !waiting.isEmpty && unconfirmed < Self.window && sent.count < Self.span }

  mutating func add(_ request: PublishRequest) {
    let batch = PublishBatch(request)
    if batch.isFinished { return }
    waiting.append(batch)
    unsent += batch.unsent
    live.append(batch)
    nextDeadline = nextDeadline.map { min($0, batch.deadline) } ?? batch.deadline
    if live.count > liveLimit {
      live.removeAll { $0.isFinished }
      liveLimit = max(4, live.count * 2)
    }
  }

  /// The next message to send, if the window has room. Follow with ``markSent()``.
  mutating func nextMessage() -> AMQPMessage? {
    while let batch = waiting.first, batch.isSent { _ = waiting.popFirst() }
    guard wantsToSend, let batch = waiting.first else { return nil }
    return batch.messages[batch.next]
  }

  /// The message of ``nextMessage()`` goes out now and has the channel's next publish tag.
  mutating func markSent() {
    guard let batch = waiting.first else { return }
    let before = batch.unsent
    sent.append(Entry(batch: batch, index: batch.advance()))
    unconfirmed += 1
    unsent -= before - batch.unsent
    if batch.isSent { _ = waiting.popFirst() }
  }

  /// A confirm (or a refusal) for one tag, or for all up to it.
  /// - Returns: false when the broker named a tag that was never used.
  mutating func settle(tag: UInt64, multiple: Bool, refused: Bool) -> Bool {
    let end = base + UInt64(sent.count)
    guard tag < end else { return false }
    // With multiple, 0 means all so far.
    let last = multiple && tag == 0 ? end - 1 : tag
    guard last >= base else { return true }
    if multiple || last == base {
      while base <= last, let entry = sent.popFirst() {
        base += 1
        if !entry.isSettled { settle(entry, refused: refused) }
      }
    } else if !sent[Int(last - base)].isSettled {
      sent[Int(last - base)].isSettled = true
      settle(sent[Int(last - base)], refused: refused)
    }
    while let entry = sent.first, entry.isSettled {
      _ = sent.popFirst()
      base += 1
    }
    return true
  }

  /// A message came back because no queue took it. Its confirm will follow.
  ///
  /// A return carries no tag. Returns come in publish order and before their confirms, so it belongs to the first
  /// unconfirmed message that is the same in every respect; where two are the same in every respect it does not
  /// matter which is which.
  /// - Returns: false when no unconfirmed message is like it.
  mutating func returned(code: Int, text: String, _ message: AMQPMessage) -> Bool {
    let place =
      place { $0.properties == message.properties && $0.body == message.body }
      ?? place { $0.properties.messageID == message.properties.messageID && $0.body == message.body }
    guard let place else { return false }
    sent[place].returned = .returned(code: code, text: text)
    return true

    func place(where isSame: (AMQPMessage) -> Bool) -> Int? {
      (0..<sent.count).first { offset in
        let entry = sent[offset]
        guard !entry.isSettled, entry.returned == nil, entry.message.mandatory else { return false }
        return entry.message.exchange == message.exchange && entry.message.routingKey == message.routingKey
          && isSame(entry.message)
      }
    }
  }

  /// Answers every batch whose time is up.
  mutating func expire(_ now: ContinuousClock.Instant, blocked: Bool) {
    guard let due = nextDeadline, due <= now else { return }
    let held = blocked ? "the broker held the connection back until the time was up" : "the time was up"
    for batch in live where batch.deadline <= now {
      batch.settleRest(unknown: "no confirm before the time was up", notSent: held)
    }
    live.removeAll { $0.isFinished }
    nextDeadline = live.map(\.deadline).min()
    unsent = (0..<waiting.count).reduce(0) { $0 + waiting[$1].unsent }
  }

  /// Answers what was not sent; what was sent keeps waiting for its confirm.
  mutating func withdraw(_ reason: String) {
    while let batch = waiting.popFirst() { batch.withdraw(reason) }
    unsent = 0
  }

  /// Answers everything: the connection is over.
  mutating func fail(_ reason: String) {
    for batch in live { batch.settleRest(unknown: reason, notSent: reason) }
    live.removeAll()
    waiting = Fifo()
    sent = Fifo()
    unconfirmed = 0
    unsent = 0
    nextDeadline = nil
  }

  private mutating func settle(_ entry: Entry, refused: Bool) {
    unconfirmed -= 1
    entry.batch.settle(entry.index, refused ? .refused : entry.returned ?? .confirmed)
  }
}
