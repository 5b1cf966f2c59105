import Pipeline

/// What one history is made of; all of it comes from the seed.
struct Plan {
  var orders = 0
  var pollers = 1
  var transformers = 1
  var loaders = 1
  /// Until then users work and things break; afterwards all is healed, and everything must come to an end.
  var chaosEnds: Int64 = 240_000
  var network = NetworkFaults()
  var k3 = K3Faults()
  var kills = 0
  var freezes = 0
  var terminations = 0
  var brokerRestarts = 0
  var databaseRestarts = 0
  var k3Outages = 0
  var okkiOutages = 0
  /// Wall clocks are wrong by up to so many milliseconds.
  var skew = 0
  /// What becomes of orders that change after their bills were written.
  var changed = ChangedOrders.hold
  /// How many orders of 1,000 are audited in K/3 at some time.
  var audited = 0
  /// Orders that OKKI lists as deleted reach the loaders, and some come back.
  var hasRemovals = false
  /// What becomes of their bills.
  var removed = RemovedOrders.hold

  /// Some of OKKI's operations change orders without their update time, and the poller reconciles.
  var hasSilentChanges = false

  /// Ferry begins so many seconds after OKKI's first order, and an operator fills in what lies before; nil begins before it.
  var startsLate: Int64?
  /// Operators want orders to be read anew.
  var readsAnew = false
  /// OKKI lists orders of the same second in another order for each page.
  var tiesMove = false

  /// So often the clock that OKKI's answers tell is wrong for a while.
  var clockJumps = 0

  /// For some orders K/3 always has too much to do: their attempts run out.
  var locksOrders = false
  /// Loaders tell each other that K/3 is away. They look each second, which makes such histories long: so not many do.
  var sharesBreaker = false

  /// Transformers are of two editions of the strategy: one revision may be made into two contents.
  var editsStrategy = false
  /// What K/3 shows of a bill tells whose it is, and of its content nothing.
  var showsLittle = false

  /// Whether pollers sweep.
  var sweeps: Bool { hasSilentChanges || startsLate != nil }

  /// How long K/3 may be away, in milliseconds.
  static let outages = [10_000, 30_000, 30_000, 120_000, 300_000, 300_000, 1_200_000, 7_200_000]

  /// Most histories have a few kinds of trouble: with all at once nothing would ever get far enough.
  /// - Parameters:
  ///   - later: chances that came in later, by themselves: a seed's other chances stay what they were.
  ///   - silent: those of changes that the update time does not show.
  ///   - operating: those of what operators do, and of orders of the same second.
  ///   - editing: those of edited strategies, and of what look-ups cannot tell.
  ///   - clocks: those of OKKI's clock.
  init(
    _ random: inout SeededRandom, later: inout SeededRandom, silent: inout SeededRandom,
    operating: inout SeededRandom, editing: inout SeededRandom, clocks: inout SeededRandom
  ) {
    editsStrategy = editing.happens(400)
    showsLittle = editing.happens(500)
    if operating.happens(200) { startsLate = Int64(operating.number(10...90)) }
    readsAnew = operating.happens(200)
    tiesMove = operating.happens(300)
    locksOrders = operating.happens(100)
    let mayShareBreaker = operating.happens(150)
    hasSilentChanges = silent.happens(250)
    orders = random.number(1...4)
    pollers = random.pick([1, 1, 2])
    transformers = random.pick([1, 1, 2])
    loaders = random.pick([1, 2, 2, 3])
    if random.happens(500) { network.requestLost = random.pick([10, 50, 200]) }
    if random.happens(500) { network.replyLost = random.pick([10, 50, 200]) }
    network.latency = random.pick([5, 50, 500])
    if random.happens(400) { k3.failedAfterCommit = random.pick([100, 500]) }
    if random.happens(300) { k3.failedBefore = random.pick([100, 500]) }
    if random.happens(200) { k3.throttled = random.pick([100, 500]) }
    if random.happens(300) { k3.late = random.pick([100, 500]) }
    if random.happens(500) { kills = random.number(1...6) }
    if random.happens(300) { terminations = random.number(1...2) }
    if random.happens(300) { brokerRestarts = random.number(1...2) }
    if random.happens(300) { databaseRestarts = random.number(1...2) }
    if random.happens(300) { k3Outages = random.number(1...2) }
    if random.happens(200) { okkiOutages = 1 }
    if random.happens(200) { skew = 7_200_000 }
    // A process frozen between its last look at the lease and the socket is beyond what Ferry can see: there K/3's
    // refusal of a second bill with the same number is what holds. So both together are not promised.
    if random.happens(300) { freezes = random.number(1...2) } else { k3.renumbers = random.happens(500) }
    // Of a frozen Update K/3 refuses nothing.
    if freezes == 0, later.happens(400) {
      changed = .update
      if later.happens(300) { audited = 300 }
    }
    // A frozen Save of an order that is removed meanwhile K/3 takes.
    if freezes == 0, later.happens(400) {
      hasRemovals = true
      removed = later.pick([.hold, .cancel, .cancel])
    }
    // A cycle that stands still for long is as a clock that is wrong for as long. Nor one wrong clock after the other: without
    // a cycle between them they are as one that is wrong for longer than the overlap, which no window can allow for.
    if freezes == 0, clocks.happens(300) { clockJumps = 1 }
    sharesBreaker = mayShareBreaker && k3Outages > 0 && !locksOrders
  }
}
