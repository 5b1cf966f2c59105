import NIOCore
import NIOHTTP1

/// One client connection: gathers a request, asks the site, writes the reply in one piece. Requests on one connection are
/// answered strictly one after the other, however long a reply is held back.
final class Connection: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = ByteBuffer

  private static let largestBody = 16 << 20

  private let site: any Site
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []
  private var tooLarge = false
  private var waiting: [(request: Request, keepAlive: Bool)] = []
  private var busy = false
  private var client = ""

  init(site: any Site) { self.site = site }

  func channelActive(context: ChannelHandlerContext) {
    client = context.channel.remoteAddress?.ipAddress ?? ""
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body.removeAll()
      tooLarge = false
      if head.headers.first(name: "expect") != nil {
        context.writeAndFlush(
          wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
      }
    case .body(let part):
      if body.count + part.readableBytes > Self.largestBody {
        tooLarge = true
      } else {
        body.append(contentsOf: part.readableBytesView)
      }
    case .end:
      guard let head else { return }
      self.head = nil
      if tooLarge {
        write(Reply.page(413, "Request Entity Too Large"), keepAlive: false, context: context)
      } else {
        waiting.append((request(head), head.isKeepAlive))
        next(context)
      }
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func request(_ head: HTTPRequestHead) -> Request {
    let target = head.uri
    let cut = target.utf8.firstIndex(of: UInt8(ascii: "?"))
    var request = Request(method: head.method.rawValue, path: String(target[..<(cut ?? target.endIndex)]))
    if let cut { request.query = Query(target[target.index(after: cut)...]) }
    request.authorization = head.headers.first(name: "authorization")
    request.contentType = head.headers.first(name: "content-type")
    request.client = client
    swap(&request.body, &body)
    return request
  }

  private func next(_ context: ChannelHandlerContext) {
    guard !busy, !waiting.isEmpty else { return }
    let (request, keepAlive) = waiting.removeFirst()
    busy = true
    site.load.begin()
    let reply = site.answer(request)
    if reply.delayMilliseconds > 0 {
      context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(reply.delayMilliseconds))) {
        self.finish(reply, keepAlive: keepAlive, context: context)
      }
    } else {
      finish(reply, keepAlive: keepAlive, context: context)
    }
  }

  private func finish(_ reply: Reply, keepAlive: Bool, context: ChannelHandlerContext) {
    site.load.end()
    busy = false
    guard context.channel.isActive else { return waiting.removeAll() }
    if reply.ending == .dropped { return context.close(promise: nil) }
    write(reply, keepAlive: keepAlive, context: context)
    if keepAlive { next(context) }
  }

  private func write(_ reply: Reply, keepAlive: Bool, context: ChannelHandlerContext) {
    let length = reply.length
    var buffer = context.channel.allocator.buffer(capacity: 192 + length)
    buffer.writeStaticString("HTTP/1.1 ")
    buffer.writeString(HTTPResponseStatus(statusCode: reply.status).line)
    buffer.writeStaticString("\r\nContent-Type: ")
    buffer.writeString(reply.contentType)
    if let date = reply.date { buffer.writeString("\r\nDate: \(date)") }
    if let text = reply.retryAfter { buffer.writeString("\r\nRetry-After: \(text)") }
    if !keepAlive { buffer.writeStaticString("\r\nConnection: close") }
    buffer.writeStaticString("\r\nContent-Length: ")
    buffer.writeString(String(length))
    buffer.writeStaticString("\r\n\r\n")
    let start = buffer.writerIndex
    buffer.writeBytes(reply.before)
    buffer.writeBytes(reply.body)
    buffer.writeBytes(reply.after)
    buffer.moveWriterIndex(to: start + length)
    let written = context.writeAndFlush(wrapOutboundOut(buffer))
    if !keepAlive { written.assumeIsolated().whenComplete { _ in context.close(promise: nil) } }
  }
}

extension HTTPResponseStatus {
  fileprivate var line: String { code == 200 ? "200 OK" : "\(code) \(reasonPhrase)" }
}
