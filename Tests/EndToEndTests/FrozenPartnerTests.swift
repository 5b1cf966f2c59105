import AMQP
import Dispatch
import Orders
import Pipeline
import PipelineTesting
import Queue
import Testing

/// A loader and a K/3 that takes a Save and never answers it.
@Suite("A partner that does not answer", .serialized, .timeLimit(.minutes(2)))
struct FrozenPartnerTests {
  /// Gives tokens; reports each Save, then holds its connection until `release`.
  private final class FrozenK3: Sendable {
    let saves = Probe<String>()
    let server: ScriptedServer
    private let gate = DispatchSemaphore(value: 0)

    init() {
      let (saves, gate) = (saves, gate)
      server = ScriptedServer { request in
        if request.path.hasSuffix("/Token/Create") {
          let token = String(repeating: "A1", count: 40)
          return .ok(
            #"{"StatusCode":200,"Message":"Successful","Data":{"Token":"\#(token)","Code":"Y","Validity":3600.0}}"#)
        }
        saves.report(request.path)
        gate.wait()
        return .drop
      }
    }

    func stop() {
      for _ in 0..<100 { gate.signal() }
      server.stop()
    }
  }

  private let prefix = "frozen-\(TestServers.freshWord())."
  private let schema = "frozen_\(TestServers.freshWord())"

  private func settings(_ k3: FrozenK3) throws -> [String: String] {
    [
      "FERRY_K3_URL": k3.server.url, "FERRY_K3_AUTHORITY_CODE": String(repeating: "0123456789abcdef", count: 3),
      "FERRY_K3_VISIBLE_SECONDS": "1", "FERRY_RABBITMQ_URL": try TestServers.rabbit(),
      "FERRY_RABBITMQ_MANAGEMENT_URL": try TestServers.rabbitManagement(), "FERRY_QUEUE_PREFIX": prefix,
      "FERRY_POSTGRES_URL": try TestServers.postgres(), "FERRY_POSTGRES_SCHEMA": schema, "FERRY_ADMIN_PORT": "0",
      "FERRY_LOG_FORMAT": "json", "FERRY_RETRY_SECONDS": "3600", "FERRY_SHUTDOWN_SECONDS": "1",
    ]
  }

  private func connect() async throws -> AMQPConnection {
    let address = try AMQPAddress(try TestServers.rabbit())
    return try await AMQPConnection.open(AMQPOptions(address: address, connectionName: "ferry-test"))
  }

  private func migrate(_ settings: [String: String]) async throws {
    let migrate = try Program("ferry", ["migrate"], environment: settings)
    try #require(await migrate.exit() == 0, "\(migrate.output)")
  }

  /// Puts one bill into the queue.
  private func enqueue() async throws {
    let outbox = RabbitOutbox(
      try RabbitSettings(url: try TestServers.rabbit()), topology: try Topology(prefix: prefix, ladder: [3600]))
    let body = #"{"Data":{"Page1":[{"FBillNo":"SO-1"}],"Page2":[]}}"#
    let bill = Envelope(
      orderID: OrderID(rawValue: 1), orderNumber: "SO-1", revision: 1,
      updateTime: BeijingTime(epochSeconds: 1_770_000_000), firstSeen: 1,
      content: .bill(
        Bill(object: "SO", number: "SO-1", body: Array(body.utf8)), BillRoute(strategy: "sales-order", stream: "SO")))
    let results = await outbox.publish([Parcel(to: .queue(.bills), .envelope(bill))])
    await outbox.close()
    try #require(results == [.confirmed])
  }

  @Test(
    "SIGTERM while K/3 holds a Save: the loader ends with 0 when its budget is over, and the message is still there")
  func shutdownBudget() async throws {
    let k3 = FrozenK3()
    defer { k3.stop() }
    var settings = try settings(k3)
    // Longer than the budget: without it the loader would end with the Save's timeout, and the message would be settled.
    settings["FERRY_K3_SAVE_TIMEOUT_SECONDS"] = "30"
    try await migrate(settings)
    try await enqueue()
    let loader = try Program("ferry", ["load"], environment: settings)
    defer { loader.kill() }
    try await k3.saves.wait { !$0.isEmpty }
    #expect(await loader.stop() == 0, "\(loader.output)")
    try #require(loader.output.contains("The shutdown budget is over"), "\(loader.output)")
    #expect(k3.saves.events.count == 1)

    let connection = try await connect()
    // The broker takes a moment to see that the loader is gone. A message that was settled lies in the delay queue.
    var (message, settled): (AMQPDelivery?, AMQPDelivery?)
    while message == nil, settled == nil {
      try Task.checkCancellation()
      message = try await connection.get(queue: prefix + "bills")
      settled = try await connection.get(queue: prefix + "bills.retry.3600s")
    }
    #expect(settled == nil)
    #expect(message?.redelivered == true)
    await connection.close()
  }

  @Test("a loader that gets no answer from K/3 is not ready and says who is away, at /readyz and as a metric")
  func readiness() async throws {
    let k3 = FrozenK3()
    defer { k3.stop() }
    var settings = try settings(k3)
    settings["FERRY_K3_SAVE_TIMEOUT_SECONDS"] = "1"
    try await migrate(settings)
    let loader = try Program("ferry", ["load"], environment: settings)
    defer { loader.kill() }
    let isServed = await loader.printed("Health and metrics are served")
    try #require(isServed, "\(loader.output)")
    let line = try #require(loader.output.split(separator: "\n").first { $0.contains("Health and metrics are served") })
    let marker = try #require(line.firstRange(of: "\"port\":\"")).upperBound
    let admin = "http://127.0.0.1:\(line[marker...].prefix { $0.isNumber })"
    try await until { try await ask(admin + "/readyz").status == 200 }
    try await enqueue()
    // The doubt is counted after the worker has noted who is away.
    try await until { try await ask(admin + "/metrics").body.contains(#"outcome="later",reason="in_doubt""#) }
    let answer = try await ask(admin + "/readyz")
    #expect(answer.status == 503)
    #expect(answer.body == "load: K/3 WISE is away\n")
    let metrics = try await ask(admin + "/metrics").body
    #expect(metrics.contains(#"ferry_paused{partner="k3",stage="load"} 1"#))
    #expect(metrics.contains(#"ferry_paused{partner="postgresql",stage="load"} 0"#))
    #expect(metrics.contains("# HELP ferry_paused "))
    #expect(await loader.stop() == 0)
  }

  @Test("a role that starts before ferry migrate names it: for the queue and for the tables")
  func unmigrated() async throws {
    let k3 = FrozenK3()
    defer { k3.stop() }
    let loader = try Program("ferry", ["load"], environment: try settings(k3))
    defer { loader.kill() }
    for sentence in ["no queue '\(prefix)bills' in vhost", "missing or too old in schema \(schema)"] {
      #expect(await loader.printed(sentence), "\(loader.output)")
      let line = loader.output.split(separator: "\n").first { $0.contains(sentence) }
      #expect(line?.contains("run `ferry migrate`") == true, "\(loader.output)")
    }
    #expect(await loader.stop() == 0)
  }

  @Test("ferry migrate lists every queue that was declared otherwise and exits 78")
  func declaredOtherwise() async throws {
    let k3 = FrozenK3()
    defer { k3.stop() }
    let connection = try await connect()
    let names = ["orders", "bills.dead"].map { prefix + $0 }
    for name in names { try await connection.declareQueue(name: name) }
    let migrate = try Program("ferry", ["migrate"], environment: try settings(k3))
    #expect(await migrate.exit() == 78)
    for name in names {
      #expect(
        migrate.output.contains("PROBLEM  The queue \(name) is of type \"classic\", not quorum"), "\(migrate.output)")
    }
    #expect(!migrate.output.contains("406"))
    #expect(migrate.output.contains("PostgreSQL: applied 1"))
    for name in names { try await connection.deleteQueue(name) }
    await connection.close()
  }
}
