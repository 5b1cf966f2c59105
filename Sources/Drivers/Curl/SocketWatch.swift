internal import CCurl
internal import DriverThread

#if canImport(Glibc)
  import Glibc
#endif

/// What the client's thread waits for: its lines and libcurl's sockets, in one epoll descriptor. A turn costs what is
/// ready, not what is under way. Lives on the driver thread only; the signal alone comes from others.
///
/// Lines are told by edges: put in once, and told each time that something new has come. So whoever is told must read
/// until nothing is left, and a word too many, such as one that was meant for a closed socket with the same number,
/// must do no harm.
final class SocketWatch {
  /// Whose a socket is.
  enum Owner {
    case nobody
    case line(HTTPLine)
    case dialing(CurlMulti)
  }

  private let epoll: Int32
  private let wake: WakeEvent
  /// By descriptor.
  private var owners: [Owner] = []
  private var ready = [ferry_ready](repeating: ferry_ready(), count: 64)

  init(_ wake: WakeEvent) {
    epoll = ferry_epoll()
    self.wake = wake
    // It fails only when the process is out of descriptors or memory; a thread that cannot wait is no use.
    precondition(
      epoll >= 0 && ferry_epoll_add_signal(epoll, wake.descriptor) == 0, "no epoll could be made: errno \(errno)")
  }

  deinit { close(epoll) }

  /// Waits until a socket is ready, somebody signals, or this instant has come.
  /// - Parameters:
  ///   - deadline: nil: however long it takes.
  ///   - body: called with each socket's owner, the socket and what it is ready for (`CURL_CSELECT_*`).
  /// - Returns: how many woke it, those for nothing among them.
  @discardableResult
  func wait(
    until deadline: ContinuousClock.Instant?, _ body: (_ owner: Owner, _ socket: Int32, _ bits: Int32) -> Void
  ) -> Int {
    var milliseconds: Int32 = -1
    if let deadline {
      let (seconds, attoseconds) = max(.zero, deadline - ContinuousClock.now).components
      // Rounded up, so that the instant has passed after the wait.
      milliseconds = Int32(clamping: seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
    return turn(milliseconds, body)
  }

  /// Takes what is ready now.
  func poll(_ body: (_ owner: Owner, _ socket: Int32, _ bits: Int32) -> Void) { turn(0, body) }

  @discardableResult
  private func turn(_ milliseconds: Int32, _ body: (Owner, Int32, Int32) -> Void) -> Int {
    // SAFETY: the array holds so many entries. EINTR counts as "nothing is ready".
    let count = unsafe ferry_epoll_wait(epoll, &ready, Int32(ready.count), milliseconds)
    for index in 0..<max(0, Int(count)) {
      let socket = ready[index]
      if socket.descriptor == wake.descriptor { continue }
      // Asked anew for each: what came before may have closed it.
      body(owner(of: socket.descriptor), socket.descriptor, socket.bits)
    }
    return max(0, Int(count))
  }

  private func owner(of socket: Int32) -> Owner { Int(socket) < owners.count ? owners[Int(socket)] : .nobody }

  /// Watches a line from now on.
  /// - Returns: false: the process is out of memory.
  func add(_ line: HTTPLine) -> Bool {
    set(line.socket, .line(line))
    return ferry_epoll_edges(epoll, line.socket) == 0
  }

  /// libcurl waits for this socket from now on.
  func want(_ socket: Int32, _ what: Int32, _ multi: CurlMulti) {
    set(socket, .dialing(multi))
    // It fails only for want of memory; connecting then ends at its timeout.
    _ = ferry_epoll_want(epoll, socket, what)
  }

  /// Nobody waits for this socket any more. Before it is closed: a descriptor that shares it with another one would go
  /// on being told.
  func forget(_ socket: Int32) {
    set(socket, .nobody)
    ferry_epoll_forget(epoll, socket)
  }

  private func set(_ socket: Int32, _ owner: Owner) {
    let place = Int(socket)
    if place >= owners.count { owners += Array(repeating: .nobody, count: place + 16 - owners.count) }
    owners[place] = owner
  }
}
