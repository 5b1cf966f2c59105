import NIOCore
import NIOHTTP1
import Telemetry

/// What the admin server says to a request.
struct AdminPages: Sendable {
  struct Page: Sendable, Equatable {
    var status = HTTPResponseStatus.ok
    var type = "text/plain; charset=utf-8"
    let text: String
  }

  let probe: HealthProbe
  let registry: MetricsRegistry

  /// The answer to GET and HEAD of a path; what follows a `?` does not matter.
  func page(_ method: HTTPMethod, _ target: String) -> Page {
    let path = target.prefix { $0 != "?" }
    guard ["/healthz", "/livez", "/readyz", "/startupz", "/metrics"].contains(path) else {
      return Page(status: .notFound, text: "not found\n")
    }
    guard method == .GET || method == .HEAD else { return Page(status: .methodNotAllowed, text: "GET only\n") }
    switch path {
    case "/healthz", "/livez":
      return probe.isAlive() ? Page(text: "ok\n") : Page(status: .internalServerError, text: "stuck\n")
    case "/readyz": return page(of: probe.missing(), "ready\n")
    case "/startupz": return page(of: probe.missingAtStart(), "started\n")
    default:
      // Whoever reads metrics looks often enough to see that the role was ready.
      _ = probe.missingAtStart()
      return Page(type: "text/plain; version=0.0.4; charset=utf-8", text: registry.prometheusText())
    }
  }
}

extension AdminPages {
  private func page(of missing: [String], _ good: String) -> Page {
    missing.isEmpty
      ? Page(text: good) : Page(status: .serviceUnavailable, text: missing.joined(separator: "\n") + "\n")
  }
}

/// One connection to the admin server: whole requests, one after the other; bodies are read and ignored.
final class AdminConnection: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let pages: AdminPages
  private var head: HTTPRequestHead?
  /// Answers that are not written whole.
  private var unwritten = 0
  /// No request comes any more: the connection ends with the last answer.
  private var isLast = false

  init(_ pages: AdminPages) { self.pages = pages }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let new): head = new
    case .body: break
    case .end:
      guard let asked = head else { return }
      head = nil
      answer(asked, context)
    }
  }

  private func answer(_ asked: HTTPRequestHead, _ context: ChannelHandlerContext) {
    // Who asks on and on and reads nothing is let go: answers would pile up here.
    guard context.channel.isWritable else { return context.close(promise: nil) }
    let page = pages.page(asked.method, asked.uri)
    var body = context.channel.allocator.buffer(capacity: page.text.utf8.count)
    body.writeString(page.text)
    var headers: HTTPHeaders = ["Content-Type": page.type, "Content-Length": String(body.readableBytes)]
    if page.status == .methodNotAllowed { headers.add(name: "Allow", value: "GET, HEAD") }
    if !asked.isKeepAlive { headers.add(name: "Connection", value: "close") }
    let head = HTTPResponseHead(version: asked.version, status: page.status, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if asked.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
    if !asked.isKeepAlive { isLast = true }
    unwritten += 1
    let loop = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { result in
      let (connection, context) = loop.value
      connection.unwritten -= 1
      if case .failure = result { return context.close(promise: nil) }
      connection.endIfDone(context)
    }
  }

  private func endIfDone(_ context: ChannelHandlerContext) {
    if isLast, unwritten == 0 { context.close(promise: nil) }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    // Whoever asks for nothing is let go, also in the middle of a request.
    if event is IdleStateHandler.IdleStateEvent { return context.close(promise: nil) }
    if event as? ChannelEvent == .inputClosed {
      isLast = true
      endIfDone(context)
    }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
