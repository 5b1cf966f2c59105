import Glibc
import TestSockets

/// A listening socket whose backlog is full, so that the kernel drops every further attempt to connect.
final class FullListener {
  let port: Int
  private var sockets: [Int32] = []

  init() {
    let (listener, port) = listenOnLoopback()
    self.port = port
    sockets = [listener]
    // The smallest backlog holds one connection; the others only fill the queue of attempts.
    listen(listener, 0)
    for _ in 0..<4 {
      let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = UInt16(port).bigEndian
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          _ = connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      sockets.append(client)
    }
  }

  func close() { for socket in sockets { Glibc.close(socket) } }
}
