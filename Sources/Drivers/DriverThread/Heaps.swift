import CMalloc

/// Bounds how many heaps glibc spreads the process's threads over.
///
/// By default each thread gets a heap of its own, up to eight per core, and memory that one thread sets aside and another
/// gives back leaves holes in all of them: a worker's peak grew by half. Two heaps are enough for our threads.
enum Heaps {
  /// Done once, before the first driver thread starts.
  static let bounded: Bool = mallopt(M_ARENA_MAX, 2) == 1
}
