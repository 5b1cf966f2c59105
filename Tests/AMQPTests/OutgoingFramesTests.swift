import AMQPTesting
import DriverThread
import Testing

@testable import AMQP

#if canImport(Glibc)
  import Glibc
#endif

/// What the plain socket gets, byte by byte and write by write.
@Suite(.timeLimit(.minutes(1))) struct OutgoingFramesTests {
  @Test(
    "a body is cut into frames no larger than agreed, and an empty one has none",
    arguments: [0, 1, 4_087, 4_088, 4_089, 8_176, 8_177, 65_536, 1 << 20])
  func split(size: Int) throws {
    let pair = try SocketPair(SOCK_STREAM)
    let heard = pair.read()
    let frames = OutgoingFrames(channel: 1, frameMax: 4_096)
    let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    try frames.publish(AMQPMessage(exchange: "x", routingKey: "k", body: body), to: pair.ours)
    try frames.flush(to: pair.ours)
    pair.end()
    let all = heard.frames()
    try #require(all.count == 2 + (size + 4_087) / 4_088)
    #expect(all.map(\.type) == [1, 2] + Array(repeating: 3, count: all.count - 2))
    #expect(all.allSatisfy { $0.channel == 1 })
    #expect(all[2...].dropLast().allSatisfy { $0.payload.count == 4_088 })
    #expect(all.allSatisfy { $0.payload.count <= 4_088 })
    #expect(all[0].payload == Bytes().short(60).short(40).short(0).text("x").text("k").byte(1).all)
    // Flags: delivery mode alone.
    #expect(all[1].payload == Bytes().short(60).short(0).longlong(UInt64(size)).short(1 << 12).byte(2).all)
    #expect(all[2...].flatMap(\.payload) == body)
  }

  @Test("every property has its flag and its place, and every kind of value its letter")
  func properties() throws {
    let pair = try SocketPair(SOCK_STREAM)
    let heard = pair.read()
    let frames = OutgoingFrames(channel: 1, frameMax: 4_096)
    let properties = AMQPProperties(
      contentType: "c", messageID: "m", correlationID: "r", type: "t", appID: "a", timestamp: 5, expiration: "60",
      priority: 7, persistent: false,
      headers: [
        AMQPHeader("s", .string("\u{5355}")), AMQPHeader("i", .int(-2)), AMQPHeader("b", .bool(true)),
        AMQPHeader("d", .double(1)), AMQPHeader("z", .timestamp(9)), AMQPHeader("x", .bytes([1, 2])),
        AMQPHeader("n", .table([AMQPHeader("v", .null)])), AMQPHeader("a", .array([.bool(false), .null])),
      ])
    try frames.publish(
      AMQPMessage(exchange: "", routingKey: "", properties: properties, body: [], mandatory: false), to: pair.ours)
    try frames.flush(to: pair.ours)
    pair.end()
    var table = Bytes().text("s").byte(UInt8(ascii: "S")).longText("\u{5355}")
    table = table.text("i").byte(UInt8(ascii: "l")).longlong(UInt64(bitPattern: -2))
    table = table.text("b").byte(UInt8(ascii: "t")).byte(1)
    table = table.text("d").byte(UInt8(ascii: "d")).longlong(0x3FF0_0000_0000_0000)
    table = table.text("z").byte(UInt8(ascii: "T")).longlong(9)
    table = table.text("x").byte(UInt8(ascii: "x")).long(2).byte(1).byte(2)
    table = table.text("n").byte(UInt8(ascii: "F")).long(3).text("v").byte(UInt8(ascii: "V"))
    table = table.text("a").byte(UInt8(ascii: "A")).long(3).byte(UInt8(ascii: "t")).byte(0).byte(UInt8(ascii: "V"))
    let flags = [15, 13, 12, 11, 10, 8, 7, 6, 5, 3].reduce(0) { $0 | 1 << $1 }
    var header = Bytes().short(60).short(0).longlong(0).short(flags).text("c")
    header = Bytes(header.long(table.all.count).all + table.all)
    header = header.byte(1).byte(7).text("r").text("60").text("m").longlong(5).text("t").text("a")
    let all = heard.frames()
    #expect(all.map(\.payload) == [Bytes().short(60).short(40).short(0).text("").text("").byte(0).all, header.all])
    // What is refused as too large is reckoned by this.
    #expect(try FrameSize.header(properties) == header.all.count + 8)
  }

  @Test("many messages leave in one write, and one that is larger than a write in as few as it needs")
  func writes() throws {
    // Here each write arrives by itself.
    let pair = try SocketPair(SOCK_SEQPACKET)
    let frames = OutgoingFrames(channel: 1, frameMax: 131_072)
    let message = AMQPMessage(exchange: "", routingKey: "k", body: Array(repeating: 7, count: 1_000))
    for _ in 0..<50 { try frames.publish(message, to: pair.ours) }
    #expect(pair.received() == nil)
    let size = frames.count
    try frames.flush(to: pair.ours)
    #expect(pair.received() == size)
    #expect(pair.received() == nil)
    frames.acknowledge(5, multiple: true)
    frames.reject(6, requeue: true)
    frames.reject(7, requeue: false)
    try frames.flush(to: pair.ours)
    #expect(pair.received() == 3 * 21)
    for _ in 0..<100 { try frames.publish(message, to: pair.ours) }
    let first = try #require(pair.received())
    #expect(first >= OutgoingFrames.writeSize && first < OutgoingFrames.writeSize + 1_100)
    #expect(pair.received() == nil)
    try frames.flush(to: pair.ours)
    #expect(pair.received() == 2 * size - first)
  }

  @Test("acknowledgements, and what is given back or refused, have the form that the broker knows")
  func settling() throws {
    let pair = try SocketPair(SOCK_STREAM)
    let heard = pair.read()
    let frames = OutgoingFrames(channel: 1, frameMax: 4_096)
    frames.acknowledge(258, multiple: true)
    frames.acknowledge(3, multiple: false)
    frames.reject(4, requeue: true)
    frames.reject(5, requeue: false)
    try frames.flush(to: pair.ours)
    pair.end()
    #expect(
      heard.frames().map(\.payload) == [
        Bytes().short(60).short(80).longlong(258).byte(1).all, Bytes().short(60).short(80).longlong(3).byte(0).all,
        Bytes().short(60).short(120).longlong(4).byte(2).all, Bytes().short(60).short(90).longlong(5).byte(0).all,
      ])
  }

  @Test("a socket that takes little at a time gets everything in order")
  func backPressure() throws {
    let pair = try SocketPair(SOCK_STREAM, buffer: 4_096)
    let heard = pair.read()
    let frames = OutgoingFrames(channel: 1, frameMax: 131_072)
    let bodies = (0..<100).map { number in (0..<5_000 + number).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) } }
    for body in bodies { try frames.publish(AMQPMessage(exchange: "", routingKey: "k", body: body), to: pair.ours) }
    try frames.flush(to: pair.ours)
    pair.end()
    #expect(heard.frames().filter { $0.type == 3 }.map(\.payload) == bodies)
  }

  @Test("a socket that is shut down while nobody reads ends the write with the loss of the connection")
  func shutDown() async throws {
    let pair = try SocketPair(SOCK_STREAM, buffer: 4_096)
    let failure = Probe<AMQPFailure?>(nil)
    let hasEnded = Probe(false)
    _ = DriverThread(name: "writing") {
      do throws(AMQPFailure) {
        let frames = OutgoingFrames(channel: 1, frameMax: 131_072)
        let body = [UInt8](repeating: 0, count: 4 << 20)
        try frames.publish(AMQPMessage(exchange: "", routingKey: "k", body: body), to: pair.ours)
      } catch { failure.change { [error] in $0 = error } }
      hasEnded.change { $0 = true }
    }
    // Far more is still to come than the socket takes.
    try pair.awaitByte()
    shutdown(pair.ours, Int32(SHUT_RDWR))
    try await hasEnded.until { $0 }
    guard case .connectionLost? = failure.value else {
      Issue.record("\(String(describing: failure.value))")
      return
    }
  }
}

/// Two ends of a connection on this machine; writing to ours does not wait.
private final class SocketPair: Sendable {
  let ours: Int32
  private let theirs: Int32

  init(_ type: __socket_type, buffer: Int32? = nil) throws {
    var ends: [Int32] = [0, 0]
    guard socketpair(AF_UNIX, Int32(type.rawValue), 0, &ends) == 0 else { throw SocketError(step: "socketpair") }
    ours = ends[0]
    theirs = ends[1]
    guard fcntl(ours, F_SETFL, O_NONBLOCK) == 0 else { throw SocketError(step: "fcntl") }
    // What is never written ends the wait for it.
    var patience = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(theirs, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    if var buffer { setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &buffer, socklen_t(MemoryLayout<Int32>.size)) }
  }

  deinit {
    close(ours)
    close(theirs)
  }

  /// Ours writes no more.
  func end() { shutdown(ours, Int32(SHUT_WR)) }

  /// The size of the next write that has arrived; nil when there is none.
  func received() -> Int? {
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = recv(theirs, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    return count > 0 ? count : nil
  }

  /// Waits until a first byte has arrived.
  func awaitByte() throws { _ = try receiveSome(theirs, max: 1) }

  /// Reads beside the test until ours ends.
  func read() -> Heard { Heard(theirs) }
}

/// The frames that arrive until the other side ends.
private final class Heard: Sendable {
  private let all = Probe<[Frame]>([])
  private let thread: DriverThread

  init(_ socket: Int32) {
    let all = all
    thread = DriverThread(name: "reading") {
      let session = FakePeer.Session(socket)
      while let frame = try? session.next() { all.change { $0.append(frame) } }
    }
  }

  func frames() -> [Frame] {
    thread.join()
    return all.value
  }
}
