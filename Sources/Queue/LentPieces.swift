import Pipeline

/// Which pieces of lent bundles still wait for their acknowledgement, and those that were not handed out yet. A bundle is
/// acknowledged when its last piece is.
struct LentPieces {
  private var session: UInt64 = 0
  /// A bit for each piece that is not acknowledged, by the bundle's tag.
  private var open: [UInt64: UInt64] = [:]
  private var waiting: [Delivery] = []
  private var head = 0

  /// Pieces of one bundle; at most 64.
  mutating func lend(_ pieces: [Delivery]) {
    guard let first = pieces.first?.receipt else { return }
    enter(first.session)
    open[first.tag] = pieces.count >= 64 ? .max : (1 << UInt64(pieces.count)) - 1
    waiting += pieces
  }

  /// Messages that stand between bundles, so that the order is kept.
  mutating func add(_ delivery: Delivery) {
    enter(delivery.receipt.session)
    waiting.append(delivery)
  }

  /// Hands out what waits of a connection, the first first. What an earlier connection lent comes again.
  mutating func take(_ max: Int, of session: UInt64) -> [Delivery] {
    guard session == self.session, head < waiting.count else { return [] }
    let taken = Array(waiting[head..<min(head + max, waiting.count)])
    head += taken.count
    if head == waiting.count {
      waiting.removeAll(keepingCapacity: waiting.capacity <= 1_024)
      head = 0
    }
    return taken
  }

  /// The tags whose messages are done with these receipts of the connection. A piece counts once.
  mutating func settle(_ receipts: [Delivery.Receipt], of session: UInt64) -> [UInt64] {
    var done: [UInt64] = []
    done.reserveCapacity(receipts.count)
    for receipt in receipts where receipt.session == session {
      guard let place = receipt.piece else {
        done.append(receipt.tag)
        continue
      }
      guard session == self.session, let left = open[receipt.tag] else { continue }
      let now = left & ~(1 << UInt64(place))
      open[receipt.tag] = now == 0 ? nil : now
      if now == 0 { done.append(receipt.tag) }
    }
    return done
  }

  private mutating func enter(_ session: UInt64) {
    if session == self.session { return }
    self = LentPieces()
    self.session = session
  }
}
