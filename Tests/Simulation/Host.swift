import Pipeline

/// What came of a request over the network.
enum Reply<Answer: Sendable>: Sendable {
  case answer(Answer)
  /// Provably nothing reached the server.
  case notSent
  /// Nobody knows.
  case lost
}

/// A server: up or down.
final class Server: @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.
  let name: String
  private(set) var isUp = true
  private let world: World

  init(_ name: String, _ world: World) {
    self.name = name
    self.world = world
  }

  /// Is away for so long.
  func goDown(for milliseconds: Int64) {
    guard isUp else { return }
    world.tell("\(name) goes down for \(milliseconds) ms")
    isUp = false
    world.after(milliseconds) {
      self.world.tell("\(self.name) is back")
      self.isUp = true
    }
  }
}

/// How bad the network is, in 1,000.
struct NetworkFaults {
  var requestLost = 0
  var replyLost = 0
  /// Milliseconds a way takes at most.
  var latency = 20
}

/// A process of Ferry's. All that it waits for goes through here, so that it can be killed and frozen.
final class Host: @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.
  let world: World
  let name: String
  var faults: NetworkFaults
  private(set) var isAlive = true
  private var frozenUntil: Int64 = 0
  /// Its wall clock is wrong by so many milliseconds.
  var skew: Int64 = 0
  private var waits: [Int: () -> Void] = [:]
  private var nextWait = 0
  private var task: Task<Void, Never>?
  private var whenDead: [() -> Void] = []
  /// Called when its work has ended by itself.
  var onExit: () -> Void = {}

  init(_ name: String, _ world: World, _ faults: NetworkFaults) {
    self.name = name
    self.world = world
    self.faults = faults
  }

  var clock: PipelineClock {
    PipelineClock(
      now: { self.world.instant },
      epochMilliseconds: { World.epoch * 1_000 + self.world.now + self.skew },
      sleep: { await self.pause(Int64($0 / .milliseconds(1))) })
  }

  func start(_ work: @escaping @Sendable () async -> Void) {
    task = Task {
      await work()
      guard self.isAlive else { return }
      self.end()
      self.onExit()
    }
  }

  /// Runs when the process dies: what the system does for it.
  func whenDead(_ body: @escaping () -> Void) { whenDead.append(body) }

  /// Kill −9: nothing that it does from now on has any effect.
  func kill() {
    guard isAlive else { return }
    world.tell("\(name) is killed")
    end()
  }

  private func end() {
    isAlive = false
    task?.cancel()
    let waiting = waits.sorted { $0.key < $1.key }.map(\.value)
    waits = [:]
    for wake in waiting { wake() }
    for body in whenDead { body() }
    whenDead = []
  }

  /// SIGSTOP and, so much later, SIGCONT.
  func freeze(for milliseconds: Int64) {
    world.tell("\(name) is frozen for \(milliseconds) ms")
    frozenUntil = max(frozenUntil, world.now + milliseconds)
  }

  /// Waits for something that the world does; killed, it goes on at once with `value`, to no effect.
  func suspend<Value: Sendable>(dying value: Value, _ begin: (@escaping @Sendable (Value) -> Void) -> Void) async
    -> Value
  {
    guard isAlive, !Task.isCancelled else { return value }
    return await withUnsafeContinuation { continuation in
      let id = nextWait
      nextWait += 1
      waits[id] = { continuation.resume(returning: value) }
      begin { answer in self.wake(id) { continuation.resume(returning: answer) } }
    }
  }

  private func wake(_ id: Int, _ resume: @escaping () -> Void) {
    guard waits[id] != nil else { return }
    if frozenUntil > world.now { return world.after(frozenUntil - world.now) { self.wake(id, resume) } }
    waits[id] = nil
    resume()
  }

  /// Waits, for less when its task is cancelled.
  func pause(_ milliseconds: Int64) async {
    // All tasks run on one thread: nobody else waits between this and the wait itself.
    let id = nextWait
    await withTaskCancellationHandler {
      await suspend(dying: ()) { done in world.after(milliseconds) { done(()) } }
    } onCancel: {
      world.after(0) { if let resume = self.waits[id] { self.wake(id, resume) } }
    }
  }

  /// A request: on its way, done by the server, and back; or lost on either way.
  func call<Answer: Sendable>(
    _ server: Server, timeout: Int64, lateBy: Int64 = 0, _ perform: @escaping @Sendable () async -> Answer
  ) async -> Reply<Answer> {
    let world = world
    return await suspend(dying: .lost) { done in
      let there = Int64(world.random.number(1...faults.latency))
      let back = Int64(world.random.number(1...faults.latency))
      guard server.isUp else { return world.after(there) { done(.notSent) } }
      let isLost = world.random.happens(faults.requestLost)
      let isReplyLost = world.random.happens(faults.replyLost)
      world.tell("  \(name) asks \(server.name)\(isLost ? ", in vain" : isReplyLost ? ", the answer gets lost" : "")")
      world.after(timeout) { done(.lost) }
      if isLost { return }
      world.after(there + lateBy) {
        guard server.isUp else { return world.after(back) { done(.lost) } }
        // The server's work is done in one go, whatever became of the client.
        Task {
          let answer = await perform()
          if !isReplyLost { world.after(back) { done(.answer(answer)) } }
        }
      }
    }
  }
}
