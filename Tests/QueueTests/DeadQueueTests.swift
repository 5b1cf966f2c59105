import AMQP
import AMQPTesting
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

  @Test("a queue is empty when the broker says so, not when it is slow: nobody waits, and all is taken")
  func slow() async throws {
    try await withTopology { broker async throws in
      for id: Int64 in 1...30 {
        await publish(
          Parcel(to: .dead(.load), .envelope(bill(id)), burial: Outcome.Burial(Reason(.k3Rejected, ""))), broker)
      }
      // By its clock every wait is over at once.
      let hasty = Pacing(sleep: { _ in }, random: { 0 }, now: { 1 })
      let queues = RabbitDeadQueues(broker.settings, topology: broker.topology, pacing: hasty)
      var orders: [Int64] = []
      while true {
        let some = try await queues.take(.load, max: 7)
        if some.isEmpty { break }
        orders += some.compactMap { $0.letter.orderID?.rawValue }
        queues.acknowledge(some)
      }
      #expect(orders == Array(1...30))
      await queues.close()
    }
  }

  @Test(
    "a queue that has messages and gives none, and one that does not answer, end the drain with how many are left",
    arguments: [true, false])
  func givesNone(answers: Bool) async throws {
    let peer = try FakePeer { session in
      while true {
        switch try session.next().method {
        case [50, 10]: try session.send([50, 11], Bytes().text("orders.dead").long(9).long(0))
        case [60, 70] where answers: try session.send([60, 72], Bytes().text(""))
        case [60, 70]: return
        default: continue
        }
      }
    }
    let pauses = Probe<Duration>()
    let hasty = Pacing(sleep: { pauses.report($0) }, random: { 0 }, now: { 1 })
    let settings = try RabbitSettings(url: "amqp://guest:guest@127.0.0.1:\(peer.port)/")
    let queues = RabbitDeadQueues(settings, topology: try Topology(), pacing: hasty)
    do throws(BrokerFailure) {
      _ = try await queues.take(.transform, max: 10)
      Issue.record("it was taken for empty")
    } catch {
      let left = answers ? "orders.dead has 9 messages" : "9 messages of the queue"
      #expect(error.description.contains(left), "\(error)")
    }
    // Ten seconds of patience in all.
    #expect(pauses.events.reduce(.zero, +) == (answers ? .milliseconds(9_750) : .zero))
    await queues.close()
    peer.stop()
  }

  @Test("a letter larger than the drain takes is told with its place, and the rest is taken though many of them stay")
  func tooLarge() async throws {
    try await withTopology { broker async throws in
      for id: Int64 in 1...150 {
        var large = bill(id)
        if id != 150 {
          large.content = .bill(
            Bill(object: "SO", number: "SO-\(id)", body: [UInt8](repeating: 0x20, count: 2_000)),
            BillRoute(strategy: "sales-order", stream: "SO"))
        }
        await publish(
          Parcel(to: .dead(.load), .envelope(large), burial: Outcome.Burial(Reason(.k3Rejected, ""))), broker)
      }
      let queues = RabbitDeadQueues(broker.settings, topology: broker.topology, pacing: .live, mostBytes: 1_000)
      var taken: [TakenLetter] = []
      while true {
        let some = try await queues.take(.load, max: 50)
        if some.isEmpty { break }
        taken += some
        queues.acknowledge(some.filter { $0.excess == nil })
      }
      await queues.close()
      #expect(taken.map(\.place.position) == Array(1...150))
      #expect(taken.filter { $0.excess == nil }.map(\.letter.orderID?.rawValue) == [150])
      let first = try #require(taken.first)
      #expect(
        first.excess == "it is larger than 1000 bytes, which is the most that can be filed" && first.letter.body.isEmpty
      )
      #expect(first.place.queue == broker.topology.deadQueue(of: .load) && first.place.messageID == "1-4")
    }
  }

  @Test("a batch holds at most 32 MiB of bodies, or a single larger one", .timeLimit(.minutes(2)))
  func bounded() async throws {
    try await withTopology { broker async throws in
      for size in [20 << 20, 10 << 20, 10 << 20, 40 << 20, 1] {
        try await broker.publish(
          AMQPMessage(
            exchange: "", routingKey: broker.topology.deadQueue(of: .load),
            properties: AMQPProperties(persistent: true), body: [UInt8](repeating: 0x20, count: size)))
      }
      let queues = RabbitDeadQueues(broker.settings, topology: broker.topology)
      var batches: [[Int]] = []
      while true {
        let some = try await queues.take(.load, max: 50)
        if some.isEmpty { break }
        batches.append(some.map(\.letter.body.count))
        queues.acknowledge(some)
      }
      await queues.close()
      #expect(batches == [[20 << 20, 10 << 20], [10 << 20], [40 << 20], [1]])
    }
  }

  @Test("a letter tells all that a worker buried, and published again it is the same message on its first attempt")
  func buried() async throws {
    try await withTopology { broker async throws in
      var last = bill(7)
      last.lastReason = Reason(.k3Busy, "busy")
      var burial = Outcome.Burial(Reason(.k3Rejected, "material unknown"), vendorAnswer: "物料不存在")
      burial.key = "SO-7.2"
      await publish(Parcel(to: .dead(.load), .envelope(last), burial: burial), broker)
      let letter = try #require(try await letters(.load, broker).first)
      #expect(letter.stage == .load && letter.reason == "k3_rejected" && letter.sentence == "material unknown")
      #expect(letter.orderID?.rawValue == 7 && letter.orderNumber == "SO-7" && letter.revision == 4)
      #expect(letter.attempts == 5 && letter.firstSeen == 1_700_000_000_007 && letter.vendorAnswer == "物料不存在")
      let headers = try JSONDocument(Array(letter.properties.utf8)).root["headers"]
      #expect(headers?["ferry-key"]?.string == "SO-7.2")
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
      #expect(delivery.properties[header: "ferry-key"] == nil)
    }
  }

  @Test("the same message parked again for the same reason is known as such, and two failures are told apart")
  func identity() throws {
    let coding = EnvelopeCoding(topology: try Topology())
    let letters = DeadLetterCoding(topology: coding.topology)
    func identity(
      at time: Int64 = 1, _ reason: Reason? = Reason(.k3Rejected, "material unknown"), answer: String = "",
      _ change: (inout Envelope) -> Void = { _ in }
    ) -> String {
      var envelope = bill(7)
      change(&envelope)
      var burial = reason.map { Outcome.Burial($0, vendorAnswer: answer) }
      burial?.key = "SO-7.2"
      let message = coding.message(for: Parcel(to: .dead(.load), .envelope(envelope), burial: burial), now: time)
      return letters.letter(
        AMQPDelivery(
          tag: 1, redelivered: false, exchange: "", routingKey: "", properties: message.properties, body: message.body),
        of: .load
      ).identity
    }
    let first = identity()
    #expect(!first.isEmpty && first == identity(at: 90_000, answer: "at 10:31"))
    #expect(
      first
        == identity {
          $0.attempt = 9
          $0.lastReason = Reason(.k3Busy, "busy")
        })
    // RabbitMQ moves a message once.
    #expect(identity(nil).isEmpty)
    let other = Bill(object: "SO", number: "SO-7", body: [])
    for failure in [
      identity(Reason(.k3Rejected, "customer unknown")), identity(Reason(.conflict, "material unknown")),
      identity { $0 = bill(8) },
      identity { $0.content = .bill(other, BillRoute(strategy: "s", stream: "SO", part: BillRoute.Part(1, of: 3))) },
      identity { $0.content = .bill(other, BillRoute(strategy: "s", stream: "red", part: BillRoute.Part(2, of: 3))) },
      identity { envelope in
        envelope = Envelope(
          orderID: envelope.orderID, orderNumber: envelope.orderNumber, revision: envelope.revision,
          updateTime: envelope.updateTime, firstSeen: envelope.firstSeen + 1, content: envelope.content)
      },
    ] { #expect(first != failure) }
    func unreadable(_ properties: String) -> String {
      var parcel = Parcel(to: .dead(.load), .unreadable([1]), burial: Outcome.Burial(Reason(.undecodable, "odd")))
      parcel.properties = properties
      let message = coding.message(for: parcel, now: Int64.random(in: 0...1_000_000))
      return letters.letter(
        AMQPDelivery(
          tag: 1, redelivered: false, exchange: "", routingKey: "", properties: message.properties, body: [1]),
        of: .load
      ).identity
    }
    #expect(unreadable("{}") == unreadable("{}") && unreadable("{}") != unreadable(#"{"type":"a"}"#))
  }

  /// The letter of a message of the load stage that a worker could not read, and parked.
  private func letterOfUnreadable(_ message: AMQPMessage, _ broker: FreshTopology) async throws -> DeadLetter {
    try await broker.publish(message)
    let inbox = RabbitInbox(broker.settings, topology: broker.topology, stage: .load, prefetch: 1)
    let delivery = try #require(await inbox.next(max: 1).first)
    guard case .failure(let reason) = delivery.envelope else { throw WasRead() }
    var parcel = Parcel(to: .dead(.load), .unreadable(delivery.body), burial: Outcome.Burial(reason))
    parcel.properties = delivery.properties
    await publish(parcel, broker)
    inbox.acknowledge([delivery.receipt])
    await inbox.close()
    return try #require(try await letters(.load, broker).first)
  }

  private struct WasRead: Error {}

  @Test("a message that a worker could not read is replayed with the properties that it came with")
  func unreadable() async throws {
    try await withTopology { broker async throws in
      var message = EnvelopeCoding(topology: broker.topology).message(
        for: Parcel(to: .queue(.bills), .envelope(bill(7))), now: 1_700_000_000_000)
      message.properties.headers.append(AMQPHeader("ferry-format", .int(99)))
      message.properties.headers.removeAll { $0 == AMQPHeader("ferry-format", .int(2)) }
      let letter = try await letterOfUnreadable(message, broker)
      #expect(letter.reason == "undecodable")
      let queues = RabbitDeadQueues(broker.settings, topology: broker.topology)
      #expect(await queues.publishAgain([letter]) == [.confirmed])
      await queues.close()
      let again = try #require(try await broker.deliveries(broker.topology.name(of: .bills), count: 1).first)
      var properties = again.properties
      properties.headers.removeAll { $0.name == "ferry-replayed" || $0.name == "x-delivery-count" }
      #expect(properties.type == "bill" && properties.contentType == "application/json")
      #expect(properties.messageID == message.properties.messageID)
      func sorted(_ headers: [AMQPHeader]) -> [AMQPHeader] { headers.sorted { $0.name < $1.name } }
      var sent = message.properties.headers
      for place in sent.indices where sent[place].name == "ferry-attempt" { sent[place].value = .int(1) }
      #expect(sorted(properties.headers) == sorted(sent) && again.body == message.body)
    }
  }

  @Test("what is no message of the flow as it stands is not published again: it would come back as another letter")
  func noMessage() async throws {
    try await withTopology { broker async throws in
      let reason = Reason(.orderMalformed, "a row does not tell its order")
      await publish(Parcel(to: .dead(.transform), .unreadable([1]), burial: Outcome.Burial(reason)), broker)
      let letter = try #require(try await letters(.transform, broker).first)
      let queues = RabbitDeadQueues(broker.settings, topology: broker.topology)
      guard case .tooLarge(let why) = await queues.publishAgain([letter]).first else {
        Issue.record("it was published")
        return
      }
      #expect(why.contains("discard it"))
      await queues.close()
    }
  }

  @Test("a message that a worker could not read names its order, where it came with it: it can be found and read anew")
  func unreadableOfAnOrder() async throws {
    try await withTopology { broker async throws in
      // What a replay by an earlier program made of an order that the poller had parked: all headers, and no body.
      var message = EnvelopeCoding(topology: broker.topology).message(
        for: Parcel(to: .queue(.bills), .envelope(bill(7))), now: 1_700_000_000_000)
      message.body = []
      let letter = try await letterOfUnreadable(message, broker)
      #expect(letter.reason == "undecodable" && letter.body.isEmpty)
      #expect(letter.orderID?.rawValue == 7 && letter.orderNumber == "SO-7" && letter.revision == 4)
      #expect(letter.attempts == 5 && letter.firstSeen == 1_700_000_000_007)
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
