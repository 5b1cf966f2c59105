import JSON

/// The frame around every reply but those of the token endpoints.
extension OKKISite {
  /// `now` as the vendor's servers see it.
  var vendorNow: String {
    settings.clockSkewSeconds == 0
      ? stage.clock.text : BeijingTime.text(stage.clock.seconds + settings.clockSkewSeconds)
  }

  /// A success around data that is already text.
  func success(_ data: [UInt8]) -> Reply {
    var reply = Reply(data)
    reply.before = [UInt8](#"{"code":\#(settings.successCode),"message":"success","now":"\#(vendorNow)","data":"#.utf8)
    reply.after = [UInt8(ascii: "}")]
    return reply
  }

  func success(reserving capacity: Int = 256, _ build: (inout JSONWriter) -> Void) -> Reply {
    success(jsonObject(reserving: capacity, build))
  }

  /// A refusal: HTTP 200, the code says no.
  func failure(_ code: Int, _ message: String) -> Reply {
    Reply(
      jsonObject { writer in
        writer.member("code", code)
        writer.member("message", message)
        writer.member("now", vendorNow)
        writer.member("data", array: { _ in })
      })
  }

  func notFound() -> Reply { failure(404, "Not Found Resource") }

  static func denied() -> Reply {
    Reply(
      jsonObject { writer in
        writer.member("error", "access_denied")
        writer.member("error_description", "The resource owner or authorization server denied the request.")
        writer.member("hint", "Access token could not be verified")
        writer.member("message", "The resource owner or authorization server denied the request.")
      }, status: 401)
  }

  func missingScope(_ scope: String) -> Reply {
    var reply = failure(403, "no permission \(scope) scopes")
    reply.status = settings.missingScopeStatus
    return reply
  }

  private func sayWhen(_ reply: inout Reply) {
    let now = stage.clock.seconds + settings.dateSkewSeconds
    switch settings.retryAfterForm {
    case .seconds: reply.retryAfter = "\(settings.retryAfterSeconds)"
    case .date:
      reply.date = HTTPDate.text(now)
      reply.retryAfter = HTTPDate.text(now + settings.retryAfterSeconds)
    case .past:
      reply.date = HTTPDate.text(now)
      reply.retryAfter = HTTPDate.text(now - 3_600)
    case .absent: break
    case .words: reply.retryAfter = "in a moment"
    }
  }

  func limited() -> Reply {
    var reply: Reply
    switch settings.limitForm {
    case .http429:
      reply = failure(429, "请求过于频繁")
      reply.status = 429
      sayWhen(&reply)
    case .code429: reply = failure(429, "请求过于频繁")
    case .http503: reply = .page(503, "Service Temporarily Unavailable")
    }
    if settings.retryAfterInEveryForm { sayWhen(&reply) }
    reply.fault = OKKIFault.limited.rawValue
    return reply
  }
}
