import func TestSockets.ended
import Testing

@testable import AMQP

@Suite(.timeLimit(.minutes(1))) struct PublisherTests {
  /// What comes of something that is to be answered, until the test's time is over.
  private func answer(
    _ ask: @escaping @Sendable (CheckedContinuation<[AMQPPublishResult], Never>) -> Void
  ) async throws -> [AMQPPublishResult] {
    try await ended(Task { await withCheckedContinuation { ask($0) } })
  }

  @Test("at most 256 messages are unconfirmed, and each confirm makes room for as many")
  func window() async throws {
    let results = try await answer { continuation in
      var publisher = Publisher()
      let messages = (0..<600).map { AMQPMessage(exchange: "", routingKey: "q", body: [UInt8($0 & 255)]) }
      publisher.add(
        PublishRequest(
          messages: messages, results: messages.map { _ in nil }, deadline: .now + .seconds(3600),
          continuation: continuation))
      func send() -> Int {
        var count = 0
        while publisher.nextMessage() != nil {
          publisher.markSent()
          count += 1
        }
        return count
      }
      #expect(publisher.unsent == 600)
      #expect(send() == 256)
      #expect(publisher.unsent == 344)
      let first = publisher.settle(tag: 100, multiple: true, refused: false)
      #expect(first)
      #expect(send() == 100)
      let single = publisher.settle(tag: 200, multiple: false, refused: true)
      let repeated = publisher.settle(tag: 200, multiple: false, refused: false)
      let unsent = publisher.settle(tag: 357, multiple: true, refused: false)
      #expect((single, repeated, unsent) == (true, true, false))
      #expect(send() == 1)
      #expect(publisher.unconfirmed == 256)
      publisher.fail("over")
      #expect((publisher.unsent, publisher.unconfirmed) == (0, 0))
    }
    #expect(results[..<100].allSatisfy { $0 == .confirmed })
    #expect(results[199] == .refused)
    #expect(results[100..<199].allSatisfy { $0 == .unknown("over") })
    #expect(results[200..<357].allSatisfy { $0 == .unknown("over") })
    #expect(results[357...].allSatisfy { $0 == .notSent("over") })
  }

  @Test("a broker that never confirms one message cannot make the books of the others grow without end")
  func span() async throws {
    _ = try await answer { continuation in
      var publisher = Publisher()
      let messages = (0..<20_000).map { _ in AMQPMessage(exchange: "", routingKey: "q", body: []) }
      publisher.add(
        PublishRequest(
          messages: messages, results: messages.map { _ in nil }, deadline: .now + .seconds(3600),
          continuation: continuation))
      var tag: UInt64 = 0
      while publisher.nextMessage() != nil {
        publisher.markSent()
        tag += 1
        if tag > 1 { _ = publisher.settle(tag: tag, multiple: false, refused: false) }
      }
      #expect(tag == UInt64(Publisher.span))
      #expect(publisher.unconfirmed == 1)
      _ = publisher.settle(tag: 1, multiple: false, refused: false)
      #expect(publisher.nextMessage() != nil)
      publisher.fail("over")
    }
  }

  @Test("more messages than may wait are refused at once, and room comes back")
  func limit() async throws {
    let mailbox = Mailbox()
    let request = { @Sendable (count: Int, continuation) in
      PublishRequest(
        messages: (0..<count).map { _ in AMQPMessage(exchange: "", routingKey: "q", body: []) },
        results: (0..<count).map { _ in nil }, deadline: .now + .seconds(3600), continuation: continuation)
    }
    let refused = try await answer { mailbox.post(request(Mailbox.limit + 1, $0)) }
    #expect(refused.count == Mailbox.limit + 1)
    #expect(refused.last == .notSent("too many messages wait to be published"))
    let full = Task { await withCheckedContinuation { mailbox.post(request(Mailbox.limit, $0)) } }
    var mail = Mail()
    while mail.publishes.isEmpty {
      try Task.checkCancellation()
      await Task.yield()
      mail = mailbox.take(stall: .seconds(30), publishDeadline: nil, unsent: 0)
    }
    let more = try await answer { mailbox.post(request(1, $0)) }
    #expect(more == [.notSent("too many messages wait to be published")])
    _ = mailbox.take(stall: .seconds(30), publishDeadline: nil, unsent: 0)
    let fits = Task { await withCheckedContinuation { mailbox.post(request(1, $0)) } }
    var later = Mail()
    while later.publishes.isEmpty {
      try Task.checkCancellation()
      await Task.yield()
      later = mailbox.take(stall: .seconds(30), publishDeadline: nil, unsent: 0)
    }
    for request in mail.publishes + later.publishes { request.refuse("over") }
    #expect(try await ended(full).count == Mailbox.limit)
    #expect(try await ended(fits) == [.notSent("over")])
  }
}
