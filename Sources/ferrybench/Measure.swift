import Foundation

/// Runs one piece of work over and over and prints how fast it went.
///
/// Counts the processor time of this process, so that other work on the machine disturbs it little.
struct Measure {
  /// Rounds that count; one more before them warms up.
  let rounds: Int
  /// Seconds one round takes, roughly.
  let seconds: Double
  /// Only what has this in its name is run.
  let only: String

  /// Prints megabytes and documents a second of `work`, which handles one document of `bytes` bytes a call: the slowest,
  /// the middle and the fastest round.
  func run(_ name: String, bytes: Int, _ work: (Int) -> Int) {
    guard only.isEmpty || name.contains(only) else { return }
    var sink = 0
    var perRound = 1
    // The warm-up finds out how many calls make a round.
    while true {
      let taken = time { for index in 0..<perRound { sink &+= work(index) } }
      if taken >= seconds { break }
      perRound = max(perRound * 2, taken > 0 ? Int(Double(perRound) * min(seconds / taken * 1.1, 64)) : 0)
    }
    let rates = (0..<rounds).map { _ in
      Double(perRound) / time { for index in 0..<perRound { sink &+= work(index) } }
    }.sorted()
    let megabytes = rates.map { $0 * Double(bytes) / 1_000_000 }
    print(
      line(name) + " MB/s " + spread(megabytes, "%8.1f") + "   documents/s " + spread(rates, "%9.0f")
        + (sink == .min ? " " : ""))
  }

  private func time(_ body: () -> Void) -> Double {
    let start = processorSeconds()
    body()
    return processorSeconds() - start
  }

  func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private func spread(_ sorted: [Double], _ format: String) -> String {
    [sorted[0], sorted[sorted.count / 2], sorted[sorted.count - 1]]
      .map { String(format: format, $0) }.joined(separator: " ")
  }

  func line(_ name: String) -> String {
    name + String(repeating: " ", count: max(44 - name.count, 0))
  }
}
