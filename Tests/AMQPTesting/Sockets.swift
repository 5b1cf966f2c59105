#if canImport(Glibc)
  import Glibc
#endif

package struct SocketError: Error {
  package let step: String
  package let code = errno

  package init(step: String) { self.step = step }
}

/// A listening socket on a free loopback port.
package final class Listener: Sendable {
  package let descriptor: Int32
  package let port: Int

  package init() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw SocketError(step: "socket") }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && listen(descriptor, 8) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard bound else { throw SocketError(step: "bind") }
    self.descriptor = descriptor
    port = Int(UInt16(bigEndian: address.sin_port))
  }

  deinit { close(descriptor) }

  /// Waits for a client. Fails when ``stop()`` is called.
  package func accept() throws -> Int32 {
    let client = Glibc.accept(descriptor, nil, nil)
    guard client >= 0 else { throw SocketError(step: "accept") }
    return client
  }

  package func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}

package func connectToLoopback(_ port: Int) throws -> Int32 {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  guard descriptor >= 0 else { throw SocketError(step: "socket") }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(UInt16(port)).bigEndian
  address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
  let connected = withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
  guard connected else {
    close(descriptor)
    throw SocketError(step: "connect")
  }
  return descriptor
}

package func sendAll(_ descriptor: Int32, _ bytes: [UInt8]) throws {
  var sent = 0
  while sent < bytes.count {
    let count = bytes[sent...].withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    guard count > 0 else { throw SocketError(step: "send") }
    sent += count
  }
}

/// Some bytes; none when the other side has ended.
package func receiveSome(_ descriptor: Int32, max: Int = 65_536) throws -> [UInt8] {
  var count = 0
  let bytes = [UInt8](unsafeUninitializedCapacity: max) { buffer, used in
    count = recv(descriptor, buffer.baseAddress, max, 0)
    used = Swift.max(0, count)
  }
  guard count >= 0 else { throw SocketError(step: "recv") }
  return bytes
}
