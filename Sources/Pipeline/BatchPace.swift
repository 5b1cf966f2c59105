/// How many messages a batch takes: few while batches last long, more while they end at once.
///
/// Statements, commits and acknowledgements cost nearly the same for 30 bills as for 100. But whatever a loader has claimed
/// waits for its turn at K/3, and is in doubt when the loader dies; so it takes no more than ends soon.
struct BatchPace {
  /// A full batch that ends within this is followed by twice as large ones.
  static let quick = Duration.milliseconds(100)
  /// After one that took this or longer, batches are small again.
  static let slow = Duration.milliseconds(500)

  private let least: Int
  private let most: Int
  /// Most messages of the next batch.
  private(set) var size: Int

  init(_ shape: WorkerShape) {
    least = max(shape.batchSize, 1)
    most = max(shape.quickBatchSize, least)
    size = least
  }

  /// A batch has come to its end.
  /// - Parameter isFruitful: something came of it. What a partner that is away ends at once says nothing of how long it takes.
  mutating func note(_ count: Int, took: Duration, isFruitful: Bool) {
    if took >= Self.slow || !isFruitful {
      size = least
    } else if took <= Self.quick, count >= size {
      size = min(size * 2, most)
    }
  }
}
