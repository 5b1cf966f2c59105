import JSON

/// The frame around every reply.
extension K3Site {
  func envelope(_ status: Int, _ message: String, reserving capacity: Int = 256, _ data: (inout JSONWriter) -> Void)
    -> Reply
  {
    var writer = JSONWriter(reserving: capacity)
    writer.beginObject()
    writer.key("StatusCode")
    if settings.statusCodeAsString { writer.string(String(status)) } else { writer.integer(Int64(status)) }
    writer.member("Message", message)
    writer.key("Data")
    if settings.encryptionKey.utf8.count == 8 {
      var plain = JSONWriter(reserving: capacity)
      data(&plain)
      writer.string(Base64.text(DES(key: [UInt8](settings.encryptionKey.utf8)).encrypted(plain.bytes)))
    } else {
      data(&writer)
    }
    writer.endObject()
    return Reply(writer.bytes)
  }

  func success(reserving capacity: Int = 256, _ data: (inout JSONWriter) -> Void) -> Reply {
    envelope(200, "Successful", reserving: capacity, data)
  }

  func refusal(_ refusal: Refusal) -> Reply {
    envelope(refusal.status, refusal.message) { writer in
      if refusal.reason.isEmpty {
        writer.null()
      } else if settings.failureShape == .text {
        writer.string(refusal.reason)
      } else {
        Self.failedRows(refusal.reason, &writer)
      }
    }
  }

  /// 200 "Successful", and yet the row says no.
  func failedRow(fault: String? = nil) -> Reply {
    var reply = success { Self.failedRows("操作不成功", &$0) }
    reply.fault = fault
    return reply
  }

  static func failedRows(_ reason: String, _ writer: inout JSONWriter) {
    writer.beginArray()
    writer.object { row in
      row.member("FStatus", false)
      row.member("FItemID", 0)
      row.member("FMessage", reason)
    }
    writer.endArray()
  }

  func createToken(_ call: Call) -> Reply {
    let draw = stage.faults.draw(call.endpoint, key: "")
    if !stage.faults.isQuiet {
      if stage.faults.strikes(.serverError, draw) {
        return .page(500, "Server Error", fault: K3Fault.serverError.rawValue)
      }
      if stage.faults.strikes(.unavailable, draw) {
        return .page(503, "Service Unavailable", fault: K3Fault.unavailable.rawValue)
      }
    }
    guard call.request.method == "GET", call.request.query.anyCase("authorityCode") == K3Tokens.authorityCode else {
      return envelope(201, settings.codeRefusal) { $0.object { $0.member("Code", "N") } }
    }
    let now = stage.clock.seconds
    let made = tokens.create(client: call.request.client, settings: settings, now: now, seed: plan.seed)
    return envelope(200, settings.tokenMessage) { writer in
      writer.object { data in
        data.member("AcctID", 3)
        data.member("UserID", 16_394)
        data.member("Token", made.token)
        data.member("Code", "Y")
        data.key("Validity")
        data.number(text: "\(settings.validitySeconds).0")
        data.member("IPAddress", call.request.client)
        data.member("Language", "CHS")
        data.member("Create", BeijingTime.text(made.created))
      }
    }
  }
}
