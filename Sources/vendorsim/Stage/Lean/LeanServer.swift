import NIOCore
import NIOPosix

/// What a lean stand-in answers.
struct LeanReply {
  var bytes: ByteBuffer
  /// How long it is held back.
  var delayMilliseconds = 0
}

/// A stand-in that answers at once: for measuring the programs in between, not the servers. No faults, and no checks beyond
/// a bill number that is there already.
protocol LeanSite: AnyObject {
  /// The answer to a request.
  /// - Parameters:
  ///   - target: path and query, as they came.
  func answer(_ method: String, _ target: String, body: ByteBufferView) -> LeanReply
}

extension Stage {
  /// Starts a lean OKKI: prepared answers for an order flow without faults.
  /// - Throws: an error when the port cannot be had.
  public static func leanOKKI(_ plan: LeanPlan, host: String, port: Int) async throws -> SimServer {
    try await SimServer.start(host: host, port: port, site: { LeanOKKI(plan) }, handlers: { [LeanConnection(site: $0)] })
  }

  /// Starts a lean K/3 WISE: takes every bill once, and remembers when.
  /// - Throws: an error when the port cannot be had.
  public static func leanK3(latencyMilliseconds: Int, host: String, port: Int) async throws -> SimServer {
    try await SimServer.start(
      host: host, port: port, site: { LeanK3(latencyMilliseconds: latencyMilliseconds) },
      handlers: { [LeanConnection(site: $0)] })
  }
}

/// One client connection: as little of HTTP/1.1 as its clients speak, replies in the order of the requests.
final class LeanConnection<Site: LeanSite>: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let site: Site
  private var gathered = ByteBuffer()
  private var isContinued = false

  init(site: Site) { self.site = site }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var part = unwrapInboundIn(data)
    if gathered.readableBytes == 0 { swap(&gathered, &part) } else { gathered.writeBuffer(&part) }
    while let request = next(context) { answer(request, context) }
    if gathered.readableBytes == 0 { gathered.clear() }
    context.flush()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  private struct Request {
    var method: String
    var target: String
    var body: ByteBufferView
  }

  /// The next whole request.
  private func next(_ context: ChannelHandlerContext) -> Request? {
    let view = gathered.readableBytesView
    guard let end = Self.headEnd(view) else { return nil }
    let head = view[view.startIndex..<end]
    let length = Self.contentLength(head)
    guard view.endIndex - end >= length else {
      if !isContinued, Self.place(of: "100-continue", in: head) != nil {
        isContinued = true
        context.write(wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
      }
      return nil
    }
    isContinued = false
    guard let first = head.firstIndex(of: UInt8(ascii: " ")),
      let second = head[(first + 1)...].firstIndex(of: UInt8(ascii: " "))
    else {
      context.close(promise: nil)
      return nil
    }
    let request = Request(
      method: String(decoding: head[..<first], as: UTF8.self),
      target: String(decoding: head[(first + 1)..<second], as: UTF8.self), body: view[end..<(end + length)])
    gathered.moveReaderIndex(to: end + length)
    return request
  }

  private func answer(_ request: Request, _ context: ChannelHandlerContext) {
    let reply = site.answer(request.method, request.target, body: request.body)
    guard reply.delayMilliseconds > 0 else { return context.write(wrapOutboundOut(reply.bytes), promise: nil) }
    context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(reply.delayMilliseconds))) {
      context.writeAndFlush(self.wrapOutboundOut(reply.bytes), promise: nil)
    }
  }

  /// Behind the empty line.
  private static func headEnd(_ view: ByteBufferView) -> Int? {
    view.withUnsafeBytes { bytes in
      var place = 3
      while place < bytes.count {
        switch bytes[place] {
        case 10 where bytes[place - 1] == 13 && bytes[place - 2] == 10 && bytes[place - 3] == 13:
          return view.startIndex + place + 1
        case 10, 13: place += 1
        default: place += 2
        }
      }
      return nil
    }
  }

  private static func contentLength(_ head: ByteBufferView) -> Int {
    guard let place = place(of: "content-length:", in: head) else { return 0 }
    var length = 0
    for byte in head[place...] {
      if byte == 32 && length == 0 { continue }
      guard (0x30...0x39).contains(byte) else { break }
      length = length * 10 + Int(byte) - 0x30
    }
    return length
  }

  /// Behind a text of small letters, in any case of letters.
  private static func place(of text: StaticString, in head: ByteBufferView) -> Int? {
    let count = text.utf8CodeUnitCount
    return head.withUnsafeBytes { bytes in
      guard bytes.count >= count else { return nil }
      outer: for start in 0...(bytes.count - count) {
        for offset in 0..<count {
          let byte = bytes[start + offset]
          let small = (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
          if small != text.utf8Start[offset] { continue outer }
        }
        return head.startIndex + start + count
      }
      return nil
    }
  }
}

extension LeanReply {
  /// A reply with a JSON body.
  static func json(_ body: String, status: StaticString = "200 OK", delayMilliseconds: Int = 0) -> LeanReply {
    var bytes = ByteBuffer()
    bytes.reserveCapacity(minimumWritableBytes: body.utf8.count + 128)
    bytes.writeStaticString("HTTP/1.1 ")
    bytes.writeStaticString(status)
    bytes.writeStaticString("\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ")
    bytes.writeString(String(body.utf8.count))
    bytes.writeStaticString("\r\n\r\n")
    bytes.writeString(body)
    return LeanReply(bytes: bytes, delayMilliseconds: delayMilliseconds)
  }

  static let missing = json("{}", status: "404 Not Found")
}
