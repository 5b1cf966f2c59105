import DriverThread
import Testing

@testable import AMQP

#if canImport(Glibc)
  import Glibc
#endif

@Suite(.timeLimit(.minutes(1))) struct DeliveryInboxTests {
  private func deliver(_ count: UInt64, to inbox: DeliveryInbox) {
    var fifo = Fifo<AMQPDelivery>()
    for tag in 1...count {
      fifo.append(
        AMQPDelivery(
          tag: tag, redelivered: false, exchange: "", routingKey: "", properties: AMQPProperties(), body: []))
    }
    inbox.deliver(&fifo)
  }

  private let hour = AMQPGathering(enough: 3, atMost: .seconds(3_600))

  /// Reads, and tells when the thread is to answer.
  private func gather(
    from inbox: DeliveryInbox, _ told: Probe<ContinuousClock.Instant?>
  ) async throws -> [AMQPDelivery] {
    try await inbox.next(max: 10, hour) {
      let due = inbox.due
      told.change { $0 = due }
    }
  }

  private func due(_ told: Probe<ContinuousClock.Instant?>) async throws -> ContinuousClock.Instant {
    try await told.until { $0 != nil }
    return try #require(told.value)
  }

  @Test("what is there when a reader comes to gather is due from its arrival on, and the thread is told")
  func dueAfterwards() async throws {
    let inbox = DeliveryInbox()
    inbox.begin()
    let before = ContinuousClock.now
    deliver(1, to: inbox)
    #expect(inbox.due == nil)
    let arrived = ContinuousClock.now
    let told = Probe<ContinuousClock.Instant?>(nil)
    async let taken = gather(from: inbox, told)
    let due = try await due(told)
    #expect(before + hour.atMost <= due && due <= arrived + hour.atMost)
    inbox.answerDue(due - .nanoseconds(1))
    #expect(inbox.due == due)
    inbox.answerDue(due)
    #expect(try await taken.count == 1)
    #expect(inbox.due == nil)
  }

  @Test("what a reader left is as old as it was")
  func leftOver() async throws {
    let inbox = DeliveryInbox()
    inbox.begin()
    deliver(4, to: inbox)
    #expect(try await inbox.next(max: 2, .none) {}.count == 2)
    let later = ContinuousClock.now
    let told = Probe<ContinuousClock.Instant?>(nil)
    async let taken = gather(from: inbox, told)
    let due = try await due(told)
    #expect(due < later + hour.atMost)
    deliver(1, to: inbox)
    #expect(try await taken.count == 3)
  }

  @Test("a thread that is about to sleep looks once more, and one that sleeps is woken")
  func nudged() {
    let mailbox = Mailbox()
    /// A thread that sleeps would wake.
    func isWoken() -> Bool {
      var polled = pollfd(fd: mailbox.wakeup.descriptor, events: Int16(POLLIN), revents: 0)
      return poll(&polled, 1, 0) == 1
    }
    mailbox.nudge()
    #expect(!isWoken())
    #expect(!mailbox.rest())
    _ = mailbox.take(stall: .seconds(1), publishDeadline: nil, unsent: 0)
    #expect(mailbox.rest())
    #expect(!isWoken())
    mailbox.nudge()
    #expect(isWoken())
    #expect(!mailbox.rest())
  }
}
