import Ledger
import Logging
import Orders
import Pipeline
import PipelineTesting
import PostgreSQL
import Queue
import Telemetry
import Testing

@testable import ferry

@Suite("ferry migrate --restored", .timeLimit(.minutes(2)))
struct RestoredTests {
  /// An installation of one test's own, with an order in its queue.
  private final class Site {
    let wiring: Wiring
    let schema: String
    let administration: RabbitAdministration

    init() async throws {
      let word = TestServers.freshWord()
      schema = "restored_\(word)"
      let changes = [
        "FERRY_POSTGRES_URL": try TestServers.postgres(), "FERRY_POSTGRES_SCHEMA": schema,
        "FERRY_RABBITMQ_URL": try TestServers.rabbit(),
        "FERRY_RABBITMQ_MANAGEMENT_URL": try TestServers.rabbitManagement(),
        "FERRY_QUEUE_PREFIX": "restored-\(word).", "FERRY_RETRY_SECONDS": "1",
      ]
      let environment = SettingsTests.complete.merging(changes) { _, new in new }
      wiring = Wiring(
        settings: try Settings(environment: environment, roles: Role.all), logger: Logger(label: "test"),
        registry: MetricsRegistry())
      #expect(await wiring.migrate().problems.isEmpty)
      administration = try wiring.administration()
      let outbox = RabbitOutbox(try wiring.rabbit(), topology: try wiring.topology())
      let order = Envelope(
        orderID: OrderID(rawValue: 1), orderNumber: "S1", revision: 1, updateTime: BeijingTime(epochSeconds: 1),
        firstSeen: 1, content: .order(Array("{}".utf8)))
      #expect(await outbox.publish([Parcel(to: .queue(.orders), .envelope(order))]) == [.confirmed])
      await outbox.close()
    }

    func database() throws -> LedgerDatabase {
      var options = wiring.ledgerOptions
      options.connections = 1
      return try LedgerDatabase(options)
    }

    /// Why nobody may work on the ledger.
    func refusal() async throws -> String {
      let database = try database()
      let refusal = try await Migrator(database).refusal()
      await database.close()
      return refusal.map { "\($0)" } ?? ""
    }

    var messages: Int {
      get async throws { try await administration.queueDepths().reduce(0) { $0 + Int($1.messages) } }
    }

    /// What the command says is in the way.
    func problems() async throws -> [String] {
      let again = Wiring(settings: wiring.settings, logger: wiring.logger, registry: MetricsRegistry())
      return await again.migrate(.begin).problems.map { Startup.sentence(of: $0) }
    }

    /// Runs a test on an installation of its own, and removes it after it.
    static func with(_ body: (Site, LedgerDatabase) async throws -> Void) async throws {
      let site = try await Site()
      let database = try site.database()
      let result: Result<Void, any Error>
      do { result = .success(try await body(site, database)) } catch { result = .failure(error) }
      await database.close()
      try await site.remove()
      try result.get()
    }

    private func remove() async throws {
      try await administration.remove()
      await administration.close()
      let client = PostgresClient(PostgresOptions(url: try TestServers.postgres()))
      _ = try await client.run(PostgresStatement("DROP SCHEMA \"\(schema)\" CASCADE"))
      await client.close()
    }
  }

  @Test("while a poller leads nothing is removed, and the ledger stays as it is")
  func polled() async throws {
    try await Site.with { site, database in
      let poller = PostgresPollLedger(database)
      #expect(try await poller.lead())
      let problems = try await site.problems()
      #expect(problems.count == 1 && problems.first?.contains("a poller still works") == true, "\(problems)")
      #expect(try await site.messages == 1)
      #expect(try await poller.lead())
      #expect(try await site.refusal() == "")
      await poller.resign()
      #expect(try await site.problems() == [])
      #expect(try await site.messages == 0)
    }
  }

  @Test("while a worker takes messages nothing is removed, and the ledger stays as it is")
  func consumed() async throws {
    try await Site.with { site, _ in
      let inbox = RabbitInbox(
        try site.wiring.rabbit(), topology: try site.wiring.topology(), stage: .transform, prefetch: 1)
      let taken = await inbox.next(max: 1)
      #expect(taken.count == 1)
      let problems = try await site.problems()
      #expect(problems.count == 1 && problems.first?.contains("a worker still takes messages") == true, "\(problems)")
      #expect(try await site.refusal() == "")
      await inbox.close()
    }
  }

  @Test("before it is accepted letters are neither filed nor sent again")
  func letters() async throws {
    try await Site.with { site, database in
      try await LedgerRestore(database).begin()
      await #expect(throws: LedgerFailure.self) { _ = try await site.wiring.deadLetters() }
      _ = try await LedgerRestore(database).accept()
      let (office, queues) = try await site.wiring.deadLetters()
      #expect(try await office.collect() == 0)
      await queues.close()
    }
  }

  @Test("it is written down before the queues are emptied: cut off between, nobody works until it is run again")
  func cutOff() async throws {
    try await Site.with { site, database async throws in
      struct CutOff: Error {}
      await #expect(throws: CutOff.self) {
        _ = try await site.wiring.accept(LedgerRestore(database), with: site.administration) { throw CutOff() }
      }
      #expect(try await site.messages == 1)
      #expect(try await site.refusal().contains("ferry migrate --restored"))
      #expect(try await site.problems() == [])
      #expect(try await site.messages == 0)
      #expect(try await site.refusal() == "")
      #expect(try await LedgerRestore(database).isOpen())
    }
  }
}
