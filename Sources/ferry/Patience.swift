import Pipeline

/// Tries again, once a second, while all that is wrong may pass by itself.
struct Patience {
  /// For how long; 0 is one attempt.
  let seconds: Int
  let clock: PipelineClock

  /// - Parameters:
  ///   - report: takes what was done, each line once: a later attempt finds done what an earlier one did.
  ///   - tell: takes what is waited for, each sentence once.
  ///   - attempt: what is tried: what it did, and what was in its way.
  /// - Returns: what was in the last attempt's way.
  func problems(
    report: (String) -> Void, tell: (String) -> Void, attempt: () async -> (done: [String], problems: [any Error])
  ) async -> [any Error] {
    let deadline = clock.now().advanced(by: .seconds(seconds))
    var told: Set<String> = []
    while true {
      let (done, problems) = await attempt()
      for line in done where told.insert(line).inserted { report(line) }
      let mayPass = !problems.isEmpty && Startup.exit(for: problems) != Startup.configurationExit
      guard mayPass, clock.now() < deadline else { return problems }
      for sentence in problems.map(Startup.sentence(of:)) where told.insert(sentence).inserted {
        tell("Waiting: \(sentence)")
      }
      await clock.sleep(.seconds(1))
    }
  }
}
