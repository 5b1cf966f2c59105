internal import CCurl
internal import DriverThread

#if canImport(Glibc)
  import Glibc
#endif

/// What libcurl waits for: its sockets, in an epoll descriptor, and its clock. A turn costs what is ready, not what is under
/// way. Lives on the driver thread only; the signal alone comes from others.
///
/// libcurl drops a socket at the end of each request and asks for it again at the next one. So one that it drops stays in the epoll
/// descriptor until it wakes us for nothing, such as by its peer's close; then it is taken out. Nothing hangs on our memory of
/// that: whatever libcurl asks for is told to the kernel, which itself forgets a socket that is closed.
final class SocketWatch {
  private let epoll: Int32
  private let wake: WakeEvent
  private let pushes: Bool
  /// By descriptor: whether libcurl waits for it.
  private var isWanted: [Bool] = []
  private var ready = [ferry_ready](repeating: ferry_ready(), count: 64)
  /// When libcurl wants to be called though nothing is ready; nil: never.
  private var dueAt: ContinuousClock.Instant?
  /// It wants that at once.
  private var isDueAtOnce = false

  /// Watches what this handle waits for, from now until it is cleaned up.
  /// - Parameter pushes: sockets hold back what would fill no segment (`CurlTransfer.cork`) until an answer is waited for.
  init(_ multi: UnsafeMutableRawPointer, _ wake: WakeEvent, pushes: Bool) {
    epoll = ferry_epoll()
    self.pushes = pushes
    self.wake = wake
    // It fails only when the process is out of descriptors or memory; a thread that cannot wait is no use.
    precondition(
      epoll >= 0 && ferry_epoll_add_signal(epoll, wake.descriptor) == 0, "no epoll could be made: errno \(errno)")
    let me = unsafe Unmanaged.passUnretained(self).toOpaque()
    // SAFETY: the callbacks run inside calls with the multi handle, on the driver thread; the engine holds this object until after the
    // handle's clean-up.
    _ = unsafe ferry_curl_multi_watch_sockets(multi, tellSocket, me)
    _ = unsafe ferry_curl_multi_watch_time(multi, tellTime, me)
  }

  deinit { close(epoll) }

  /// Whether libcurl is to be called for its clock's sake; it says anew then when it wants to be called again.
  func takeDue() -> Bool {
    if !isDueAtOnce {
      guard let dueAt, dueAt <= .now else { return false }
    }
    isDueAtOnce = false
    dueAt = nil
    return true
  }

  /// Waits until a socket is ready, somebody signals, libcurl's time or one of these instants has come.
  /// - Parameter body: called with each socket that is ready and what for.
  /// - Returns: how many woke it, those for nothing among them.
  @discardableResult
  func wait(
    until deadline: ContinuousClock.Instant?, or other: ContinuousClock.Instant?,
    _ body: (_ socket: Int32, _ bits: Int32) -> Void
  ) -> Int {
    var milliseconds: Int32 = -1
    if isDueAtOnce {
      milliseconds = 0
    } else if let instant = Self.earlier(Self.earlier(deadline, other), dueAt) {
      let (seconds, attoseconds) = max(.zero, instant - ContinuousClock.now).components
      // Rounded up, so that the instant has passed after the wait.
      milliseconds = Int32(clamping: seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
    // SAFETY: the array holds so many entries. EINTR counts as "nothing is ready".
    let count = unsafe ferry_epoll_wait(epoll, &ready, Int32(ready.count), milliseconds)
    for index in 0..<max(0, Int(count)) {
      let socket = ready[index]
      if socket.descriptor == wake.descriptor { continue }
      if isWanted[Int(socket.descriptor)] {
        body(socket.descriptor, socket.bits)
      } else {
        ferry_epoll_forget(epoll, socket.descriptor)
      }
    }
    return max(0, Int(count))
  }

  private static func earlier(
    _ one: ContinuousClock.Instant?, _ other: ContinuousClock.Instant?
  ) -> ContinuousClock.Instant? {
    guard let one, let other else { return one ?? other }
    return min(one, other)
  }

  /// libcurl waits for this socket from now on, or (`CURL_POLL_REMOVE`) no more.
  func note(_ socket: Int32, _ what: Int32) {
    let place = Int(socket)
    if place >= isWanted.count { isWanted += Array(repeating: false, count: place + 16 - isWanted.count) }
    isWanted[place] = what != CURL_POLL_REMOVE
    // It fails only for want of memory; the request then ends at its timeout.
    if isWanted[place] { _ = ferry_epoll_want(epoll, socket, what) }
    // All of the request is written. Were a push ever missed, the kernel would send after 0.2 s.
    if pushes, what == CURL_POLL_IN { switchOn(TCP_NODELAY, of: socket) }
  }

  fileprivate func noteTime(_ milliseconds: Int) {
    isDueAtOnce = milliseconds == 0
    dueAt = milliseconds > 0 ? .now + .milliseconds(milliseconds) : nil
  }
}

// The C callbacks. SAFETY, for both: libcurl gives back the pointer from SocketWatch.init, which is held by the engine.

private let tellSocket: curl_socket_callback = { _, socket, what, me, _ in
  // SAFETY: see above.
  if let me = unsafe me { unsafe Unmanaged<SocketWatch>.fromOpaque(me).takeUnretainedValue().note(socket, what) }
  return 0
}

private let tellTime: curl_multi_timer_callback = { _, milliseconds, me in
  // SAFETY: see above.
  if let me = unsafe me { unsafe Unmanaged<SocketWatch>.fromOpaque(me).takeUnretainedValue().noteTime(milliseconds) }
  return 0
}

/// Switches a TCP option on.
func switchOn(_ option: Int32, of socket: Int32) {
  var on: Int32 = 1
  // SAFETY: four bytes are read from a local variable. What is no TCP socket, as the resolver's, refuses it.
  _ = unsafe setsockopt(socket, Int32(IPPROTO_TCP), option, &on, 4)
}
