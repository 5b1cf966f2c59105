import Orders
import Pipeline
import Testing

@Suite("The plan of a window")
struct WindowPlanTests {
  private func at(_ second: Int64) -> BeijingTime { BeijingTime(epochSeconds: second) }
  private func window(_ from: Int64, _ to: Int64) throws -> TimeWindow {
    try #require(TimeWindow(from: at(from), to: at(to)))
  }

  @Test("an empty window is counted once and concluded")
  func empty() throws {
    var plan = WindowPlan(try window(1, 9), sliceSize: 2, maxPasses: 3)
    #expect(try plan.step == .count(window(1, 9)))
    plan.counted(0)
    #expect(try plan.step == .conclude(window(1, 9), moves: true))
    plan.concluded()
    #expect(plan.step == .finished)
  }

  @Test("rows that cannot be read count as shown, as the most of one pass: more would stand for orders that nobody saw")
  func unreadable() throws {
    func pass(_ plan: inout WindowPlan, _ orders: ClosedRange<Int64>, _ rows: Int) {
      plan.hasRead(showing: Set(orders.map { OrderID(rawValue: $0) }), unreadable: rows)
      plan.counted(5)
    }
    var plan = WindowPlan(try window(1, 1), sliceSize: 9, pageSize: 2, maxPasses: 3)
    plan.counted(5)
    pass(&plan, 1...3, 1)
    #expect(try plan.step == .read(window(1, 1), total: 5))
    pass(&plan, 1...3, 1)
    #expect(try plan.step == .read(window(1, 1), total: 5))
    pass(&plan, 2...4, 1)
    #expect(try plan.step == .conclude(window(1, 1), moves: true))
  }

  @Test("too many orders halve a slice, the earlier half first, down to a second that is read however full it is")
  func halves() throws {
    var plan = WindowPlan(try window(1, 4), sliceSize: 2, maxPasses: 3)
    plan.counted(9)
    #expect(try plan.step == .count(window(1, 2)))
    plan.counted(9)
    #expect(try plan.step == .count(window(1, 1)))
    plan.counted(9)
    #expect(try plan.step == .read(window(1, 1), total: 9))
    plan.hasRead()
    #expect(try plan.step == .recount(window(1, 1)))
    plan.counted(9)
    #expect(try plan.step == .conclude(window(1, 1), moves: true))
    plan.concluded()
    #expect(try plan.step == .count(window(2, 2)))
    plan.counted(0)
    #expect(try plan.step == .count(window(3, 4)))
  }

  @Test("a half that must have too many is halved without being counted; empty slices are concluded with the next one")
  func estimates() throws {
    var plan = WindowPlan(try window(1, 8), sliceSize: 2, maxPasses: 3)
    plan.counted(9)
    #expect(try plan.step == .count(window(1, 4)))
    plan.counted(0)
    #expect(try plan.step == .count(window(5, 6)))
    plan.counted(1)
    #expect(try plan.step == .read(window(5, 6), total: 1))
    plan.hasRead()
    plan.counted(1)
    #expect(try plan.step == .conclude(window(1, 6), moves: true))
    plan.concluded()
    // 8 of 9: not counted as a whole.
    #expect(try plan.step == .count(window(7, 7)))
    plan.counted(0)
    #expect(try plan.step == .count(window(8, 8)))
    // They have left meanwhile.
    plan.counted(0)
    #expect(try plan.step == .conclude(window(7, 8), moves: true))
    plan.concluded()
    #expect(plan.step == .finished)
  }

  @Test("an estimate is never read by: what is read was counted itself")
  func countedBefore() throws {
    var plan = WindowPlan(try window(1, 4), sliceSize: 2, maxPasses: 3)
    plan.counted(3)
    plan.counted(1)
    plan.hasRead()
    plan.counted(1)
    plan.concluded()
    #expect(try plan.step == .count(window(3, 4)))
  }

  @Test("a slice whose count changed is read again with the new count, and given up after so many passes")
  func passes() throws {
    var plan = WindowPlan(try window(1, 4), sliceSize: 9, maxPasses: 2)
    plan.counted(3)
    plan.hasRead()
    plan.counted(2)
    #expect(try plan.step == .read(window(1, 4), total: 2))
    #expect(plan.passes == 1)
    var settled = plan
    settled.hasRead()
    settled.counted(2)
    #expect(try settled.step == .conclude(window(1, 4), moves: true))
    var emptied = WindowPlan(try window(1, 4), sliceSize: 9, maxPasses: 2)
    emptied.counted(3)
    emptied.hasRead()
    emptied.counted(0)
    #expect(try emptied.step == .conclude(window(1, 4), moves: true))
    plan.hasRead()
    plan.counted(1)
    #expect(try plan.step == .giveUp(window(1, 4)))
    let given = plan
    plan.counted(1)
    plan.hasRead()
    plan.concluded()
    #expect(plan == given)
  }

  @Test("an answer to what was not asked changes nothing")
  func outOfTurn() throws {
    var plan = WindowPlan(try window(1, 4), sliceSize: 9, maxPasses: 2)
    let before = plan
    plan.hasRead()
    plan.concluded()
    #expect(plan == before)
    plan.counted(1)
    let reading = plan
    plan.counted(5)
    plan.concluded()
    #expect(plan == reading)
  }

  @Test("a live plan starts the overlap before the watermark, and what lies before it moves nothing")
  func live() throws {
    func live(_ watermark: Int64?, end: Int64) -> WindowPlan? {
      WindowPlan(
        watermark: watermark.map { at($0) }, overlapSeconds: 10, since: at(5), end: at(end), sliceSize: 1, maxPasses: 1)
    }
    #expect(try live(nil, end: 90)?.step == .count(window(5, 90)))
    #expect(try live(100, end: 200)?.step == .count(window(90, 200)))
    #expect(live(100, end: 89) == nil)
    #expect(live(nil, end: 4) == nil)
    var overlap = try #require(live(100, end: 100))
    overlap.counted(0)
    #expect(try overlap.step == .conclude(window(90, 100), moves: false))
    var later = try #require(live(100, end: 101))
    later.counted(0)
    #expect(try later.step == .conclude(window(90, 101), moves: true))
  }

  /// 5,000 windows with orders by chance, some of which come and go while slices are read.
  @Test("slices cover the window without a gap and in order, and the watermark never passes one that is not read")
  func holds() throws {
    var random = Chance(state: 7)
    var drifted = 0
    for _ in 0..<5_000 {
      let from = Int64(random.below(50))
      let to = from + Int64(random.below(200))
      let watermark: Int64? = random.below(2) == 0 ? nil : from + Int64(random.below(30))
      var orders = (0..<random.below(60)).map { _ in from - 5 + Int64(random.below(Int(to - from) + 10)) }
      let sliceSize = 1 + random.below(8)
      var plan = WindowPlan(
        try window(from, to), safe: watermark.map { at($0) }, sliceSize: sliceSize, maxPasses: 3)
      var next = from
      // What is asked for next; what lies between is empty and not concluded.
      var cursor = from
      var mark = watermark
      var read: TimeWindow?
      var count = 0
      var steps = 0
      func inside(_ slice: TimeWindow) -> Int {
        orders.count { slice.from.epochSeconds <= $0 && $0 <= slice.to.epochSeconds }
      }
      walk: while true {
        steps += 1
        try #require(steps < 10_000)
        switch plan.step {
        case .count(let slice):
          try #require(slice.from.epochSeconds == cursor && slice.to.epochSeconds <= to)
          count = inside(slice)
          if count == 0 { read = slice }
          plan.counted(count)
          if count == 0, plan.isCounting { cursor = slice.to.epochSeconds + 1 }
        case .read(let slice, let total):
          try #require(slice.from.epochSeconds == cursor)
          try #require(total == count && total > 0)
          try #require(total <= sliceSize || slice.from == slice.to || plan.passes > 0)
          read = nil
          // Somebody works in the vendor's system meanwhile.
          if !orders.isEmpty, random.below(6) == 0 { orders.remove(at: random.below(orders.count)) }
          if random.below(12) == 0 { orders.append(from + Int64(random.below(Int(to - from) + 1))) }
          plan.hasRead()
          if inside(slice) == total { read = slice }
        case .recount(let slice):
          let now = inside(slice)
          // An empty slice has nothing left to read.
          if now == count || now == 0 && plan.passes < 2 { read = slice }
          count = now
          plan.counted(now)
          if now == 0, plan.isCounting { cursor = slice.to.epochSeconds + 1 }
        case .conclude(let slice, let moves):
          try #require(read?.from.epochSeconds == cursor && read?.to == slice.to)
          try #require(slice.from.epochSeconds == next)
          if moves {
            try #require(mark.map { $0 < slice.to.epochSeconds } ?? true)
            mark = slice.to.epochSeconds
          }
          try #require(mark ?? slice.to.epochSeconds >= slice.to.epochSeconds)
          next = slice.to.epochSeconds + 1
          cursor = next
          read = nil
          plan.concluded()
        case .giveUp:
          drifted += 1
          try #require(mark ?? -1 < max(next, (watermark ?? -1) + 1))
          break walk
        case .finished:
          try #require(next == to + 1)
          break walk
        }
      }
    }
    #expect(drifted > 0)
  }
}

extension WindowPlan {
  fileprivate var isCounting: Bool { if case .count = step { true } else { false } }
}

/// Numbers by a seed (xorshift).
private struct Chance {
  var state: UInt64

  /// 0 up to and without `limit`.
  mutating func below(_ limit: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(state % UInt64(limit))
  }
}
