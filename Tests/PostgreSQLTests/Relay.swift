import Foundation
import Glibc
import Synchronization
import TestSockets

/// A TCP relay in front of the test server, which can stop passing on what the server says.
final class Relay: Sendable {
  fileprivate final class Valve: Sendable {
    let isMute = Mutex(false)
  }

  private let valve: Valve
  private let server: LoopbackServer

  init(to url: String) throws {
    guard let parts = URLComponents(string: url), let host = parts.host else { throw NoServer() }
    let (port, valve) = (parts.port ?? 5432, Valve())
    self.valve = valve
    server = LoopbackServer { relay, client, _ in
      let database = connectTo(host, port)
      relay.adopt(database)
      relay.run("relay-up") { valve.pump(client, database, isAnswer: false) }
      valve.pump(database, client, isAnswer: true)
    }
  }

  var port: Int { server.port }
  var connections: Int { server.connections }

  /// From now on nothing of the server's reaches the client; what the client sends still reaches the server.
  func mute() { valve.isMute.withLock { $0 = true } }
  /// New connections are passed on both ways again; the muted ones stay mute, having lost bytes.
  func unmute() { valve.isMute.withLock { $0 = false } }
  func stop() { server.stop() }
}

extension Relay.Valve {
  fileprivate func pump(_ from: Int32, _ to: Int32, isAnswer: Bool) {
    var hasLost = false
    while true {
      let bytes = receiveSome(from)
      if bytes.isEmpty { break }
      if isAnswer, isMute.withLock({ $0 }) { hasLost = true }
      if !hasLost, !sendAll(to, bytes) { break }
    }
    shutdown(to, Int32(SHUT_RDWR))
    shutdown(from, Int32(SHUT_RDWR))
  }
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
