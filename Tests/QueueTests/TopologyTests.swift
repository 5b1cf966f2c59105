import AMQP
import Pipeline
import Testing

@testable import Queue

@Suite("The topology as data")
struct TopologyTests {
  @Test("each stage has its queue, its ladder and its dead queue")
  func queues() throws {
    let topology = try Topology(prefix: "p.", ladder: [60, 10])
    #expect(
      topology.queues.map(\.name) == [
        "p.orders", "p.orders.retry.10s", "p.orders.retry.60s", "p.orders.dead",
        "p.bills", "p.bills.retry.10s", "p.bills.retry.60s", "p.bills.dead",
      ])
    #expect(topology.queues.map { "p." + $0.routingKey } == topology.queues.map(\.name))
    #expect(topology.exchange == "p.ferry")
  }

  @Test("a delay queue of an earlier ladder is no fault; what only looks like one is")
  func retiredRungs() throws {
    let topology = try Topology(prefix: "p.", ladder: [10, 60])
    #expect(topology.isRetiredRung("p.bills.retry.600s", "bills.retry.600s"))
    for (queue, key) in [
      ("p.bills.retry.600s", "orders.retry.600s"), ("other", "bills.retry.600s"),
      ("p.bills.retry.xs", "bills.retry.xs"),
      ("p.bills", "bills"), ("p.bills.retry.s", "bills.retry.s"),
    ] {
      #expect(!topology.isRetiredRung(queue, key), "\(queue)")
    }
  }

  @Test("a delay is the longest rung not above it, else the shortest")
  func rungs() throws {
    let topology = try Topology(ladder: [10, 60, 600])
    #expect([0, 10, 11, 60, 61, 600, 9_999].map { topology.rung(for: $0) } == [10, 10, 10, 60, 60, 600, 600])
    #expect(topology.routingKey(to: .retry(.load, afterSeconds: 11)) == "bills.retry.10s")
    #expect(topology.routingKey(to: .retry(.load, afterSeconds: 0)) == "bills.retry.10s")
    #expect(topology.routingKey(to: .dead(.transform)) == "orders.dead")
    #expect(topology.routingKey(to: .queue(.bills)) == "bills")
  }

  @Test("a delay queue gives its messages to the stage's queue, and to no other delay queue")
  func flatLadder() throws {
    for queue in try Topology(ladder: [10, 60]).queues {
      guard case .retry(let stage, let seconds) = queue.role else { continue }
      #expect(queue.policy["dead-letter-routing-key"] == .text(stage.queue.rawValue))
      #expect(queue.policy["message-ttl"] == .int(seconds * 1_000))
      #expect(queue.policy["dead-letter-strategy"] == .text("at-least-once"))
    }
  }

  @Test("a dead queue has no limit of any kind, and says so to a broker that has one by default")
  func deadQueues() throws {
    let topology = try Topology()
    for queue in topology.queues {
      guard case .dead = queue.role else { continue }
      #expect(topology.policy(of: queue, brokerMajor: 3) == ["overflow": .text("reject-publish")])
      #expect(
        topology.policy(of: queue, brokerMajor: 4)
          == ["overflow": .text("reject-publish"), "delivery-limit": .int(-1)])
    }
  }

  @Test("a policy's pattern matches one queue only")
  func patterns() throws {
    #expect(Topology.pattern(for: "a.orders.retry.10s") == "^a\\.orders\\.retry\\.10s$")
    let names = try Topology(prefix: "x_1-a.").queues.map(\.name) + ["xx1-aaorders", "x_1-a.orders.dead2"]
    for name in names {
      let regex = try Regex(Topology.pattern(for: name))
      #expect(names.filter { $0.wholeMatch(of: regex) != nil } == [name])
    }
  }

  @Test("prefixes and ladders that cannot be are refused")
  func refusals() {
    for prefix in ["ä", "a b", "a/b", String(repeating: "a", count: 61)] {
      #expect(throws: QueueFailure.self) { try Topology(prefix: prefix) }
    }
    for ladder in [[], [0], [10, 10], [604_801], Array(1...17)] {
      #expect(throws: QueueFailure.self) { try Topology(ladder: ladder) }
    }
  }

  @Test("pauses double from half a second to ten seconds, shortened by chance")
  func backoff() {
    var backoff = Backoff()
    #expect(backoff.pause(chance: 0.5) == 0)
    var pauses: [Double] = []
    for _ in 0..<9 {
      backoff.failed(.loss)
      pauses.append(backoff.pause(chance: 0.5))
    }
    #expect(pauses == [0.25, 0.5, 1, 2, 4, 5, 5, 5, 5])
    #expect(backoff.pause(chance: 0) == 0)
    backoff.worked()
    backoff.failed(.loss)
    #expect(backoff.pause(chance: 0.5) == 0.25)
    backoff.worked()
    backoff.failed(.refusal)
    #expect(backoff.pause(chance: 0) == 15)
  }

  @Test("what is missing is asked for again within five seconds: it may be there again in a moment")
  func backoffOfMissing() {
    var backoff = Backoff()
    for _ in 0..<6 {
      backoff.failed(.missing)
      #expect(backoff.pause(chance: 0) == 2.5 && backoff.pause(chance: 1) == 5)
    }
    #expect(AMQPFailure.channelClosed(code: 404, text: "NOT_FOUND - no queue").cause == .missing)
    #expect(AMQPFailure.channelClosed(code: 403, text: "ACCESS_REFUSED").cause == .refusal)
    // As RabbitMQ 3.10 writes it.
    let timeout = "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 2000 ms."
    #expect(AMQPFailure.channelClosed(code: 406, text: timeout).cause == .loss)
    #expect(AMQPFailure.channelClosed(code: 406, text: "PRECONDITION_FAILED - inequivalent arg").cause == .refusal)
    #expect(AMQPFailure.connectionLost("planned").cause == .loss)
  }

  @Test("base64 as RFC 4648 has it")
  func base64Vectors() {
    let vectors = ["": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "fooba": "Zm9vYmE="]
    for (text, coded) in vectors { #expect(base64(Array(text.utf8)) == coded) }
    #expect(base64([0xff, 0xfe, 0xfd]) == "//79")
  }
}
