import Curl
import Logging
import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Testing
import VendorStage

@testable import OKKI

/// OKKI over real HTTP, whose orders are edited, deleted and added between one page and the next, and whose pages show
/// orders twice and in another order.
private final class UnsteadySource: OrderSource {
  private let okki: OKKIOrderSource
  private let client: CurlClient
  private let base: String
  private let random: Mutex<(numbers: SplitMix64, shown: [OrderHeadline], isCalm: Bool)>

  init(_ okki: OKKIOrderSource, base: String, seed: UInt64) throws {
    var options = CurlOptions()
    options.allowsPlainHTTP = true
    client = try CurlClient(options)
    (self.okki, self.base) = (okki, base)
    random = Mutex((SplitMix64(state: seed), [], false))
  }

  /// Nothing moves any more.
  func calm() async throws {
    random.withLock { $0.isCalm = true }
    try await tell("faults", #"{"profile":"off"}"#)
  }

  func close() async { await client.shutdown(graceMilliseconds: 1_000) }

  /// Changes the simulator.
  func tell(_ name: String, _ body: String) async throws {
    let outcome = await client.perform(
      HTTPRequest(.post, "\(base)/_sim/\(name)", body: Array(body.utf8), timeoutMilliseconds: 10_000))
    guard case .response(let response) = outcome, response.status == 200 else {
      throw SourceFailure.malformed("the simulator answered \(outcome)")
    }
  }

  func orders(_ query: OrderQuery, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage {
    let moves = random.withLock { state -> (adds: Bool, passes: Int) in
      if state.isCalm { return (false, 0) }
      return (state.numbers.next(below: 12) == 0, state.numbers.next(below: 4) == 0 ? 1 : 0)
    }
    do {
      if moves.adds { try await tell("orders", #"{"add":1}"#) }
      if moves.passes > 0 { try await tell("clock", #"{"advance_seconds":\#(moves.passes)}"#) }
    } catch { throw .transient("\(error)") }
    let page = try await okki.orders(query, page: index, size: size)
    return random.withLock { state in
      if state.isCalm || size == 1 { return page }
      var headlines = page.headlines
      // A page may repeat what the one before has shown, and each order of its own.
      if let again = state.shown.last, state.numbers.next(below: 3) == 0 { headlines.insert(again, at: 0) }
      if let first = headlines.first, state.numbers.next(below: 5) == 0 { headlines.append(first) }
      if headlines.count > 1 {
        for place in 1..<headlines.count { headlines.swapAt(place, state.numbers.next(below: place + 1)) }
      }
      if case .updated = query { state.shown = page.headlines }
      return OrderPage(total: page.total, headlines: headlines, now: page.now)
    }
  }

  func details(of ids: [OrderID]) async -> [Result<SourceOrder, SourceFailure>] { await okki.details(of: ids) }

  func customers(
    updatedIn window: TimeWindow?, page index: Int, size: Int
  ) async throws(SourceFailure) -> CustomerPage {
    try await okki.customers(updatedIn: window, page: index, size: size)
  }

  func now() async throws(SourceFailure) -> BeijingTime { try await okki.now() }
}

/// Numbers that a seed gives again and again.
private struct SplitMix64 {
  var state: UInt64

  mutating func next(below bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return Int((mixed ^ mixed >> 31) % UInt64(bound))
  }
}

/// Confirms everything and keeps the newest message of each order.
private final class NewestOutbox: Outbox {
  private let kept = Mutex<[OrderID: Envelope]>([:])
  var newest: [OrderID: Envelope] { kept.withLock { $0 } }
  var isReady: Bool { true }

  func publish(_ parcels: [Parcel]) async -> [PublishResult] {
    kept.withLock { kept in
      for parcel in parcels {
        guard case .envelope(let envelope) = parcel.content else { continue }
        // Revisions decide, whatever the order of arrival.
        if kept[envelope.orderID].map({ $0.revision <= envelope.revision }) ?? true {
          kept[envelope.orderID] = envelope
        }
      }
    }
    return parcels.map { _ in .confirmed }
  }

  func close() async {}
}

@Suite("Pages that move under the scan", .serialized, .timeLimit(.minutes(2)))
struct UnsteadyPagesTests {
  @Test("lose no order and no last content, for each of 200 seeds", arguments: 0..<8)
  func seeds(batch: UInt64) async throws {
    for seed in batch * 25 + 1...batch * 25 + 25 {
      let found = try await missing(seed: seed)
      #expect(found == [], "seed \(seed)")
    }
  }

  /// What a poller has not published in its last content after some cycles over moving pages, and a calm one.
  private func missing(seed: UInt64) async throws -> [String] {
    var plan = OKKIPlan()
    (plan.seed, plan.orders, plan.companies, plan.now) = (seed, 40, 3, 1_705_284_000)
    let simulator = try await Stage.okki(plan, host: "127.0.0.1", port: 0)
    let base = "http://127.0.0.1:\(simulator.port)"
    let okki = try OKKIOrderSource(options(base))
    let source = try UnsteadySource(okki, base: base, seed: seed)
    let result: Result<[String], any Error>
    do { result = .success(try await scan(source)) } catch { result = .failure(error) }
    await source.close()
    await okki.close()
    await simulator.stop()
    return try result.get()
  }

  private func scan(_ source: UnsteadySource) async throws -> [String] {
    try await source.tell("clock", #"{"frozen":true}"#)
    try await source.tell(
      "faults", #"{"shifting":0.3,"changed_between":0.05,"deleted_between":0.05}"#)
    let start = try await source.now()
    var plan = PollPlan(since: start.advanced(bySeconds: -86_400))
    plan.pageSize = 7
    plan.sliceSize = 30
    plan.maxPasses = 3
    let outbox = NewestOutbox()
    // No lease is renewed, and none ends however long a cycle takes.
    let still = ManualClock()
    let begun = ContinuousClock.now
    let poller = Poller(
      source: source, ledger: MemoryPollLedger(), outbox: outbox, plan: plan,
      clock: PipelineClock(
        now: { begun }, epochMilliseconds: { 1 }, sleep: { try? await still.sleep(for: $0) }),
      logger: Logger(label: "pages", factory: { _ in SwiftLogNoOpLogHandler() }))
    for _ in 1...4 {
      // Drift that does not end is the next cycle's.
      do throws(PollInterruption) { try await poller.once() } catch {
        guard error == .drift else { throw error }
      }
      try await source.tell("clock", #"{"advance_seconds":20}"#)
    }
    try await source.calm()
    try await source.tell("clock", #"{"advance_seconds":600}"#)
    try await poller.once()
    let end = try await source.now()
    let all = try #require(TimeWindow(from: start.advanced(bySeconds: -86_400), to: end))
    var problems: [String] = []
    var seen = 0
    for query in [OrderQuery.updated(all), .removed(all)] {
      let page = try await source.orders(query, page: 1, size: 500)
      seen += page.headlines.count
      for headline in page.headlines {
        guard let newest = outbox.newest[headline.id] else {
          problems.append("order \(headline.id) was never published")
          continue
        }
        if case .removed = query {
          if newest.content != .removal { problems.append("the deletion of \(headline.id) was not told") }
        } else if newest.updateTime != headline.updateTime || newest.content == .order([]) {
          problems.append("the last content of \(headline.id) was not published")
        }
      }
    }
    if seen < 40 { problems.append("only \(seen) orders are in the books") }
    return problems
  }
}
