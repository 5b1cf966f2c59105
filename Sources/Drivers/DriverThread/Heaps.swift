import CMalloc

/// Bounds how many heaps glibc spreads the process's threads over, and keeps it from handing memory back and forth.
///
/// By default each thread gets a heap of its own, up to eight per core, and memory that one thread sets aside and another
/// gives back leaves holes in all of them: a worker's peak grew by half. Two heaps are enough for our threads.
///
/// A batch of messages or answers comes and goes many times a second. By default each heap gives its free end back to the system beyond
/// 128 KiB, to get it again, page by page, for the next batch: a tenth of a request's processor time. So up to 2 MiB are kept.
/// With that figure set glibc no longer finds out by itself what is too large for a heap; 1 MiB is what it would come to.
public enum Heaps {
  /// Done once, before the first driver thread starts.
  static let bounded: Bool =
    mallopt(M_ARENA_MAX, 2) == 1 && mallopt(M_TRIM_THRESHOLD, 2 << 20) == 1 && mallopt(M_TOP_PAD, 256 << 10) == 1
    && mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1

  /// Gives back to the system each whole page that nothing lies in, also those amid a heap: a burst leaves holes that
  /// stay the process's else, a quarter of an idle poller's memory. May be called by any thread at any time; threads that
  /// want memory meanwhile wait for about a millisecond, so not more than a few times a minute.
  public static func giveBack() {
    _ = malloc_trim(0)
  }
}
