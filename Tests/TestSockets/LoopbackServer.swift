import Dispatch
import DriverThread
import Glibc
import Synchronization

/// A server on plain sockets, one thread for each connection, that ends without leaving threads or descriptors behind.
public final class LoopbackServer: Sendable {
  /// What a connection's thread does; the connection ends when it returns.
  public typealias Serve = @Sendable (_ server: LoopbackServer, _ socket: Int32, _ connection: Int) -> Void

  private struct State {
    var sockets: [Int32] = []
    var threads: [DriverThread] = []
    var connections = 0
    var isStopped = false
  }

  /// The port, on the loopback.
  public let port: Int
  private let listener: Int32
  private let state = Mutex(State())
  private let running = DispatchGroup()
  /// A thread that something else holds, such as a gate that a failed test has not opened, is not waited for any longer.
  private static let patience = DispatchTimeInterval.seconds(5)

  /// Listens on a free port.
  public init(_ serve: @escaping Serve) {
    (listener, port) = listenOnLoopback()
    run("test-accept") { [self] in accept(serve) }
  }

  /// Connections so far.
  public var connections: Int { state.withLock(\.connections) }

  /// Runs something on a thread that `stop` waits for.
  public func run(_ name: String, _ body: @escaping @Sendable () -> Void) {
    running.enter()
    let thread = DriverThread(name: name) { [running] in
      body()
      running.leave()
    }
    state.withLock { $0.threads.append(thread) }
  }

  /// Takes over a socket that a connection's thread has opened: it ends with the server.
  public func adopt(_ socket: Int32) {
    state.withLock { state in
      state.sockets.append(socket)
      if state.isStopped { shutdown(socket, Int32(SHUT_RDWR)) }
    }
  }

  /// From now on connections are refused, and those that are there end. The port stays taken, so that nobody else's
  /// server answers on it.
  public func refuse() {
    shutdown(listener, Int32(SHUT_RDWR))
    state.withLock { state in
      state.isStopped = true
      for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
    }
  }

  /// Ends all connections and threads. Threads that something else holds are left behind after some seconds, with all
  /// sockets: a test that has failed must not hold up the run.
  public func stop() {
    refuse()
    // A thread that is ending may have started another one, before its own end.
    guard running.wait(timeout: .now() + Self.patience) == .success else { return }
    for thread in state.withLock(\.threads) { thread.join() }
    // Only now: no thread can meet a descriptor's number in use for something else.
    for socket in state.withLock({ $0.sockets }) + [listener] { close(socket) }
  }

  private func accept(_ serve: @escaping Serve) {
    while true {
      let socket = Glibc.accept(listener, nil, nil)
      guard socket >= 0 else { return }
      adopt(socket)
      let connection = state.withLock { state in
        state.connections += 1
        return state.connections
      }
      run("test-serve") { [self] in
        serve(self, socket, connection)
        shutdown(socket, Int32(SHUT_RDWR))
      }
    }
  }
}

/// A listening socket on a free port.
public func listenOnLoopback() -> (socket: Int32, port: Int) {
  while true {
    // Asked for by its number: a port that the system chose is given back by `shutdown`, and the next test would answer
    // on it.
    let (probe, port) = bindLoopback(port: 0)
    close(probe)
    let (listener, bound) = bindLoopback(port: port)
    if bound == port {
      precondition(listen(listener, 256) == 0, "no loopback socket")
      return (listener, port)
    }
    close(listener)
  }
}

/// A socket bound to a port of the loopback, 0 for any; port 0 when that one is taken.
private func bindLoopback(port: Int) -> (socket: Int32, port: Int) {
  let bound = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  precondition(bound >= 0, "no loopback socket")
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  address.sin_port = UInt16(port).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let isBound = withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
      bind(bound, generic, length) == 0 && getsockname(bound, generic, &length) == 0
    }
  }
  return (bound, isBound ? Int(UInt16(bigEndian: address.sin_port)) : 0)
}

/// A port on which nothing listens, now or later: it stays bound until the tests end.
public func closedPort() -> Int { bindLoopback(port: 0).port }

/// Sends all bytes; false when the other side has gone.
public func sendAll(_ socket: Int32, _ bytes: some Collection<UInt8>) -> Bool {
  let bytes = Array(bytes)
  var sent = 0
  while sent < bytes.count {
    let count = bytes[sent...].withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    guard count > 0 else { return false }
    sent += count
  }
  return true
}

/// Some bytes; none when the other side has ended, or the connection has.
public func receiveSome(_ socket: Int32) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, used in
    used = max(0, recv(socket, buffer.baseAddress, buffer.count, 0))
  }
}

/// All bytes until the other side has ended, or the connection has.
public func receiveAll(_ socket: Int32) -> [UInt8] {
  var all: [UInt8] = []
  while true {
    let some = receiveSome(socket)
    if some.isEmpty { return all }
    all += some
  }
}

/// A connection to a port of the loopback; nil when nothing listens there.
public func connectToLoopback(port: Int) -> Int32? {
  let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  precondition(connection >= 0, "no loopback socket")
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  address.sin_port = UInt16(port).bigEndian
  let isConnected = withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
  if isConnected { return connection }
  close(connection)
  return nil
}
