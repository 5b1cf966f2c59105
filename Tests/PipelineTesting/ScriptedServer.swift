import DriverThread
import Glibc
import Synchronization

/// An HTTP server on plain sockets that does exactly what a test says, wrong things included.
public final class ScriptedServer: Sendable {
  /// What was asked.
  public struct Request: Sendable {
    /// `GET` or `POST`.
    public let method: String
    /// The path without its query.
    public let path: String
    /// What stands behind the `?`.
    public let query: String
    /// Header lines by lower-case name.
    public let headers: [String: String]
    /// The body.
    public let body: String
    /// Counts the server's connections from 1.
    public let connection: Int

    /// The raw value of a query parameter.
    public func parameter(_ name: String) -> String? {
      for pair in query.split(separator: "&") where pair.hasPrefix("\(name)=") {
        return String(pair.dropFirst(name.utf8.count + 1))
      }
      return nil
    }
  }

  /// What to do about it.
  public enum Answer: Sendable {
    /// A whole reply.
    case reply(status: Int, body: String, headers: [String])
    /// These bytes as they are, then the end of the connection.
    case raw(String)
    /// The end of the connection without a reply.
    case drop

    /// HTTP 200 with this body.
    public static func ok(_ body: String) -> Answer { .reply(status: 200, body: body, headers: []) }
    /// Another status.
    public static func status(_ status: Int, _ body: String = "", headers: [String] = []) -> Answer {
      .reply(status: status, body: body, headers: headers)
    }
  }

  private struct State {
    var requests: [Request] = []
    var sockets: [Int32] = []
    var threads: [DriverThread] = []
    var connections = 0
    var isStopped = false
    var atOnce = 0
    var mostAtOnce = 0
  }

  private let listener: Int32
  private let port: UInt16
  private let handler: @Sendable (Request) -> Answer
  private let state = Mutex(State())

  /// Listens on a free port of the loopback. The handler runs on the connection's thread and may block it.
  public init(_ handler: @escaping @Sendable (Request) -> Answer) {
    self.handler = handler
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.listener = listener
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && listen(listener, 256) == 0 && getsockname(listener, $0, &size) == 0
      }
    }
    precondition(bound, "no port on the loopback")
    port = UInt16(bigEndian: address.sin_port)
    let thread = DriverThread(name: "script-accept") { [self] in accept() }
    state.withLock { $0.threads.append(thread) }
  }

  /// `http://127.0.0.1:port`
  public var url: String { "http://127.0.0.1:\(port)" }
  /// Everything asked so far.
  public var requests: [Request] { state.withLock { $0.requests } }
  /// The most requests that were being answered at once.
  public var mostAtOnce: Int { state.withLock { $0.mostAtOnce } }
  /// How often a path was asked for.
  public func count(_ path: String) -> Int { requests.count { $0.path == path } }

  /// From now on connections are refused, and those that are there end. The port stays taken, so that nobody else's
  /// server answers on it.
  public func refuse() {
    shutdown(listener, Int32(SHUT_RDWR))
    state.withLock { state in
      state.isStopped = true
      for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
    }
  }

  /// Ends all connections and threads.
  public func stop() {
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
      let socket = Glibc.accept(listener, nil, nil)
      guard socket >= 0 else { return }
      state.withLock { state in
        state.sockets.append(socket)
        state.connections += 1
        if state.isStopped { shutdown(socket, Int32(SHUT_RDWR)) }
        let connection = state.connections
        state.threads.append(DriverThread(name: "script-serve") { [self] in serve(socket, connection) })
      }
    }
  }

  private func serve(_ socket: Int32, _ connection: Int) {
    var buffer: [UInt8] = []
    // The descriptor itself is closed by stop(), so that its number is not used again before.
    defer { shutdown(socket, Int32(SHUT_RDWR)) }
    while let request = read(socket, connection, &buffer) {
      state.withLock { state in
        state.requests.append(request)
        state.atOnce += 1
        state.mostAtOnce = max(state.mostAtOnce, state.atOnce)
      }
      let answer = handler(request)
      state.withLock { $0.atOnce -= 1 }
      switch answer {
      case .drop: return
      case .raw(let text):
        send(socket, text)
        return
      case .reply(let status, let body, let headers):
        let head = ["HTTP/1.1 \(status) Scripted", "Content-Length: \(body.utf8.count)"] + headers
        send(socket, head.joined(separator: "\r\n") + "\r\n\r\n" + body)
      }
    }
  }

  private func send(_ socket: Int32, _ text: String) {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return }
      sent += count
    }
  }

  private func read(_ socket: Int32, _ connection: Int, _ buffer: inout [UInt8]) -> Request? {
    let end = Array("\r\n\r\n".utf8)
    while true {
      if let head = buffer.firstRange(of: end) {
        let lines = String(decoding: buffer[..<head.lowerBound], as: UTF8.self).split(separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
          let parts = line.split(separator: ":", maxSplits: 1)
          headers[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
        }
        let size = headers["content-length"].flatMap { Int($0) } ?? 0
        if buffer.count >= head.upperBound + size {
          let words = lines[0].split(separator: " ")
          let target = words[1].split(separator: "?", maxSplits: 1)
          let body = String(decoding: buffer[head.upperBound..<head.upperBound + size], as: UTF8.self)
          buffer.removeFirst(head.upperBound + size)
          return Request(
            method: String(words[0]), path: String(target[0]), query: target.count > 1 ? String(target[1]) : "",
            headers: headers, body: body, connection: connection)
        }
      }
      var part = [UInt8](repeating: 0, count: 65_536)
      let count = recv(socket, &part, part.count, 0)
      guard count > 0 else { return nil }
      buffer += part[..<count]
    }
  }
}

/// Runs a test against a server and stops it afterwards.
public func withScriptedServer<Result>(
  _ handler: @escaping @Sendable (ScriptedServer.Request) -> ScriptedServer.Answer,
  _ test: (ScriptedServer) async throws -> Result
) async rethrows -> Result {
  let server = ScriptedServer(handler)
  defer { server.stop() }
  return try await test(server)
}
