import AMQP
import Curl
import Orders
import Pipeline
import PipelineTesting
import TestSockets
import Testing

@testable import Queue

/// A virtual host and a user of one test's own, with an exchange and queues that the broker's own user has made in it.
private struct ClosedHost: Sendable {
  private let management: Management
  private let user = "test-\(TestServers.freshWord())"
  private let host = "test-\(TestServers.freshWord())"
  let topology: Topology
  let settings: RabbitSettings
  private let operating: RabbitSettings

  init() async throws {
    let url = try TestServers.rabbit()
    management = try Management(try TestServers.rabbitManagement())
    topology = try Topology(prefix: "t.", ladder: [1])
    let own = try AMQPAddress(url)
    let at = try #require(url.lastIndex(of: "@"))
    let place = "\(url[url.index(after: at)...])\(host)"
    settings = try RabbitSettings(url: "amqp://\(user):secretword@\(place)")
    operating = try RabbitSettings(url: "amqp://\(own.user):\(own.password)@\(place)")
    try await management.ask(.put, "users/\(user)", #"{"password":"secretword","tags":""}"#)
    try await makeHost()
  }

  func makeHost() async throws {
    try await management.ask(.put, "vhosts/\(host)")
    let own = operating.address.user
    try await management.ask(.put, "permissions/\(host)/\(own)", #"{"configure":".*","write":".*","read":".*"}"#)
    let connection = try await AMQPConnection.open(operating.options(for: "test"))
    try await connection.declareExchange(name: topology.exchange, type: "direct")
    for queue in topology.queues {
      try await connection.declareQueue(name: queue.name, arguments: [AMQPHeader("x-queue-type", .string("quorum"))])
      try await connection.bindQueue(name: queue.name, exchange: topology.exchange, routingKey: queue.routingKey)
    }
    await connection.close()
  }

  func removeHost() async throws { try await management.ask(.delete, "vhosts/\(host)") }

  func allow(write: String, read: String) async throws {
    try await management.ask(
      .put, "permissions/\(host)/\(user)", #"{"configure":"^$","write":"\#(write)","read":"\#(read)"}"#)
  }

  /// How many connections the virtual host takes.
  func limit(_ connections: Int) async throws {
    try await management.ask(.put, "vhost-limits/\(host)/max-connections", #"{"value":\#(connections)}"#)
  }

  /// How many messages all queues hold.
  func messages() async throws -> Int {
    let connection = try await AMQPConnection.open(operating.options(for: "test"))
    var count = 0
    for queue in topology.queues { count += try await connection.purgeQueue(queue.name) }
    await connection.close()
    return count
  }

  func remove() async throws {
    try await removeHost()
    try await management.ask(.delete, "users/\(user)")
  }
}

@Suite("Rights of the broker's user", .timeLimit(.minutes(2)))
struct RightsTests {
  /// Waits of a connection, which pass at once.
  private let hasty = Pacing(sleep: { _ in await Task.yield() }, random: { 0 }, now: { 0 })

  private func withHost(_ body: (ClosedHost) async throws -> Void) async throws {
    let host = try await ClosedHost()
    let result: Result<Void, any Error>
    do { result = .success(try await body(host)) } catch { result = .failure(error) }
    try await host.remove()
    try result.get()
  }

  private func denial(_ standing: QueueStanding) -> String? {
    if case .denied(let sentence) = standing { sentence } else { nil }
  }

  @Test("an outbox that may not write to the exchange learns it before it has anything to publish, and when it may")
  func outbox() async throws {
    try await withHost { host in
      try await host.allow(write: "^$", read: ".*")
      let events = Probe<QueueEvent>()
      let outbox = RabbitOutbox(host.settings, topology: host.topology, pacing: hasty) { events.report($0) }
      #expect(await !outbox.connect())
      let told = try #require(denial(outbox.standing))
      #expect(told.hasPrefix("RabbitMQ refuses us: ") && told.contains("access to exchange 't.ferry'"), "\(told)")
      #expect(!events.events.contains(.connected(1)))
      try await host.allow(write: ".*", read: ".*")
      #expect(await outbox.connect())
      #expect(outbox.standing == .ready)
      await outbox.close()
      // What it was tried with is in no queue.
      #expect(try await host.messages() == 0)
    }
  }

  @Test("an inbox that may not read its queue is denied it, and consumes when it may")
  func inbox() async throws {
    try await withHost { host in
      try await host.allow(write: ".*", read: "^$")
      let events = Probe<QueueEvent>()
      let clock = ManualClock()
      let pacing = Pacing(on: clock)
      let inbox = RabbitInbox(
        host.settings, topology: host.topology, stage: .load, prefetch: 1, pacing: pacing
      ) { events.report($0) }
      let taking = Task { await inbox.next(max: 1) }
      try await clock.sleepers(atLeast: 1)
      #expect(denial(inbox.standing)?.contains("access to queue 't.bills'") == true, "\(inbox.standing)")
      try await host.allow(write: ".*", read: ".*")
      // The next try is as far away as after every refusal.
      #expect(events.events.contains(.pausing(milliseconds: 15_000)))
      clock.advance(by: .seconds(15))
      try await events.wait { $0.contains(.connected(1)) }
      #expect(inbox.standing == .ready)
      await inbox.stop()
      try await ended(taking)
      await inbox.close()
    }
  }

  @Test("a virtual host that lets the user not in, or is gone, is a denial; a full one is none, nor is a bad login")
  func host() async throws {
    try await withHost { host in
      let outbox = RabbitOutbox(host.settings, topology: host.topology, pacing: hasty)
      #expect(await !outbox.connect())
      #expect(denial(outbox.standing)?.contains("vhost") == true, "\(outbox.standing)")
      try await host.allow(write: ".*", read: ".*")
      #expect(await outbox.connect())
      await outbox.close()

      let late = RabbitOutbox(host.settings, topology: host.topology, pacing: hasty)
      try await host.limit(0)
      #expect(await !late.connect())
      guard case .refused(let full) = late.standing else {
        Issue.record("\(late.standing)")
        return
      }
      #expect(full.contains("limit"), "\(full)")
      try await host.removeHost()
      #expect(await !late.connect())
      #expect(denial(late.standing)?.contains("not found") == true, "\(late.standing)")
      await late.close()
      try await host.makeHost()

      let stranger = try RabbitSettings(url: try TestServers.rabbit().replacing("@", with: "wrong@"))
      let refused = RabbitOutbox(stranger, topology: host.topology, pacing: hasty)
      #expect(await !refused.connect())
      guard case .refused = refused.standing else {
        Issue.record("\(refused.standing)")
        return
      }
      await refused.close()
    }
  }

  @Test("before ferry migrate an outbox lacks its exchange, though it has nothing to publish")
  func unmigrated() async throws {
    let broker = try FreshTopology()
    let outbox = RabbitOutbox(broker.settings, topology: broker.topology, pacing: hasty)
    #expect(await !outbox.connect())
    guard case .missing(let sentence) = outbox.standing else {
      Issue.record("\(outbox.standing)")
      return
    }
    #expect(sentence.contains(broker.topology.exchange) && sentence.hasSuffix("run `ferry migrate`"))
    await outbox.close()
    await broker.administration.close()
  }
}
