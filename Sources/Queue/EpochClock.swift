import Pipeline

#if canImport(Glibc)
  import Glibc
#endif

/// Milliseconds since 1970 UTC, by the system's clock.
func epochMilliseconds() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000 + ClockStep.milliseconds
}
