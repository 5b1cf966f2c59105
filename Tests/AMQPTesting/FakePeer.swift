import DriverThread
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// One frame off the wire.
package struct Frame: Sendable {
  package let type: UInt8
  package let channel: UInt16
  package let payload: [UInt8]

  package var isHeartbeat: Bool { type == 8 }
  /// Class and method of a method frame, such as [60, 40].
  package var method: [UInt16] {
    guard type == 1, payload.count >= 4 else { return [] }
    return [UInt16(payload[0]) << 8 | UInt16(payload[1]), UInt16(payload[2]) << 8 | UInt16(payload[3])]
  }
}

/// Bytes in AMQP's encoding.
package struct Bytes {
  package var all: [UInt8] = []
  package init(_ all: [UInt8] = []) { self.all = all }
  package func short(_ value: Int) -> Bytes { Bytes(all + [UInt8(value >> 8 & 255), UInt8(value & 255)]) }
  package func long(_ value: Int) -> Bytes { short(value >> 16).short(value & 0xFFFF) }
  package func longlong(_ value: UInt64) -> Bytes { long(Int(value >> 32)).long(Int(value & 0xFFFF_FFFF)) }
  package func byte(_ value: UInt8) -> Bytes { Bytes(all + [value]) }
  package func text(_ value: String) -> Bytes { Bytes(all + [UInt8(value.utf8.count)] + value.utf8) }
  package func longText(_ value: String) -> Bytes { Bytes(long(value.utf8.count).all + value.utf8) }
}

/// A scripted broker for one connection, or some one after the other: it logs the client in, opens its channel, and then
/// runs the test's script on a thread of its own.
package final class FakePeer: Sendable {
  /// The peer's end of the connection, for its script.
  package final class Session {
    private let socket: Int32
    private var buffer: [UInt8] = []

    package init(_ socket: Int32) { self.socket = socket }

    package func send(_ method: [Int], _ arguments: Bytes = Bytes(), channel: Int = 1) throws {
      try frame(1, Bytes().short(method[0]).short(method[1]).all + arguments.all, channel: channel)
    }

    package func frame(_ type: UInt8, _ payload: [UInt8], channel: Int) throws {
      try sendAll(socket, Bytes([type]).short(channel).long(payload.count).all + payload + [0xCE])
    }

    package func heartbeat() throws { try frame(8, [], channel: 0) }

    /// The next frame; an error when the client has ended.
    package func next() throws -> Frame {
      while true {
        if buffer.count >= 8 {
          let size = buffer[3..<7].reduce(0) { $0 << 8 | Int($1) }
          if buffer.count >= size + 8 {
            let frame = Frame(
              type: buffer[0], channel: UInt16(buffer[1]) << 8 | UInt16(buffer[2]), payload: Array(buffer[7..<7 + size])
            )
            buffer.removeFirst(size + 8)
            return frame
          }
        }
        let bytes = try receiveSome(socket)
        if bytes.isEmpty { throw SocketError(step: "the client has ended") }
        buffer += bytes
      }
    }

    /// Reads up to and including this method.
    package func until(_ method: [UInt16]) throws {
      while try next().method != method {}
    }

    /// Reads this many publishes with their bodies, and whatever stands between them.
    package func publishes(_ count: Int) throws {
      var bodies = 0
      while bodies < count { if try next().type == 3 { bodies += 1 } }
    }

    /// Reads until the client ends.
    package func untilEnd() { while (try? next()) != nil {} }

    /// Reads the client's greeting, and whatever stands before it, and logs the client in.
    package func logIn(heartbeat: Int) throws {
      var heard: [UInt8] = []
      while heard.suffix(8) != Array("AMQP".utf8) + [0, 0, 9, 1] {
        let byte = try receiveSome(socket, max: 1)
        if byte.isEmpty { throw SocketError(step: "the client has ended") }
        heard += byte
      }
      try send([10, 10], Bytes([0, 9]).long(0).longText("PLAIN").longText("en_US"), channel: 0)
      try until([10, 11])
      try send([10, 30], Bytes().short(10).long(131_072).short(heartbeat), channel: 0)
      try until([10, 40])
      try send([10, 41], Bytes().text(""), channel: 0)
      try until([20, 10])
      try send([20, 11], Bytes().long(0))
    }

    package func selectConfirms() throws {
      try until([85, 10])
      try send([85, 11])
    }

    /// Confirms the empty message by which an outbox sees that it may publish. What it publishes then has tags from 2 on.
    package func letPublish() throws {
      try selectConfirms()
      try until([60, 40])
      try send([60, 80], Bytes().longlong(1).byte(0))
    }
  }

  private let listener: Listener
  /// The peer's end, -1 when there is none; closed and forgotten under the lock by the peer's thread only.
  private let socket = Mutex<Int32>(-1)
  package var port: Int { listener.port }

  package init(
    heartbeat: Int = 30, greets: Bool = true, connections: Int = 1,
    _ script: @escaping @Sendable (Session) throws -> Void
  ) throws {
    let listener = try Listener()
    self.listener = listener
    // The thread ends with its script or with stop(); a test that joined it would block Swift's thread pool.
    _ = DriverThread(name: "fake peer") { [self] in
      for _ in 0..<connections {
        guard let client = try? listener.accept() else { return }
        socket.withLock { $0 = client }
        let session = Session(client)
        // A script that fails leaves the client without its peer, and the test with the client's failure.
        if greets { try? session.logIn(heartbeat: heartbeat) }
        try? script(session)
        socket.withLock { $0 = -1 }
        close(client)
      }
    }
  }

  /// Ends the peer's side, whatever its script is at.
  package func stop() {
    listener.stop()
    socket.withLock { _ = shutdown($0, Int32(SHUT_RDWR)) }
  }
}
