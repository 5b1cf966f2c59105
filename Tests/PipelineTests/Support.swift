import Logging
import Orders
import Pipeline
import PipelineTesting
import Synchronization

let noon = BeijingTime(epochSeconds: 1_770_000_000)

extension Envelope {
  static func order(_ id: Int64, revision: Int64 = 1, content: String = "{}") -> Envelope {
    Envelope(
      orderID: OrderID(rawValue: id), orderNumber: "SO\(id)", revision: revision, updateTime: noon, firstSeen: 1,
      content: .order(Array(content.utf8)))
  }

  static func bill(_ id: Int64, revision: Int64 = 1, customer: String = "C1") -> Envelope {
    let body = #"{"Data":{"Page1":[{"FBillNo":"SO\#(id)","FCustID":{"FNumber":"\#(customer)"}}]}}"#
    return bill(id, revision: revision, body: body)
  }

  static func bill(
    _ id: Int64, revision: Int64 = 1, number: String? = nil, object: String = "SO", part: BillRoute.Part? = nil,
    body: String
  ) -> Envelope {
    order(id, revision: revision).carrying(
      .bill(
        Bill(object: object, number: number ?? "SO\(id)", body: Array(body.utf8)),
        BillRoute(strategy: "sales-order", stream: "SO", part: part)))
  }
}

/// The pipeline's clock on a manual one. Leases and deadlines run on the real monotonic clock, which no test waits for.
func pipelineClock(_ clock: ManualClock) -> PipelineClock {
  let start = ContinuousClock.now
  return PipelineClock(
    now: { start + clock.now.offset }, epochMilliseconds: { 1 },
    sleep: { try? await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) })
}

/// A stage that answers from a table and reports its batches.
final class ScriptedStage: Stage {
  let name: StageName
  let batches = Probe<[Envelope]>()
  /// What a partner that is asked itself says.
  let isAnswering = Mutex<Bool?>(nil)
  private let answer: @Sendable (Envelope) -> Outcome

  init(_ name: StageName = .transform, _ answer: @escaping @Sendable (Envelope) -> Outcome) {
    self.name = name
    self.answer = answer
  }

  func handle(_ batch: [Envelope]) async -> [Outcome] {
    batches.report(batch)
    return batch.map(answer)
  }

  func answers(_ partner: Partner) async -> Bool? { partner == .k3 ? isAnswering.withLock { $0 } : nil }
}

/// A stage whose partner is away for the first batches: as many as go out at once, then so many probes.
final class AwayStage: Stage {
  let name = StageName.transform
  private let probes: Int
  private let width: Int
  private let entered = Probe<Int>()
  private let state = Mutex((active: 0, most: 0))

  init(probes: Int, width: Int) {
    self.probes = probes
    self.width = width
  }

  /// The most batches under way while one that followed the first failure was.
  var mostProbesAtOnce: Int { state.withLock(\.most) }

  func handle(_ batch: [Envelope]) async -> [Outcome] {
    let number = state.withLock { state in
      state.active += 1
      entered.report(entered.events.count + 1)
      return entered.events.count
    }
    defer { state.withLock { $0.active -= 1 } }
    let isProbe = number > width && number <= width + probes
    if isProbe { state.withLock { $0.most = max($0.most, $0.active) } }
    // The first and the last ones wait for each other: so many do go out at once.
    let last = width + probes + 1
    if number <= width { _ = try? await entered.wait { $0.count >= self.width } }
    if number > last { _ = try? await entered.wait { $0.count >= last + self.width } }
    // The others get their chance to overtake.
    for _ in 0..<number * 20 { await Task.yield() }
    let isAway = number <= width + probes
    return batch.map { isAway ? .outage(Reason(.ledgerUnavailable, "away")) : .forward([.bill($0.orderID.rawValue)]) }
  }
}

/// An outbox that reports each batch and can hold a batch until it is released.
final class WatchedOutbox: Outbox {
  let published = Probe<[Parcel]>()
  private let inner: MemoryOutbox
  private let gate: Probe<Bool>?

  init(_ inner: MemoryOutbox, gate: Probe<Bool>? = nil) {
    self.inner = inner
    self.gate = gate
  }

  var isReady: Bool { inner.isReady }

  func publish(_ parcels: [Parcel]) async -> [PublishResult] {
    published.report(parcels)
    _ = try? await gate?.wait { !$0.isEmpty }
    return await inner.publish(parcels)
  }

  func close() async { await inner.close() }
}

/// An inbox that reports acknowledgements and when it is asked for more.
final class WatchedInbox: Inbox {
  let acknowledged = Probe<[Delivery.Receipt]>()
  let asked = Probe<Int>()
  private let inner: MemoryInbox

  init(_ inner: MemoryInbox) { self.inner = inner }

  var isReady: Bool { inner.isReady }
  var isStopped: Bool { inner.isStopped }
  func next(max: Int) async -> [Delivery] {
    asked.report(max)
    return await inner.next(max: max)
  }
  func acknowledge(_ receipts: [Delivery.Receipt]) {
    inner.acknowledge(receipts)
    acknowledged.report(receipts)
  }
  func stop() async { await inner.stop() }
  func close() async { await inner.close() }
}

/// Which of the memory's spoilt rows a letter holds; the letter where it holds none.
func spoiltRow(_ letter: [UInt8]) -> String {
  let text = String(decoding: letter, as: UTF8.self)
  return text.firstMatch(of: /row of \d+/).map { String($0.output) } ?? text
}

/// What a poller is to read whose beginning is an hour before noon.
func lastHour(pageSize: Int) -> PollPlan {
  var plan = PollPlan(since: noon.advanced(bySeconds: -3600))
  plan.pageSize = pageSize
  return plan
}
