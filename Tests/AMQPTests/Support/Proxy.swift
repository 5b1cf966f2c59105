import AMQPTesting
import DriverThread
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// A TCP proxy in front of the broker, for one connection, that can hold back what the broker says and cut the line.
final class Proxy: Sendable {
  struct State: Sendable {
    var fromClient = 0
    var fromBroker = 0
    /// Heartbeat frames seen that stood alone, as they do on an idle connection.
    var clientHeartbeats = 0
    var isHolding = false
    var clientEnded = false
  }

  let state = Probe(State())
  private let listener: Listener
  private let sockets = Mutex<[Int32]>([])
  var port: Int { listener.port }

  init(to brokerPort: Int) throws {
    let listener = try Listener()
    self.listener = listener
    // The threads end with the connection; a test that joined them would block Swift's thread pool.
    _ = DriverThread(name: "proxy") { [self] in
      guard let client = try? listener.accept(), let broker = try? connectToLoopback(brokerPort) else { return }
      sockets.withLock { $0 = [client, broker] }
      let back = DriverThread(name: "proxy back") { [self] in pump(broker, client) { $0.fromBroker += $1.count } }
      pump(client, broker) {
        $0.fromClient += $1.count
        if $1 == [8, 0, 0, 0, 0, 0, 0, 0xCE] { $0.clientHeartbeats += 1 }
      }
      state.change { $0.clientEnded = true }
      back.join()
      sockets.withLock { $0 = [] }
      close(client)
      close(broker)
    }
  }

  /// From now on nothing that the broker says reaches the client.
  func holdBroker() { state.change { $0.isHolding = true } }

  /// Breaks both connections.
  func cut() {
    listener.stop()
    sockets.withLock { sockets in
      for socket in sockets { shutdown(socket, Int32(SHUT_RDWR)) }
    }
  }

  private func pump(_ source: Int32, _ target: Int32, _ note: @Sendable (inout State, [UInt8]) -> Void) {
    while let bytes = try? receiveSome(source), !bytes.isEmpty {
      state.change { note(&$0, bytes) }
      let isFromBroker = sockets.withLock { $0.last == source }
      if isFromBroker, state.value.isHolding { continue }
      guard (try? sendAll(target, bytes)) != nil else { break }
    }
    shutdown(source, Int32(SHUT_RDWR))
    shutdown(target, Int32(SHUT_RDWR))
  }
}
