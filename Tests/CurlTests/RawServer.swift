import Dispatch
import Synchronization
import TestSockets

/// What a raw server read of one request.
struct RawRequest: Sendable {
  let wire: WireRequest
  /// Counts the server's connections from 1.
  let connection: Int
  /// Counts the requests of a connection from 1.
  let number: Int

  var head: String { wire.head }
  var body: [UInt8] { wire.body }
  var path: String { wire.target }

  func header(_ name: String) -> String? { wire.header(name) }
}

/// What a raw server does after a request.
enum RawAnswer: Sendable {
  /// These bytes, and the connection stays open.
  case reply([UInt8])
  /// These bytes, then the end of the connection.
  case replyAndClose([UInt8])
  /// These bytes again and again until the client is gone.
  case endless(head: [UInt8], part: [UInt8])

  static func ok(_ body: String = "ok", headers: [String] = []) -> RawAnswer {
    .status("200 OK", body, headers: headers)
  }

  static func status(_ status: String, _ body: String = "", headers: [String] = []) -> RawAnswer {
    let lines = ["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + headers + ["", body]
    return .reply(Array(lines.joined(separator: "\r\n").utf8))
  }
}

/// A server on plain sockets, one thread for each connection, that does exactly what the test says.
final class RawServer: Sendable {
  typealias Handler = @Sendable (RawRequest) -> RawAnswer

  fileprivate struct State {
    var requests: [RawRequest] = []
    var talked: Set<Int> = []
    var active = 0
    var mostActive = 0
  }

  fileprivate final class Script: Sendable {
    let handler: Handler
    let state = Mutex(State())
    let arrivals: AsyncStream<RawRequest>.Continuation

    init(_ handler: @escaping Handler, _ arrivals: AsyncStream<RawRequest>.Continuation) {
      self.handler = handler
      self.arrivals = arrivals
    }
  }

  private let script: Script
  private let server: LoopbackServer
  /// Every request, as soon as it is read.
  let arrived: AsyncStream<RawRequest>

  init(_ handler: @escaping Handler) {
    let (arrived, arrivals) = AsyncStream<RawRequest>.makeStream()
    let script = Script(handler, arrivals)
    self.arrived = arrived
    self.script = script
    server = LoopbackServer { _, socket, connection in script.serve(socket, connection) }
  }

  var port: Int { server.port }
  var url: String { "http://127.0.0.1:\(port)" }
  /// Every request so far, in the order of its end.
  var requests: [RawRequest] { script.state.withLock(\.requests) }
  var connections: Int { server.connections }
  /// Connections on which at least one byte came.
  var talkedConnections: Int { script.state.withLock { $0.talked.count } }
  /// The most requests that were being answered at once.
  var mostActive: Int { script.state.withLock(\.mostActive) }

  /// Ends all connections and waits for the threads.
  func stop() {
    server.stop()
    script.arrivals.finish()
  }
}

extension RawServer.Script {
  fileprivate func serve(_ socket: Int32, _ connection: Int) {
    var reader = RequestReader(socket) { self.state.withLock { _ = $0.talked.insert(connection) } }
    var number = 0
    while let wire = reader.next() {
      number += 1
      let request = RawRequest(wire: wire, connection: connection, number: number)
      state.withLock { state in
        state.requests.append(request)
        state.active += 1
        state.mostActive = max(state.mostActive, state.active)
      }
      arrivals.yield(request)
      let answer = handler(request)
      state.withLock { $0.active -= 1 }
      switch answer {
      case .reply(let bytes):
        guard sendAll(socket, bytes) else { return }
      case .replyAndClose(let bytes):
        _ = sendAll(socket, bytes)
        return
      case .endless(let head, let part):
        guard sendAll(socket, head) else { return }
        while sendAll(socket, part) {}
        return
      }
    }
  }
}

/// Holds server threads back until the test opens it.
final class Gate: Sendable {
  private let semaphore = DispatchSemaphore(value: 0)

  /// Blocks the calling thread; for server threads only.
  func pass() { semaphore.wait() }

  func open(times: Int = 1) { for _ in 0..<times { semaphore.signal() } }
}
