import DriverThread
import Synchronization

/// Runs what blocks on a thread of its own, so that no thread of the tests' pool stands still: with all of them blocked no
/// time limit is ever seen.
/// - Parameters:
///   - unblock: lets the body end, such as by shutting its socket down; called when the task is cancelled, as a time limit
///     does, also before the body has begun.
///   - body: what blocks.
/// - Returns: what the body returned.
public func onThread<Answer: Sendable>(
  until unblock: @escaping @Sendable () -> Void, _ body: @escaping @Sendable () -> Answer
) async -> Answer {
  await withTaskCancellationHandler {
    await withCheckedContinuation { done in
      _ = DriverThread(name: "test-blocks") { done.resume(returning: body()) }
    }
  } onCancel: {
    unblock()
  }
}
