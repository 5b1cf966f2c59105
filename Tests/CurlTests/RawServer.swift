import Dispatch
import DriverThread
import Glibc
import Synchronization

/// What a raw server read of one request.
struct RawRequest: Sendable {
  var head: String
  var body: [UInt8]
  /// Counts the server's connections from 1.
  var connection: Int
  /// Counts the requests of a connection from 1.
  var number: Int

  var path: String { String(head.split(separator: " ")[1]) }

  func header(_ name: String) -> String? {
    for line in head.split(separator: "\r\n").dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      if parts[0].lowercased() == name.lowercased() { return parts[1].drop { $0 == " " }.description }
    }
    return nil
  }
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

  private struct State {
    var requests: [RawRequest] = []
    var sockets: [Int32] = []
    var threads: [DriverThread] = []
    var isStopped = false
    var connections = 0
    var talked: Set<Int> = []
    var active = 0
    var mostActive = 0
  }

  let port: Int
  private let listener: Int32
  private let handler: Handler
  private let state = Mutex(State())
  private let arrivals: AsyncStream<RawRequest>.Continuation
  /// Every request, as soon as it is read.
  let arrived: AsyncStream<RawRequest>

  init(_ handler: @escaping Handler) {
    self.handler = handler
    (arrived, arrivals) = AsyncStream.makeStream()
    (listener, port) = listenOnLoopback()
    let accepting = DriverThread(name: "raw-accept") { [self] in accept() }
    state.withLock { $0.threads.append(accepting) }
  }

  var url: String { "http://127.0.0.1:\(port)" }
  /// Every request so far, in the order of its end.
  var requests: [RawRequest] { state.withLock { $0.requests } }
  var connections: Int { state.withLock { $0.connections } }
  /// Connections on which at least one byte came.
  var talkedConnections: Int { state.withLock { $0.talked.count } }
  /// The most requests that were being answered at once.
  var mostActive: Int { state.withLock { $0.mostActive } }

  /// Ends all connections and waits for the threads.
  func stop() {
    let threads = state.withLock { state in
      state.isStopped = true
      for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
      return state.threads
    }
    shutdown(listener, Int32(SHUT_RDWR))
    for thread in threads { thread.join() }
    let sockets = state.withLock { $0.sockets }
    for socket in sockets + [listener] { close(socket) }
    arrivals.finish()
  }

  private func accept() {
    while true {
      let socket = Glibc.accept(listener, nil, nil)
      guard socket >= 0 else { return }
      state.withLock { state in
        state.sockets.append(socket)
        state.connections += 1
        let connection = state.connections
        if state.isStopped { shutdown(socket, Int32(SHUT_RDWR)) }
        state.threads.append(DriverThread(name: "raw-serve") { [self] in serve(socket, connection) })
      }
    }
  }

  private func serve(_ socket: Int32, _ connection: Int) {
    var reader = RawReader(socket: socket) { [self] in state.withLock { _ = $0.talked.insert(connection) } }
    var number = 0
    // The descriptor is closed by stop(), so that its number is not used again before.
    defer { shutdown(socket, Int32(SHUT_RDWR)) }
    while let (head, body) = reader.next() {
      number += 1
      let request = RawRequest(head: head, body: body, connection: connection, number: number)
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

/// A listening socket on a free port.
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

func sendAll(_ socket: Int32, _ bytes: [UInt8]) -> Bool {
  var done = 0
  while done < bytes.count {
    let count = bytes.withUnsafeBytes {
      send(socket, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
    }
    guard count > 0 else { return false }
    done += count
  }
  return true
}

/// Reads requests with a Content-Length from a socket.
private struct RawReader {
  let socket: Int32
  var buffer: [UInt8] = []

  private let heard: () -> Void

  init(socket: Int32, heard: @escaping () -> Void) {
    self.socket = socket
    self.heard = heard
  }

  mutating func next() -> (head: String, body: [UInt8])? {
    var searched = 0
    while true {
      if let end = headEnd(from: searched) {
        let head = String(decoding: buffer[..<end], as: UTF8.self)
        let length =
          RawRequest(head: head, body: [], connection: 0, number: 0).header("Content-Length").flatMap { Int($0) } ?? 0
        while buffer.count < end + length { guard fill() else { return nil } }
        let body = Array(buffer[end..<end + length])
        buffer.removeFirst(end + length)
        return (head, body)
      }
      searched = max(0, buffer.count - 3)
      guard fill() else { return nil }
    }
  }

  private func headEnd(from start: Int) -> Int? {
    var index = start
    while index + 4 <= buffer.count {
      if buffer[index] == 13, buffer[index + 1] == 10, buffer[index + 2] == 13, buffer[index + 3] == 10 {
        return index + 4
      }
      index += 1
    }
    return nil
  }

  private mutating func fill() -> Bool {
    var part = [UInt8](repeating: 0, count: 65_536)
    let count = recv(socket, &part, part.count, 0)
    guard count > 0 else { return false }
    heard()
    buffer.append(contentsOf: part[..<count])
    return true
  }
}

/// Holds server threads back until the test opens it.
final class Gate: Sendable {
  private let semaphore = DispatchSemaphore(value: 0)

  /// Blocks the calling thread; for server threads only.
  func pass() { semaphore.wait() }

  func open(times: Int = 1) { for _ in 0..<times { semaphore.signal() } }
}
