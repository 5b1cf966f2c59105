public import Pipeline
import Synchronization

/// A stage's queue of a `MemoryBroker`.
public final class MemoryInbox: Inbox {
  private struct State {
    var lent: [UInt64: MemoryBroker.Message] = [:]
    var isStopped = false
    var waiting: Set<UInt64> = []
  }

  private let broker: MemoryBroker
  private let queue: QueueName
  private let state = Mutex(State())

  /// An inbox.
  public init(_ broker: MemoryBroker, stage: StageName) {
    self.broker = broker
    queue = stage.queue
  }

  /// Whether it has not been stopped.
  public var isReady: Bool { !isStopped }

  /// Whether it takes no more.
  public var isStopped: Bool { state.withLock(\.isStopped) }

  /// Messages lent and not acknowledged.
  public var lentCount: Int { state.withLock(\.lent.count) }

  /// Waits for messages, as the port says.
  public func next(max: Int) async -> [Delivery] {
    let id = broker.waiterID()
    return await withTaskCancellationHandler {
      while isReady, !Task.isCancelled {
        let taken = broker.take(from: queue, max: Swift.max(max, 1))
        if !taken.isEmpty {
          state.withLock { state in
            for message in taken { state.lent[message.id] = message }
          }
          return taken.map { message in
            var delivery = Delivery(
              receipt: Delivery.Receipt(session: 1, tag: message.id), envelope: message.envelope, body: message.body)
            delivery.returns = message.returns
            return delivery
          }
        }
        state.withLock { _ = $0.waiting.insert(id) }
        await broker.wait(for: queue, id) { !self.isReady || Task.isCancelled }
        state.withLock { _ = $0.waiting.remove(id) }
      }
      return []
    } onCancel: {
      broker.wakeUp(id)
    }
  }

  /// Settles deliveries.
  public func acknowledge(_ receipts: [Delivery.Receipt]) {
    state.withLock { state in
      for receipt in receipts where receipt.session == 1 { state.lent[receipt.tag] = nil }
    }
  }

  /// Takes no more.
  public func stop() async {
    let waiting = state.withLock { state in
      state.isStopped = true
      return state.waiting
    }
    for id in waiting { broker.wakeUp(id) }
  }

  /// Gives everything back that is not acknowledged.
  public func close() async {
    await stop()
    let lent = state.withLock { state in
      defer { state.lent = [:] }
      return Array(state.lent.values)
    }
    broker.giveBack(lent, to: queue)
  }
}
