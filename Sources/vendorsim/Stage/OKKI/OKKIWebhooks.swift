import JSON

/// The stored configuration of message pushing. Nothing is ever pushed.
struct OKKIWebhooks {
  var callback: String?
  var secret = "IdXEy84pL6gVehBPZdJytBYJ5pt85RCGnV3NPqt3D0k="
  var subscriptions: [String: [String]] = [:]
}

extension OKKISite {
  func webhook(_ request: Request) -> Reply {
    let body = (try? JSONDocument(request.body))?.root
    if request.path.hasPrefix("/v1/subscribe") { return subscription(request, body) }
    switch (request.method, request.path) {
    case ("POST", "/v1/webhook"), ("PUT", "/v1/webhook"):
      guard let callback = body?["callback_url"]?.string else { return failure(400, "callback_url 参数错误") }
      webhooks.callback = callback
      return success { writer in
        writer.member("security_method", "AES-256-GCM")
        writer.member("security_config", webhooks.secret)
      }
    case ("GET", "/v1/webhook"):
      guard let callback = webhooks.callback else { return notFound() }
      return success { writer in
        writer.member("callback_url", callback)
        writer.member("callback_verify", 0)
        writer.member("security_method", "AES-256-GCM")
      }
    case ("DELETE", "/v1/webhook"):
      webhooks.callback = nil
      return success([UInt8](#""success""#.utf8))
    case ("POST", "/v1/webhook/regenerate-secret"):
      var chance = Chance(seed: plan.seed, stream: webhooks.secret)
      webhooks.secret = Base64.text((0..<32).map { _ in UInt8(chance.below(256)) })
      return success { $0.member("webhook_secret", webhooks.secret) }
    default:
      return .page(404, "Not Found")
    }
  }

  private func subscription(_ request: Request, _ body: JSONValue?) -> Reply {
    let named = request.path.split(separator: "/").dropFirst(2).first.map { String($0) }
    switch request.method {
    case "POST", "PUT":
      guard let type = named ?? body?["subscribe_type"]?.string else { return failure(400, "subscribe_type 参数错误") }
      webhooks.subscriptions[type] = body?["subscribe_configs"]?.elements.compactMap { $0["biz_type"]?.string } ?? []
      return success([UInt8](#""success""#.utf8))
    case "DELETE":
      guard let named, webhooks.subscriptions.removeValue(forKey: named) != nil else { return notFound() }
      return success([UInt8](#""success""#.utf8))
    default:
      if let named, webhooks.subscriptions[named] == nil { return notFound() }
      let wanted = webhooks.subscriptions.filter { named == nil || $0.key == named }.sorted { $0.key < $1.key }
      return success { writer in
        writer.member(
          "list",
          array: { list in
            for (type, events) in wanted {
              list.object { one in
                one.member("subscribe_type", type)
                one.member(
                  "subscribe_configs",
                  array: { for event in events { $0.object { $0.member("biz_type", event) } } })
              }
            }
          })
      }
    }
  }
}
