import Glibc

/// Runs all of Swift's tasks on one thread, in an order that the seed decides.
///
/// Whatever would go to the global executor comes here by the hook that Swift's runtime has for this. So the program under
/// test runs as it ships, with its task groups, actors and continuations, and yet does the same each time.
final class Scheduler: SerialExecutor, @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.

  /// The one that the hook feeds.
  static let shared = Scheduler()

  private var ready: [UnownedJob] = []
  var random = SeededRandom(seed: 0)
  /// Jobs run so far.
  private(set) var steps = 0

  private typealias Enqueue = @convention(thin) (UnownedJob) -> Void
  private typealias Hook = @convention(thin) (UnownedJob, Enqueue) -> Void

  /// Takes all tasks of this process from now on.
  static func install() {
    guard let symbol = dlsym(dlopen(nil, RTLD_NOW), "swift_task_enqueueGlobal_hook") else {
      fatalError("Swift's runtime has no hook for the global executor: it is of a kind that was never tried")
    }
    symbol.assumingMemoryBound(to: Hook?.self).pointee = { job, _ in Scheduler.shared.ready.append(job) }
  }

  func enqueue(_ job: consuming ExecutorJob) { ready.append(UnownedJob(job)) }

  /// Runs jobs until none is ready.
  func drain() {
    while !ready.isEmpty {
      let place = ready.count == 1 ? 0 : random.below(ready.count)
      ready.swapAt(place, ready.count - 1)
      let job = ready.removeLast()
      steps += 1
      job.runSynchronously(on: asUnownedSerialExecutor())
    }
  }
}
