import DriverThread

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

/// Waits for the end of what a test has started. When the test's time is over, it is cancelled and no longer waited for: it
/// may be just what does not listen to that.
/// - Throws: what it threw; `CancellationError` when the test's task is cancelled, as a suite's time limit does.
@discardableResult
public func ended<Success: Sendable, Failure: Error>(_ running: Task<Success, Failure>) async throws -> Success {
  let (results, report) = AsyncStream<Result<Success, Failure>>.makeStream()
  Task { report.yield(await running.result) }
  return try await withTaskCancellationHandler {
    for await result in results { return try result.get() }
    throw CancellationError()
  } onCancel: {
    running.cancel()
  }
}
