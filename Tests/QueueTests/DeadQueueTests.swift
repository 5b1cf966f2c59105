import AMQP
import JSON
import Orders
import Pipeline
import PipelineTesting
import Testing

@testable import Queue

@Suite("Dead queues on the broker", .timeLimit(.minutes(3)))
struct DeadQueueTests {
  private func bill(_ id: Int64) -> Envelope {
    var envelope = Envelope(
      orderID: OrderID(rawValue: id), orderNumber: "SO-\(id)", revision: 4,
      updateTime: BeijingTime(epochSeconds: 1_700_000_000), firstSeen: 1_700_000_000_007,
      content: .bill(
        Bill(object: "SO", number: "SO-\(id)", body: Array(#"{"Data":{}}"#.utf8)),
        BillRoute(strategy: "sales-order", stream: "SO", part: BillRoute.Part(2, of: 3), beside: ["SO"])))
    envelope.attempt = 5
    return envelope
  }

  private func publish(_ parcel: Parcel, _ broker: FreshTopology) async {
    let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
    #expect(await outbox.publish([parcel]) == [.confirmed])
    await outbox.close()
  }

  private func letters(_ stage: StageName, _ broker: FreshTopology) async throws -> [DeadLetter] {
    let queues = RabbitDeadQueues(broker.settings, topology: broker.topology)
    var letters: [DeadLetter] = []
    while letters.isEmpty {
      let taken = try await queues.take(stage, max: 10)
      queues.acknowledge(taken)
      letters += taken.map(\.letter)
      if letters.isEmpty { return try await self.letters(stage, broker) }
    }
    await queues.close()
    return letters
  }

  @Test("on RabbitMQ", arguments: deadQueuesContract)
  func rabbit(_ sentence: ContractCase<DeadQueuesSubject>) async throws {
    try await withTopology { broker async throws in
      try await sentence.check(
        DeadQueuesSubject(
          open: { RabbitDeadQueues(broker.settings, topology: broker.topology) },
          park: { letter in
            var message = DeadLetterCoding(topology: broker.topology).message(again: letter, now: 1)
            message.routingKey = broker.topology.routingKey(to: .dead(letter.stage))
            try await broker.publish(message)
          },
          worked: { stage, count in
            try await broker.deliveries(broker.topology.name(of: stage.queue), count: count).map(\.body)
          }))
    }
  }

  @Test("in memory", arguments: deadQueuesContract)
  func memory(_ sentence: ContractCase<DeadQueuesSubject>) async throws {
    let queues = MemoryDeadQueues()
    try await sentence.check(
      DeadQueuesSubject(
        open: { queues }, park: { queues.park($0) },
        worked: { stage, _ in queues.published.filter { $0.stage == stage }.map(\.body) }))
  }

  @Test("a letter tells all that a worker buried, and published again it is the same message on its first attempt")
  func buried() async throws {
    try await withTopology { broker async throws in
      var last = bill(7)
      last.lastReason = Reason(.k3Busy, "busy")
      let burial = Outcome.Burial(Reason(.k3Rejected, "material unknown"), vendorAnswer: "物料不存在")
      await publish(Parcel(to: .dead(.load), .envelope(last), burial: burial), broker)
      let letter = try #require(try await letters(.load, broker).first)
      #expect(letter.stage == .load && letter.reason == "k3_rejected" && letter.sentence == "material unknown")
      #expect(letter.orderID?.rawValue == 7 && letter.orderNumber == "SO-7" && letter.revision == 4)
      #expect(letter.attempts == 5 && letter.firstSeen == 1_700_000_000_007 && letter.vendorAnswer == "物料不存在")
      #expect(letter.parkedAt > 1_700_000_000_000 && letter.body == Array(#"{"Data":{}}"#.utf8))

      let queues = RabbitDeadQueues(broker.settings, topology: broker.topology)
      #expect(await queues.publishAgain([letter]) == [.confirmed])
      await queues.close()
      let delivery = try #require(try await broker.deliveries(broker.topology.name(of: .bills), count: 1).first)
      var fresh = bill(7)
      fresh.attempt = 1
      #expect(try EnvelopeCoding(topology: broker.topology).envelope(of: delivery, in: .bills).get() == fresh)
      #expect(delivery.properties.persistent && delivery.properties[header: "ferry-replayed"] != nil)
      #expect(delivery.properties[header: "ferry-parked-reason"] == nil)
    }
  }

  @Test(
    "a letter that the broker moved itself carries the broker's word for it", arguments: ["rejected", "delivery_limit"])
  func moved(_ word: String) async throws {
    var limits = Topology.Limits()
    limits.deliveries = 2
    try await withTopology(limits: limits) { broker async throws in
      await publish(Parcel(to: .queue(.bills), .envelope(bill(9))), broker)
      let queue = broker.topology.name(of: .bills)
      let connection = try await AMQPConnection.open(broker.settings.options(for: "test"))
      try await connection.consume(queue: queue, prefetch: 1)
      for _ in 0..<(word == "rejected" ? 1 : 3) {
        let lent = try await connection.deliveries(max: 1)
        connection.reject(lent.map(\.tag), requeue: word != "rejected")
      }
      let letter = try #require(try await letters(.load, broker).first)
      await connection.close()
      #expect(letter.reason == word && letter.sentence.contains("RabbitMQ has moved it from the queue \(queue)"))
      #expect(letter.orderID?.rawValue == 9 && letter.attempts == 5 && letter.parkedAt > 1_700_000_000_000)
      let told = try JSONDocument(Array(letter.properties.utf8)).root
      #expect(told["headers"]?["x-death"]?[0]?["reason"]?.string == word)

      let queues = RabbitDeadQueues(broker.settings, topology: broker.topology)
      #expect(await queues.publishAgain([letter]) == [.confirmed])
      await queues.close()
      let again = try #require(try await broker.deliveries(queue, count: 1).first)
      #expect(again.properties.headers.allSatisfy { $0.name.hasPrefix("ferry-") })
    }
  }
}
