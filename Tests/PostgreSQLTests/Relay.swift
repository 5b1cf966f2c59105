import DriverThread
import Foundation
import Glibc
import Synchronization

/// A TCP relay in front of the test server, which can stop passing on what the server says.
final class Relay: Sendable {
  private struct State {
    var sockets: [Int32] = []
    var threads: [DriverThread] = []
    var isMute = false
    var isStopped = false
    var connections = 0
  }

  let port: Int
  private let listener: Int32
  private let target: (host: String, port: Int)
  private let state = Mutex(State())

  init(to url: String) throws {
    guard let parts = URLComponents(string: url), let host = parts.host else { throw NoServer() }
    target = (host, parts.port ?? 5432)
    (listener, port) = listenOnLoopback()
    let accepting = DriverThread(name: "relay") { [self] in accept() }
    state.withLock { $0.threads.append(accepting) }
  }

  /// From now on nothing of the server's reaches the client; what the client sends still reaches the server.
  func mute() { state.withLock { $0.isMute = true } }
  /// New connections are passed on both ways again; the muted ones stay mute, having lost bytes.
  func unmute() { state.withLock { $0.isMute = false } }
  var connections: Int { state.withLock { $0.connections } }

  func stop() {
    let threads = state.withLock { state in
      state.isStopped = true
      for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
      return state.threads
    }
    shutdown(listener, Int32(SHUT_RDWR))
    for thread in threads { thread.join() }
    for socket in state.withLock({ $0.sockets }) + [listener] { close(socket) }
  }

  private func accept() {
    while true {
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0 else { return }
      let server = connectTo(target.host, target.port)
      state.withLock { state in
        state.connections += 1
        state.sockets += [client, server]
        if state.isStopped { for socket in [client, server] { shutdown(socket, Int32(SHUT_RDWR)) } }
        state.threads.append(DriverThread(name: "relay-up") { [self] in pump(client, server, isAnswer: false) })
        state.threads.append(DriverThread(name: "relay-down") { [self] in pump(server, client, isAnswer: true) })
      }
    }
  }

  private func pump(_ from: Int32, _ to: Int32, isAnswer: Bool) {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    var hasLost = false
    while true {
      let count = recv(from, &bytes, bytes.count, 0)
      guard count > 0 else { break }
      if isAnswer, state.withLock({ $0.isMute }) { hasLost = true }
      guard !hasLost else { continue }
      var done = 0
      while done < count {
        let sent = bytes.withUnsafeBytes { send(to, $0.baseAddress! + done, count - done, Int32(MSG_NOSIGNAL)) }
        guard sent > 0 else { break }
        done += sent
      }
    }
    shutdown(to, Int32(SHUT_RDWR))
    shutdown(from, Int32(SHUT_RDWR))
  }
}

/// A listening socket on a free loopback port.
func listenOnLoopback() -> (socket: Int32, port: Int) {
  let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let port = withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
      let isListening = bind(listener, generic, length) == 0 && listen(listener, 128) == 0
      precondition(isListening && getsockname(listener, generic, &length) == 0, "no loopback socket")
    }
    return Int(UInt16(bigEndian: pointer.pointee.sin_port))
  }
  return (listener, port)
}

/// A port on which nothing listens.
func closedPort() -> Int {
  let (socket, port) = listenOnLoopback()
  close(socket)
  return port
}

private func connectTo(_ host: String, _ port: Int) -> Int32 {
  var hints = addrinfo()
  hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
  var list: UnsafeMutablePointer<addrinfo>?
  guard getaddrinfo(host, "\(port)", &hints, &list) == 0, let first = list?.pointee else { return -1 }
  defer { freeaddrinfo(list) }
  let socket = socket(first.ai_family, first.ai_socktype, 0)
  _ = connect(socket, first.ai_addr, first.ai_addrlen)
  return socket
}
