import Synchronization
import TestSockets

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

  fileprivate struct State {
    var requests: [Request] = []
    var atOnce = 0
    var mostAtOnce = 0
  }

  fileprivate final class Script: Sendable {
    let handler: @Sendable (Request) -> Answer
    let state = Mutex(State())

    init(_ handler: @escaping @Sendable (Request) -> Answer) { self.handler = handler }
  }

  private let script: Script
  private let server: LoopbackServer

  /// Listens on a free port of the loopback. The handler runs on the connection's thread and may block it.
  public init(_ handler: @escaping @Sendable (Request) -> Answer) {
    let script = Script(handler)
    self.script = script
    server = LoopbackServer { _, socket, connection in
      var reader = RequestReader(socket)
      while let request = reader.next(), script.answer(Request(request, connection), socket) {}
    }
  }

  /// `http://127.0.0.1:port`
  public var url: String { "http://127.0.0.1:\(server.port)" }
  /// Everything asked so far.
  public var requests: [Request] { script.state.withLock(\.requests) }
  /// The most requests that were being answered at once.
  public var mostAtOnce: Int { script.state.withLock(\.mostAtOnce) }
  /// How often a path was asked for.
  public func count(_ path: String) -> Int { requests.count { $0.path == path } }

  /// From now on connections are refused, and those that are there end. The port stays taken, so that nobody else's
  /// server answers on it.
  public func refuse() { server.refuse() }

  /// Ends all connections and threads.
  public func stop() { server.stop() }
}

extension ScriptedServer.Script {
  /// Answers a request; false when the connection ends by it.
  fileprivate func answer(_ request: ScriptedServer.Request, _ socket: Int32) -> Bool {
    state.withLock { state in
      state.requests.append(request)
      state.atOnce += 1
      state.mostAtOnce = max(state.mostAtOnce, state.atOnce)
    }
    let answer = handler(request)
    state.withLock { $0.atOnce -= 1 }
    switch answer {
    case .drop: return false
    case .raw(let text):
      _ = sendAll(socket, text.utf8)
      return false
    case .reply(let status, let body, let headers):
      let head = ["HTTP/1.1 \(status) Scripted", "Content-Length: \(body.utf8.count)"] + headers
      return sendAll(socket, (head.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8)
    }
  }
}

extension ScriptedServer.Request {
  fileprivate init(_ request: WireRequest, _ connection: Int) {
    let target = request.target.split(separator: "?", maxSplits: 1)
    var headers: [String: String] = [:]
    for line in request.head.split(separator: "\r\n").dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      headers[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
    }
    self.init(
      method: request.method, path: target.first.map { String($0) } ?? "",
      query: target.count > 1 ? String(target[1]) : "", headers: headers,
      body: String(decoding: request.body, as: UTF8.self), connection: connection)
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
