import Glibc

/// What Linux tells about this process, under the names that all exporters use.
public enum ProcessMetrics {
  /// Adds the series. They are asked for when metrics are read, and left out where Linux does not tell.
  public static func observe(in registry: MetricsRegistry) {
    registry.describe([
      "process_cpu_seconds_total": "Processor time of the process, user and system, in seconds.",
      "process_resident_memory_bytes": "Resident memory of the process.",
      "process_open_fds": "Open file descriptors of the process.",
      "process_max_fds": "Most file descriptors that the process may open.",
      "process_start_time_seconds": "When the process was started, in seconds since 1970 UTC.",
    ])
    registry.observe("process_cpu_seconds_total", as: .counter) { cpuSeconds() }
    registry.observe("process_resident_memory_bytes") { residentBytes() }
    registry.observe("process_open_fds") { openFiles() }
    registry.observe("process_max_fds") { mostFiles() }
    // It does not change.
    let start = startSeconds()
    registry.observe("process_start_time_seconds") { start }
  }

  static func cpuSeconds() -> Double? {
    var used = timespec()
    guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0 else { return nil }
    return Double(used.tv_sec) + Double(used.tv_nsec) / 1e9
  }

  static func residentBytes() -> Double? {
    guard let pages = text(of: "/proc/self/statm")?.split(separator: " ").dropFirst().first.flatMap({ Double($0) })
    else { return nil }
    return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
  }

  static func openFiles() -> Double? {
    guard let folder = opendir("/proc/self/fd") else { return nil }
    defer { closedir(folder) }
    // Without the folder itself, `.` and `..`.
    var count = -3
    while readdir(folder) != nil { count += 1 }
    return Double(count)
  }

  static func mostFiles() -> Double? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
    return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
  }

  static func startSeconds() -> Double? {
    // The program's name stands in brackets and may hold anything; the start is the 22nd field, in ticks since the machine's.
    guard let stat = text(of: "/proc/self/stat"), let end = stat.lastIndex(of: ")"),
      let boot = text(of: "/proc/stat")?.split(separator: "\n").first(where: { $0.hasPrefix("btime ") })
    else { return nil }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    guard fields.count > 19, let ticks = Double(fields[19]), let begun = Double(boot.dropFirst(6)) else { return nil }
    return begun + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// A small file of `/proc`.
  private static func text(of path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var all: [UInt8] = []
    while true {
      let some = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, used in
        used = max(0, read(file, buffer.baseAddress, buffer.count))
      }
      if some.isEmpty { return String(decoding: all, as: UTF8.self) }
      all += some
    }
  }
}
