internal import DriverThread

#if canImport(Glibc)
  import Glibc
#endif

/// Waits until a socket is ready, the event is signalled or an instant has come.
/// - Parameters:
///   - socket: negative for none.
///   - deadline: nil for none.
/// - Returns: whether the socket is ready (or broken, which the next call on it shows), and whether the event was
///   signalled; the event is drained.
func waitFor(
  socket: Int32, events: Int32, wake: WakeEvent, until deadline: ContinuousClock.Instant?
) -> (isReady: Bool, isWoken: Bool) {
  var descriptors = [
    pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
    pollfd(fd: socket, events: Int16(truncatingIfNeeded: events), revents: 0),
  ]
  var milliseconds: Int32 = -1
  if let deadline {
    let (seconds, attoseconds) = max(.zero, deadline - ContinuousClock.now).components
    // Rounded up, so that the instant has passed after the wait.
    let exact = seconds * 1000 + attoseconds / 1_000_000_000_000_000
    milliseconds = exact == 0 && attoseconds == 0 ? 0 : Int32(clamping: exact + 1)
  }
  // SAFETY: the array holds two entries; poll skips a negative descriptor. EINTR counts as "not ready".
  let count = unsafe poll(&descriptors, 2, milliseconds)
  guard count > 0 else { return (false, false) }
  let isWoken = descriptors[0].revents != 0
  if isWoken { wake.drain() }
  return (descriptors[1].revents != 0, isWoken)
}
