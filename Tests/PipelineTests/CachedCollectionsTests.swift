import JSON
import Orders
import PipelineTesting
import Synchronization
import Testing

@testable import Pipeline

@Suite("Remembered records", .timeLimit(.minutes(2)))
struct CachedCollectionsTests {
  /// Collections that report each question, and take as long to answer as the test says.
  private final class Watched: Collections {
    let asked = Probe<[String]>()
    let inner = MemoryCollections()
    let clock: ManualClock
    let delays = Probe<Duration>()
    private let action = Mutex<@Sendable (Int) async -> Void>({ _ in })

    /// Called with each question's number, from 0, when its answer stands and has not been given yet.
    var whenAsked: @Sendable (Int) async -> Void {
      get { action.withLock { $0 } }
      set { action.withLock { $0 = newValue } }
    }

    init(_ clock: ManualClock) { self.clock = clock }

    func find(_ keys: [LookupKey]) async throws(LedgerFailure) -> [LookupAnswer] {
      asked.report(keys.map { $0.conditions.first?.value ?? "?" }.sorted())
      let answers = try await inner.find(keys)
      let number = asked.events.count - 1
      await whenAsked(number)
      if delays.events.indices.contains(number) { clock.advance(by: delays.events[number]) }
      return answers
    }

    func store(_ records: [CollectionRecord], in collection: String) async throws(LedgerFailure) {
      try await inner.store(records, in: collection)
    }
  }

  private let clock = ManualClock()
  private let watched: Watched
  private let times: PipelineClock
  private let cached: CachedCollections

  init() {
    let (clock, start) = (clock, ContinuousClock.now)
    times = PipelineClock(
      now: { start.advanced(by: clock.now.offset) }, epochMilliseconds: { 1 }, sleep: { _ in })
    watched = Watched(clock)
    cached = CachedCollections(watched, clock: times)
  }

  private func put(_ id: Int, _ text: String, in collections: any Collections) async throws {
    let record = CollectionRecord(id: "\(id)", content: Array(#"{"id":\#(id),"text":"\#(text)"}"#.utf8))
    try await collections.store([record], in: "c")
  }

  private func key(_ id: Int) -> LookupKey {
    LookupKey(collection: "c", conditions: [LookupKey.Condition(field: "id", value: "\(id)")])
  }

  private func find(_ ids: Int..., in cache: CachedCollections? = nil) async throws -> [String?] {
    try await (cache ?? cached).find(ids.map(key)).map { $0.record?.root["text"]?.string }
  }

  @Test("a record is asked for once within its lifetime, and again after it; what is absent is asked for each time")
  func lifetime() async throws {
    try await put(1, "old", in: watched.inner)
    #expect(try await find(1, 9, 1) == ["old", nil, "old"])
    try await put(1, "new", in: watched.inner)
    clock.advance(by: .seconds(1) - .nanoseconds(1))
    #expect(try await find(1, 9) == ["old", nil])
    clock.advance(by: .nanoseconds(1))
    #expect(try await find(1) == ["new"])
    #expect(watched.asked.events == [["1", "9"], ["9"], ["1"]])
  }

  /// 2 s, less the second that the mapping of a batch may take.
  @Test("whatever happens just after a question, its answer is not given out a second later", arguments: [1, 3])
  func freshness(step: Int) async throws {
    try await put(1, "old", in: watched.inner)
    #expect(try await find(1, 2) == ["old", nil])
    try await put(1, "new", in: watched.inner)
    try await put(2, "come", in: watched.inner)
    var seen: Duration?
    for _ in 0..<100 where seen == nil {
      clock.advance(by: .milliseconds(100 * step))
      let now = clock.now.offset
      if try await find(1, 2) == ["new", "come"] { seen = now }
    }
    #expect(try #require(seen) <= .seconds(1) + .milliseconds(100 * step))
  }

  @Test("what grows too old while the rest of a batch is asked for is asked for again")
  func slowBatch() async throws {
    try await put(1, "old", in: watched.inner)
    watched.delays.report(.zero)
    watched.delays.report(.seconds(30))
    #expect(try await find(1) == ["old"])
    clock.advance(by: .milliseconds(900))
    try await put(1, "new", in: watched.inner)
    try await put(2, "two", in: watched.inner)
    #expect(try await find(1, 2) == ["new", "two"])
    #expect(watched.asked.events == [["1"], ["2"], ["1"]])
  }

  /// A query that is answered by reading.
  private let reading = LookupKey(
    collection: "c", conditions: [], filter: .compare(field: "id", .greater, values: ["0"]))

  @Test("a query that takes long makes no other answer of its batch old, whether that was remembered or not")
  func slowQuery() async throws {
    for id in 1...2 { try await put(id, "old", in: watched.inner) }
    for delay in [0, 10, 0] { watched.delays.report(.seconds(delay)) }
    #expect(try await find(1) == ["old"])
    // Stored while the query reads.
    watched.whenAsked = { [self] number in
      if number == 1 { for id in 1...2 { try? await put(id, "new", in: watched.inner) } }
    }
    let answers = try await cached.find([key(1), key(2), reading])
    #expect(answers.prefix(2).map { $0.record?.root["text"]?.string } == ["new", "new"])
    #expect(answers[2].record != nil)
    // As a query is remembered, it is asked for again once it is too old: before the quick ones too.
    watched.whenAsked = { _ in }
    clock.advance(by: .milliseconds(500))
    _ = try await cached.find([reading, key(1), key(2)])
    #expect(watched.asked.events.dropFirst() == [["?"], ["2"], ["1"], ["?"]])
  }

  @Test("what is stored during a question is seen at once, and the question's older answer is not remembered")
  func storedMeanwhile() async throws {
    try await put(1, "old", in: watched.inner)
    watched.whenAsked = { [self] number in if number == 0 { try? await put(1, "new", in: cached) } }
    #expect(try await find(1) == ["old"])
    #expect(try await find(1) == ["new"])
    #expect(watched.asked.events == [["1"], ["1"]])
  }

  @Test("an answer's lifetime begins when it is asked for, not when it comes")
  func slowAnswer() async throws {
    try await put(1, "old", in: watched.inner)
    watched.delays.report(.milliseconds(700))
    #expect(try await find(1) == ["old"])
    clock.advance(by: .milliseconds(300))
    try await put(1, "new", in: watched.inner)
    #expect(try await find(1) == ["new"])
  }

  @Test("a query's outcome is remembered whatever it is, since it may have cost the reading of a collection")
  func queries() async throws {
    let query = LookupKey(
      collection: "c", conditions: [], filter: .compare(field: "id", .greater, values: ["1"]))
    let odd = LookupKey(collection: "c", conditions: [], filter: .compare(field: "text", .matches, values: ["("]))
    try await put(1, "one", in: watched.inner)
    #expect(try await cached.find([query, odd]).map(\.record?.root.kind) == [nil, nil])
    try await put(2, "two", in: watched.inner)
    let second = try await cached.find([query, odd])
    #expect(second[0].record == nil)
    guard case .unanswered = second[1] else {
      Issue.record("\(second[1])")
      return
    }
    #expect(watched.asked.events.count == 1)
    clock.advance(by: .seconds(1))
    #expect(try await cached.find([query])[0].record?.root["text"]?.string == "two")
  }

  @Test("what is stored through it is seen at once")
  func storing() async throws {
    try await put(1, "old", in: watched.inner)
    #expect(try await find(1) == ["old"])
    try await put(1, "new", in: cached)
    #expect(try await find(1) == ["new"])
  }

  @Test("when it is full the newest answers stay, and it answers all the same")
  func limit() async throws {
    let cache = CachedCollections(watched, clock: times, limit: 4)
    for id in 1...6 { try await put(id, "r\(id)", in: watched.inner) }
    for id in 1...6 { #expect(try await find(id, in: cache) == ["r\(id)"]) }
    #expect(cache.held.answers == 4)
    #expect(try await find(3, 4, 5, 6, in: cache) == ["r3", "r4", "r5", "r6"])
    #expect(watched.asked.events.count == 6)
    #expect(try await find(1, 2, 3, 4, 5, 6, in: cache) == ["r1", "r2", "r3", "r4", "r5", "r6"])
    #expect(watched.asked.events.last == ["1", "2"])
  }

  @Test("a backlog of more customers than it holds still finds each customer's next order remembered")
  func backlog() async throws {
    let cache = CachedCollections(watched, clock: times, limit: 100)
    for id in 1...300 { try await put(id, "r", in: watched.inner) }
    // Each customer's orders come within 40 orders of each other; together they are three times what is held.
    for start in stride(from: 1, through: 291, by: 10) {
      _ = try await cache.find((start..<start + 10).map(key))
      if start > 30 { _ = try await cache.find((start - 30..<start - 20).map(key)) }
      #expect(cache.held.answers <= 100)
    }
    #expect(watched.asked.events.joined().count == 300)
  }

  @Test("records are held by their size, and one that is too large for it is not")
  func bytes() async throws {
    let cache = CachedCollections(watched, clock: times, limit: 1_000, maxBytes: 1_000)
    for id in 1...20 { try await put(id, String(repeating: "x", count: 100), in: watched.inner) }
    try await put(21, String(repeating: "x", count: 600), in: watched.inner)
    for id in 1...21 {
      _ = try await cache.find([key(id)])
      #expect(cache.held.bytes <= 1_000)
    }
    #expect(cache.held.answers > 4)
    let before = watched.asked.events.count
    _ = try await cache.find([key(20), key(21)])
    #expect(watched.asked.events[before...] == [["21"]])
  }
}
