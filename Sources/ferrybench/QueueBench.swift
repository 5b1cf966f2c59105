import Foundation
import Orders
import Pipeline
import Queue

/// What one message costs this side of the broker, in queues of its own that are removed at the end: bills of 2 KB published
/// and taken through the outbox and the inbox, as the workers do it. Counts the processor's time of this process; the broker's is
/// not in it.
struct QueueBench {
  private static let batch = 64
  private let settings: RabbitSettings
  private let topology: Topology
  private let messages: Int

  static func run(messages: Int, only: String) async throws {
    let environment = ProcessInfo.processInfo.environment
    guard let url = environment["FERRY_RABBITMQ_URL"], let management = environment["FERRY_RABBITMQ_MANAGEMENT_URL"]
    else { throw BenchProblem("FERRY_RABBITMQ_URL or FERRY_RABBITMQ_MANAGEMENT_URL is missing") }
    let settings = try RabbitSettings(url: url)
    let topology = try Topology(prefix: "bench-\(UInt32.random(in: 0...UInt32.max)).")
    let administration = try RabbitAdministration(settings, managementURL: management, topology: topology)
    let result: Result<Void, any Error>
    do {
      guard try await administration.apply().isEmpty else { throw BenchProblem("the queues cannot be made") }
      let bench = QueueBench(settings: settings, topology: topology, messages: messages)
      try await bench.publish()
      // Alone it is what an instruction count of publishing needs.
      if only != "publish" { try await bench.consume() }
      result = .success(())
    } catch { result = .failure(error) }
    try await administration.remove()
    await administration.close()
    try result.get()
  }

  private func publish() async throws {
    let outbox = RabbitOutbox(settings, topology: topology)
    guard await outbox.connect() else { throw BenchProblem("no connection to the broker") }
    let body = Array(#"{"Data":{"Page1":[{"FNote":"\#(String(repeating: "样n", count: 500))"}],"Page2":[]}}"#.utf8)
    let parcels = (0..<messages).map { Parcel(to: .queue(.bills), .envelope(envelope($0, body))) }
    try await measure("publish") {
      // Two batches under way, as a worker has them.
      try await withThrowingTaskGroup(of: Void.self) { group in
        var running = 0
        for first in stride(from: 0, to: parcels.count, by: Self.batch) {
          if running == 2 {
            try await group.next()
            running -= 1
          }
          let batch = Array(parcels[first..<min(first + Self.batch, parcels.count)])
          group.addTask {
            guard await outbox.publish(batch).allSatisfy({ $0 == .confirmed }) else {
              throw BenchProblem("a message was not confirmed")
            }
          }
          running += 1
        }
        try await group.waitForAll()
      }
    }
    await outbox.close()
  }

  private func consume() async throws {
    let inbox = RabbitInbox(settings, topology: topology, stage: .load, prefetch: 512)
    try await measure("consume") {
      var left = messages
      while left > 0 {
        let batch = await inbox.next(max: Self.batch)
        for delivery in batch {
          guard case .success = delivery.envelope else { throw BenchProblem("a message cannot be read") }
        }
        inbox.acknowledge(batch.map(\.receipt))
        left -= batch.count
      }
    }
    await inbox.stop()
    await inbox.close()
  }

  private func envelope(_ number: Int, _ body: [UInt8]) -> Envelope {
    Envelope(
      orderID: OrderID(rawValue: Int64(5_203_556_502 + number * 7)), orderNumber: "SO240520-\(100_000 + number)",
      revision: 1, updateTime: BeijingTime(epochSeconds: 1_716_171_330), firstSeen: 1_716_171_331_234,
      content: .bill(
        Orders.Bill(object: "SO", number: "SO240520-\(100_000 + number)", body: body),
        BillRoute(strategy: "sales-order", stream: "SO")))
  }

  private func measure(_ name: String, _ work: () async throws -> Void) async throws {
    let start = ContinuousClock.now
    let before = Self.processor()
    try await work()
    let after = Self.processor()
    let seconds = Double((ContinuousClock.now - start) / .microseconds(1)) / 1e6
    let (user, system) = (after.user - before.user, after.system - before.system)
    func micros(_ value: Double) -> String { String(format: "%.2f", value / Double(messages) * 1e6) }
    print(
      "\(name): \(messages) messages of 2 KB, \(Int(Double(messages) / seconds)) a second; processor µs a message: "
        + "\(micros(user)) user, \(micros(system)) system, \(micros(user + system)) in all")
  }

  private static func processor() -> (user: Double, system: Double) {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return (seconds(usage.ru_utime), seconds(usage.ru_stime))
  }
}
