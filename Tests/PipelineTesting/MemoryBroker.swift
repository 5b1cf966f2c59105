import Orders
public import Pipeline
import Synchronization

/// A parked message, as an operator would find it.
public struct ParkedMessage: Sendable, Equatable {
  /// The message, when it is one of the flow.
  public let envelope: Envelope?
  /// Its body.
  public let body: [UInt8]
  /// Why it is parked, when a worker parked it.
  public let burial: Outcome.Burial?

  /// A parked message.
  public init(envelope: Envelope?, body: [UInt8], burial: Outcome.Burial?) {
    self.envelope = envelope
    self.body = body
    self.burial = burial
  }
}

/// Queues in memory, with delays on a clock that the test moves.
public final class MemoryBroker: Sendable {
  struct Message: Sendable {
    let id: UInt64
    let envelope: Result<Envelope, Reason>
    let body: [UInt8]
    /// How often it came back.
    var returns = 0
  }

  private struct State {
    var ready: [QueueName: [Message]] = [:]
    var parked: [StageName: [ParkedMessage]] = [:]
    var delayed: Set<UInt64> = []
    var serial: UInt64 = 0
    var waiters: [UInt64: (queue: QueueName, wake: CheckedContinuation<Void, Never>)] = [:]
  }

  /// The clock that delays run on.
  public let clock: ManualClock
  private let ladder: [Int]
  private let state = Mutex(State())

  /// An empty broker.
  /// - Parameter ladder: the delays of the retry queues, in seconds, growing.
  public init(clock: ManualClock, ladder: [Int] = [10, 60, 600, 3_600]) {
    self.clock = clock
    self.ladder = ladder
  }

  /// Messages that wait in a queue, those lent or delayed not counted.
  public func count(in queue: QueueName) -> Int { state.withLock { $0.ready[queue]?.count ?? 0 } }
  /// Messages in delay queues.
  public var delayedCount: Int { state.withLock { $0.delayed.count } }
  /// What a stage has parked, oldest first.
  public func parked(by stage: StageName) -> [ParkedMessage] { state.withLock { $0.parked[stage] ?? [] } }

  /// Puts something into a queue that cannot be read.
  public func inject(unreadable body: [UInt8], _ reason: Reason, into queue: QueueName) {
    let message = Message(id: serial(), envelope: .failure(reason), body: body)
    append([message], to: queue)
  }

  func publish(_ parcel: Parcel) {
    let envelope: Envelope?
    let body: [UInt8]
    switch parcel.content {
    case .envelope(let content): (envelope, body) = (content, content.body)
    case .unreadable(let bytes): (envelope, body) = (nil, bytes)
    }
    if case .dead(let stage) = parcel.destination {
      let parked = ParkedMessage(envelope: envelope, body: body, burial: parcel.burial)
      return state.withLock { $0.parked[stage, default: []].append(parked) }
    }
    let readable: Result<Envelope, Reason> =
      envelope.map { .success($0) } ?? .failure(Reason(.undecodable, "not a message of the flow"))
    let message = Message(id: serial(), envelope: readable, body: body, returns: parcel.returns)
    switch parcel.destination {
    case .dead: break
    case .queue(let queue): append([message], to: queue)
    case .retry(let stage, let seconds):
      let rung = ladder.last { $0 <= seconds } ?? ladder[0]
      let due = clock.now.advanced(by: .seconds(rung))
      state.withLock { _ = $0.delayed.insert(message.id) }
      Task {
        try? await clock.sleep(until: due, tolerance: nil)
        state.withLock { _ = $0.delayed.remove(message.id) }
        append([message], to: stage.queue)
      }
    }
  }

  private func serial() -> UInt64 {
    state.withLock { state in
      state.serial += 1
      return state.serial
    }
  }

  private func append(_ messages: [Message], to queue: QueueName) {
    wake(queue) { $0.ready[queue, default: []] += messages }
  }

  /// Gives messages back, to where they were: at the head, in their order.
  func giveBack(_ messages: [Message], to queue: QueueName) {
    var returned = messages.sorted { $0.id < $1.id }
    for place in returned.indices { returned[place].returns += 1 }
    wake(queue) { [returned] in $0.ready[queue] = returned + ($0.ready[queue] ?? []) }
  }

  private func wake(_ queue: QueueName, _ change: (inout State) -> Void) {
    let woken = state.withLock { state in
      change(&state)
      let waiters = state.waiters.filter { $0.value.queue == queue }
      for id in waiters.keys { state.waiters[id] = nil }
      return waiters.values.map(\.wake)
    }
    for wake in woken { wake.resume() }
  }

  func take(from queue: QueueName, max: Int) -> [Message] {
    state.withLock { state in
      let taken = Array((state.ready[queue] ?? []).prefix(max))
      state.ready[queue]?.removeFirst(taken.count)
      return taken
    }
  }

  /// Waits until something may be in the queue, or `wakeUp` is called with this id.
  func wait(for queue: QueueName, _ id: UInt64, unless isOver: @Sendable () -> Bool) async {
    await withCheckedContinuation { wake in
      let isThere = state.withLock { state in
        if isOver() || !(state.ready[queue] ?? []).isEmpty { return true }
        state.waiters[id] = (queue, wake)
        return false
      }
      if isThere { wake.resume() }
    }
  }

  func wakeUp(_ id: UInt64) {
    let waiter = state.withLock { $0.waiters.removeValue(forKey: id) }
    waiter?.wake.resume()
  }

  func waiterID() -> UInt64 { serial() }
}

extension Envelope {
  /// The body that a message with this envelope has.
  public var body: [UInt8] {
    switch content {
    case .order(let bytes): bytes
    case .bill(let bill, _): bill.body
    case .removal: Array("{}".utf8)
    }
  }
}
