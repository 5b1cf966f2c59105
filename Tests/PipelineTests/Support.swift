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

  static func bill(_ id: Int64, revision: Int64 = 1, body: String) -> Envelope {
    order(id, revision: revision).carrying(
      .bill(Bill(object: "SO", number: "SO\(id)", body: Array(body.utf8)), strategy: "sales-order"))
  }
}

/// The pipeline's clock on a manual one. Leases and deadlines run on the real monotonic clock, which no test waits for.
func pipelineClock(_ clock: ManualClock) -> PipelineClock {
  PipelineClock(
    now: { ContinuousClock.now }, epochMilliseconds: { 1 },
    sleep: { try? await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) })
}

let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A stage that answers from a table and reports its batches.
final class ScriptedStage: Stage {
  let name: StageName
  let batches = Probe<[Envelope]>()
  private let answer: @Sendable (Envelope) -> Outcome

  init(_ name: StageName = .transform, _ answer: @escaping @Sendable (Envelope) -> Outcome) {
    self.name = name
    self.answer = answer
  }

  func handle(_ batch: [Envelope]) async -> [Outcome] {
    batches.report(batch)
    return batch.map(answer)
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
    await gate?.wait { !$0.isEmpty }
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
