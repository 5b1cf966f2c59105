import Glibc

/// How many descriptors the process may have open.
enum OpenFiles {
  /// More than any role needs: 256 connections to K/3 with TLS take three descriptors each.
  static let wanted: rlim_t = 65_536

  /// Raises the soft limit, which is 1,024 under systemd and in most shells: libraries that use `select`, for whose sake it
  /// is so low, are not in this program. Where it cannot be raised it stays, and connections beyond it fail by themselves.
  static func raiseLimit() {
    var limit = rlimit()
    // SAFETY: the structure outlives both calls.
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = raised(limit.rlim_cur, hard: limit.rlim_max)
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// - Parameter hard: as far as a process may go by itself.
  static func raised(_ soft: rlim_t, hard: rlim_t) -> rlim_t { max(soft, min(hard, wanted)) }
}
