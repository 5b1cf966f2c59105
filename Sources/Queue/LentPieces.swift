import Pipeline

/// Which pieces of lent bundles still wait for their acknowledgement, those that were not handed out yet, and what was settled
/// of bundles whose acknowledgement may not have reached the broker. A bundle is acknowledged when its last piece is.
///
/// A connection that is lost takes acknowledgements with it, and each bundle that was not wholly settled comes again. What was
/// settled of it (its successor is confirmed) is known by the bundle's name as long as the process lives, and is not handed out
/// a second time.
struct LentPieces {
  private struct Bundle {
    /// A bit for each piece that is not settled.
    var open: UInt64
    let name: String?
  }

  /// A bundle as a connection lent it.
  private struct Lent: Hashable {
    let session: UInt64
    let tag: UInt64
  }

  /// What is known of a bundle that may come again, or has come again.
  private struct Known {
    var settled: UInt64
    /// How earlier connections lent it, the last ones: pieces of it may still be worked on.
    var lent: [Lent]
    /// Its tag on the connection that there is.
    var tag: UInt64?
  }

  /// Bundles that are remembered.
  private let most: Int
  private var session: UInt64 = 0
  private var open: [UInt64: Bundle] = [:]
  private var waiting: [Delivery] = []
  private var head = 0
  /// The bundle whose pieces were handed out last.
  private var begun: UInt64?
  /// Whether a piece that waits may have been settled in the meantime.
  private var isThinned = false

  private var known: [String: Known] = [:]
  /// Names of those that are known; from `oldest` on, round and round, the oldest first.
  private var names: [String] = []
  private var oldest = 0
  private var earlier: [Lent: String] = [:]

  /// - Parameter remembering: most bundles whose settled pieces are remembered; the oldest are forgotten first, and come again
  ///   whole then. Twice as many as are lent at a time suffice.
  init(remembering: Int = 128) { most = max(remembering, 1) }

  /// Pieces of one bundle; at most 64.
  /// - Parameters:
  ///   - name: what tells the bundle from all others; nil where it has none.
  ///   - isAgain: whether the broker has lent it before.
  /// - Returns: false when all of it is settled, so that the message is done with.
  mutating func lend(_ pieces: [Delivery], name: String? = nil, isAgain: Bool = false) -> Bool {
    guard let first = pieces.first?.receipt else { return false }
    enter(first.session)
    var left: UInt64 = pieces.count >= 64 ? .max : (1 << UInt64(pieces.count)) - 1
    if isAgain, let name, let before = known[name] {
      left &= ~before.settled
      if left == 0 { return false }
      known[name]?.tag = first.tag
    }
    open[first.tag] = Bundle(open: left, name: name)
    waiting += pieces.filter { left & (1 << UInt64($0.receipt.piece ?? 0)) != 0 }
    return true
  }

  /// Messages that stand between bundles, so that the order is kept.
  mutating func add(_ delivery: Delivery) {
    enter(delivery.receipt.session)
    waiting.append(delivery)
  }

  /// Hands out what waits of a connection, the first first. What an earlier connection lent comes again.
  /// - Parameter onlyBegun: only the rest of a bundle of which something was handed out.
  mutating func take(_ max: Int, of session: UInt64, onlyBegun: Bool = false) -> [Delivery] {
    guard session == self.session, head < waiting.count else { return [] }
    if isThinned {
      waiting = waiting[head...].filter { !isSettled($0.receipt) }
      (head, isThinned) = (0, false)
    }
    var end = min(head + max, waiting.count)
    if onlyBegun {
      let begun = begun
      let rest = waiting[head...].prefix { $0.receipt.piece != nil && $0.receipt.tag == begun }
      end = min(end, rest.endIndex)
    }
    let taken = Array(waiting[head..<end])
    head = end
    if let last = taken.last?.receipt { begun = last.piece == nil ? nil : last.tag }
    if head == waiting.count {
      waiting.removeAll(keepingCapacity: waiting.capacity <= 1_024)
      head = 0
    }
    return taken
  }

  private func isSettled(_ receipt: Delivery.Receipt) -> Bool {
    guard let piece = receipt.piece else { return false }
    return (open[receipt.tag]?.open ?? 0) & (1 << UInt64(piece)) == 0
  }

  /// Notes what is settled. A piece counts once, and also where a lost connection has lent it.
  /// - Parameter live: the connection that there is; nil for none.
  /// - Returns: tags of that connection, whose messages are done with.
  mutating func settle(_ receipts: [Delivery.Receipt], over live: UInt64?) -> [UInt64] {
    var done: [UInt64] = []
    done.reserveCapacity(receipts.count)
    for receipt in receipts {
      guard let piece = receipt.piece else {
        if receipt.session == live { done.append(receipt.tag) }
        continue
      }
      let bit: UInt64 = 1 << UInt64(piece)
      var tag: UInt64? = receipt.session == session ? receipt.tag : nil
      if tag == nil, let name = earlier[Lent(session: receipt.session, tag: receipt.tag)] {
        known[name]?.settled |= bit
        tag = known[name]?.tag
        isThinned = true
      }
      guard let tag, let bundle = open[tag], bundle.open & bit != 0 else { continue }
      let left = bundle.open & ~bit
      if left != 0 {
        open[tag]?.open = left
        continue
      }
      open[tag] = nil
      // The acknowledgement may be lost on its way.
      if let name = bundle.name { remember(name, settled: .max, Lent(session: session, tag: tag)) }
      if session == live { done.append(tag) }
    }
    return done
  }

  private mutating func enter(_ session: UInt64) {
    if session == self.session { return }
    for name in known.keys { known[name]?.tag = nil }
    for (tag, bundle) in open {
      if let name = bundle.name { remember(name, settled: ~bundle.open, Lent(session: self.session, tag: tag)) }
    }
    open = [:]
    waiting = []
    (head, begun, isThinned) = (0, nil, false)
    self.session = session
  }

  private mutating func remember(_ name: String, settled: UInt64, _ lent: Lent) {
    if known[name] == nil {
      if names.count < most {
        names.append(name)
      } else {
        if let forgotten = known.removeValue(forKey: names[oldest]) {
          for lent in forgotten.lent { earlier[lent] = nil }
        }
        names[oldest] = name
        oldest = (oldest + 1) % most
      }
      known[name] = Known(settled: 0, lent: [])
    }
    known[name]?.settled |= settled
    known[name]?.tag = nil
    earlier[lent] = name
    known[name]?.lent.append(lent)
    if let lents = known[name]?.lent, lents.count > 2, let first = known[name]?.lent.removeFirst() {
      earlier[first] = nil
    }
  }
}
