import Foundation
import Glibc
import PipelineTesting
import Synchronization
import TestSockets

/// A TCP relay in front of the test broker. It can withhold deliveries, and nothing else: heartbeats and answers pass, so
/// that neither side knows.
final class BrokerRelay: Sendable {
  struct NoServer: Error {}

  /// The broker's address through the relay.
  let url: String
  private let server: LoopbackServer

  init(withholdsDeliveries: Bool = false) throws {
    guard var parts = URLComponents(string: try TestServers.rabbit()) else { throw NoServer() }
    let port = parts.port ?? 5672
    server = LoopbackServer { relay, client, _ in
      let broker = connectToLoopback(port)
      relay.adopt(broker)
      relay.run("relay-up") { BrokerRelay.pump(client, broker) { $0 } }
      var filter = DeliveryFilter()
      BrokerRelay.pump(broker, client) { withholdsDeliveries ? filter.pass($0) : $0 }
    }
    parts.host = "127.0.0.1"
    parts.port = server.port
    guard let url = parts.string else { throw NoServer() }
    self.url = url
  }

  /// The broker is gone: connections end, and new ones are refused.
  func refuse() { server.refuse() }
  func stop() { server.stop() }

  private static func pump(_ from: Int32, _ to: Int32, _ change: ([UInt8]) -> [UInt8]) {
    while true {
      let bytes = receiveSome(from)
      if bytes.isEmpty || !sendAll(to, change(bytes)) { break }
    }
    for socket in [from, to] { shutdown(socket, Int32(SHUT_RDWR)) }
  }
}

/// What a broker says, without `basic.deliver` and the content that follows it (AMQP 0-9-1, 2.3.5 and 4.2).
struct DeliveryFilter {
  private var rest: [UInt8] = []
  /// The channels on which content of a withheld delivery is still to come.
  private var withheld: Set<UInt16> = []

  mutating func pass(_ bytes: [UInt8]) -> [UInt8] {
    rest += bytes
    var passed: [UInt8] = []
    while rest.count >= 8 {
      let size = rest[3..<7].reduce(0) { $0 << 8 | Int($1) } + 8
      if rest.count < size { break }
      let frame = Array(rest.prefix(size))
      rest.removeFirst(size)
      if isPassed(frame) { passed += frame }
    }
    return passed
  }

  private mutating func isPassed(_ frame: [UInt8]) -> Bool {
    let (kind, channel) = (frame[0], UInt16(frame[1]) << 8 | UInt16(frame[2]))
    guard kind == 1 else { return kind == 8 || !withheld.contains(channel) }
    // Class 60, method 60.
    let isDelivery = Array(frame[7..<11]) == [0, 60, 0, 60]
    if isDelivery { withheld.insert(channel) } else { withheld.remove(channel) }
    return !isDelivery
  }
}

private func connectToLoopback(_ port: Int) -> Int32 {
  let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(UInt16(port)).bigEndian
  address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
  _ = withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  return socket
}
