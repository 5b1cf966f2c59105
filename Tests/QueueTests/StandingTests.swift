import AMQP
import AMQPTesting
import Dispatch
import Orders
import Pipeline
import PipelineTesting
import Synchronization
import TestSockets
import Testing

@testable import Queue

@Suite("How a connection to the broker stands", .timeLimit(.minutes(1)))
struct StandingTests {
  @Test("a broker that holds publishers back is told from one that is not there, with its words, and when it lets go")
  func blocked() async throws {
    let letGo = DispatchSemaphore(value: 0)
    let peer = try FakePeer { session in
      try session.letPublish()
      try session.publishes(1)
      try session.send([10, 60], Bytes().text("low on memory"), channel: 0)
      try session.send([60, 80], Bytes().longlong(2).byte(0))
      letGo.wait()
      try session.send([10, 61], channel: 0)
      session.untilEnd()
    }
    defer { letGo.signal() }
    let settings = try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:\(peer.port)/")
    let events = Probe<QueueEvent>()
    let outbox = RabbitOutbox(settings, topology: try Topology(), onEvent: { events.report($0) })
    #expect(outbox.standing == .notConnected)
    #expect(await outbox.publish([Parcel(to: .dead(.load), .unreadable([1]))]) == [.confirmed])
    #expect(outbox.standing == .blocked)
    #expect(!outbox.isReady)
    #expect(events.events == [.connected(1), .blocked("low on memory")])
    letGo.signal()
    try await events.wait { $0.last == .unblocked }
    #expect(outbox.standing == .ready)
    peer.stop()
    await outbox.close()
    #expect(outbox.standing == .notConnected)
  }

  @Test("a broker that holds publishers back from the start answers no attempt, and is no one who denies")
  func blockedAtStart() async throws {
    let letGo = DispatchSemaphore(value: 0)
    let peer = try FakePeer { session in
      try session.selectConfirms()
      // As RabbitMQ does: the method of the first publish is the last that it reads.
      try session.until([60, 40])
      try session.send([10, 60], Bytes().text("low on memory"), channel: 0)
      letGo.wait()
      try session.send([10, 61], channel: 0)
      try session.send([60, 80], Bytes().longlong(1).byte(0))
      session.untilEnd()
    }
    defer { letGo.signal() }
    let settings = try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:\(peer.port)/")
    let events = Probe<QueueEvent>()
    let outbox = RabbitOutbox(settings, topology: try Topology(), onEvent: { events.report($0) })
    #expect(await !outbox.connect())
    #expect(outbox.standing == .blocked)
    #expect(events.events == [.blocked("low on memory"), .connected(1)])
    letGo.signal()
    try await events.wait { $0.last == .unblocked }
    #expect(outbox.standing == .ready)
    peer.stop()
    await outbox.close()
  }

  @Test("a broker that has stopped to deliver still tells how many messages are ready, which is trouble after a minute")
  func silentConsumer() async throws {
    let peer = try FakePeer { session in
      try session.until([60, 10])
      try session.send([60, 11])
      try session.until([60, 20])
      try session.send([60, 21], Bytes().text("c"))
      while true {
        try session.until([50, 10])
        try session.send([50, 11], Bytes().text("orders").long(9).long(1))
      }
    }
    let settings = try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:\(peer.port)/")
    let events = Probe<QueueEvent>()
    let inbox = RabbitInbox(
      settings, topology: try Topology(), stage: .transform, prefetch: 10, onEvent: { events.report($0) })
    #expect(await inbox.ready() == nil)
    let taking = Task { await inbox.next(max: 10) }
    try await events.wait { $0.contains(.connected(1)) }
    var vitality = Vitality(longestBatch: .seconds(600))
    let start = ContinuousClock.now
    var troubles: [Vitality.Trouble?] = []
    for look in 0...5 {
      let activity = WorkerActivity(isHeldBack: !inbox.isReady, taken: 0, oldestBatch: nil)
      troubles.append(vitality.note(activity, ready: await inbox.ready(), at: start + .seconds(look * 15)))
    }
    #expect(troubles == [nil, nil, nil, nil, nil, .notConsuming(ready: 9)])
    peer.stop()
    await inbox.stop()
    try await ended(taking)
    #expect(await inbox.ready() == nil)
    await inbox.close()
  }

  @Test("an inbox whose queue was deleted lacks a queue, not a connection, and takes up again when there is one")
  func deleted() async throws {
    try await withTopology { broker async throws in
      let name = broker.topology.name(of: .bills)
      let connection = try await AMQPConnection.open(broker.settings.options(for: "test"))
      let events = Probe<QueueEvent>()
      let clock = ManualClock()
      let pacing = Pacing(on: clock)
      let inbox = RabbitInbox(
        broker.settings, topology: broker.topology, stage: .load, prefetch: 1, pacing: pacing,
        onEvent: { events.report($0) })
      let taking = Task { await inbox.next(max: 1) }
      try await events.wait { $0.contains(.connected(1)) }
      #expect(inbox.standing == .ready)
      try await connection.deleteQueue(name)
      try await clock.sleepers(atLeast: 1)
      guard case .missing(let sentence) = inbox.standing else {
        Issue.record("\(inbox.standing)")
        return
      }
      #expect(sentence.contains(name) && sentence.hasSuffix(": run `ferry migrate`"))
      #expect(inbox.standing.sentence == sentence)
      #expect(try await broker.administration.apply().isEmpty)
      clock.advance(by: .seconds(30))
      try await events.wait { $0.contains(.connected(2)) }
      #expect(inbox.standing == .ready)
      await inbox.stop()
      try await ended(taking)
      await inbox.close()
      await connection.close()
    }
  }

  @Test("a connection that has stood for ten seconds ends the growing of pauses, though it carried nothing")
  func proven() async throws {
    let settings = try RabbitSettings(url: try TestServers.rabbit())
    let events = Probe<QueueEvent>()
    let clock = ManualClock()
    let pacing = Pacing(on: clock, chance: 0.5)
    let failures = Mutex(3)
    let session = RabbitSession(settings.options(for: "test"), pacing: pacing, onEvent: { events.report($0) }) {
      _ throws(AMQPFailure) in
      let fails = failures.withLock { left in
        defer { left -= 1 }
        return left > 0
      }
      if fails { throw .connectionLost("planned") }
    }
    let upkeep = Task { await session.stayConnected() }
    for milliseconds in [250, 500, 1_000] {
      try await clock.sleepers(atLeast: 1)
      clock.advance(by: .milliseconds(milliseconds))
    }
    try await events.wait { $0.contains(.connected(1)) }
    for _ in 0..<10 {
      try await clock.sleepers(atLeast: 1)
      clock.advance(by: .seconds(1))
    }
    try await clock.sleepers(atLeast: 1)
    await session.drop(try #require(session.live), .connectionLost("planned"))
    clock.advance(by: .seconds(1))
    let pauses = try await events.wait { $0.count { if case .pausing = $0 { true } else { false } } == 4 }
    #expect(pauses.last == .pausing(milliseconds: 250))
    await session.close()
    try await ended(upkeep)
  }
}
