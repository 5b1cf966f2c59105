/// Which deliveries of the channel still wait for their acknowledgement, and how to say it to the broker with the
/// fewest words: one ack with `multiple` for the finished head, single acks for what finished out of order.
struct AckLedger {
  private enum Mark: UInt8 {
    case outstanding, acknowledged, settled
  }

  /// The tag of the first mark; the channel's tags count up from 1.
  private var base: UInt64 = 1
  private var marks = Fifo<Mark>()
  /// Acknowledged since the last flush, in the order of the calls.
  private var fresh: [UInt64] = []
  private(set) var outstanding = 0

  var hasWork: Bool { !fresh.isEmpty }

  /// A delivery arrived.
  mutating func delivered(_ tag: UInt64) {
    guard tag >= base + UInt64(marks.count) else { return }
    while base + UInt64(marks.count) < tag { marks.append(.settled) }
    marks.append(.outstanding)
    outstanding += 1
  }

  /// A tag that is not outstanding (unknown, or used before) is ignored.
  mutating func acknowledge(_ tag: UInt64) {
    guard take(tag, as: .acknowledged) else { return }
    fresh.append(tag)
  }

  /// Whether the tag was outstanding, and so is to be rejected at the broker now.
  mutating func reject(_ tag: UInt64) -> Bool {
    take(tag, as: .settled)
  }

  /// Hands every acknowledgement since the last flush to `send`.
  mutating func flush(_ send: (_ tag: UInt64, _ multiple: Bool) throws(AMQPFailure) -> Void) throws(AMQPFailure) {
    var head: (last: UInt64, count: Int) = (0, 0)
    while let mark = marks.first, mark != .outstanding {
      if mark == .acknowledged { head = (base, head.count + 1) }
      _ = marks.popFirst()
      base += 1
    }
    if head.count > 0 { try send(head.last, head.count > 1) }
    for tag in fresh where tag >= base {
      marks[Int(tag - base)] = .settled
      try send(tag, false)
    }
    fresh.removeAll(keepingCapacity: true)
  }

  private mutating func take(_ tag: UInt64, as mark: Mark) -> Bool {
    guard tag >= base, tag - base < UInt64(marks.count) else { return false }
    let offset = Int(tag - base)
    guard marks[offset] == .outstanding else { return false }
    marks[offset] = mark
    outstanding -= 1
    return true
  }
}
