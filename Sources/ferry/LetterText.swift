import JSON
import Orders
import Pipeline

/// A letter as a person reads it, and as programs do.
extension FiledLetter {
  /// One line, with tabs between its parts.
  var line: String {
    let order = letter.orderNumber ?? letter.orderID.map { "\($0)" } ?? "-"
    let parts = [letter.stage.rawValue, state.rawValue, letter.reason, order, letter.sentence]
    return (["\(id)", time(letter.parkedAt)] + parts).joined(separator: "\t")
  }

  /// Everything, with the body at the end.
  func text(acts: [LetterAct]) -> String {
    var lines = ["letter \(id): \(state.rawValue)", "  \(letter.reason): \(letter.sentence)"]
    let order = [letter.orderID.map { "order \($0)" }, letter.orderNumber, letter.revision.map { "revision \($0)" }]
      .compactMap { $0 }
    if !order.isEmpty { lines.append("  " + order.joined(separator: ", ")) }
    let attempts = letter.attempts.map { ", attempt \($0)" } ?? ""
    let first = letter.firstSeen.map { ", first seen \(time($0))" } ?? ""
    lines.append("  parked by \(letter.stage.rawValue) at \(time(letter.parkedAt))\(attempts)\(first)")
    if times > 1 { lines.append("  parked \(times) times in the same words, last at \(time(lastParkedAt))") }
    if let key { lines.append("  its number in K/3: \(key)") }
    if !letter.vendorAnswer.isEmpty { lines.append("  answer: \(letter.vendorAnswer)") }
    for act in acts {
      let how = act.isRefetch ? ", its order to be read anew," : ""
      lines.append("  \(act.state.rawValue)\(how) by \(act.by) at \(time(act.at))")
    }
    lines.append("  properties: \(letter.properties)")
    lines.append(String(decoding: letter.body, as: UTF8.self))
    return lines.joined(separator: "\n")
  }

  /// One JSON object, in one line.
  /// - Parameter acts: with them the message is told too.
  func json(acts: [LetterAct]?) -> String {
    var writer = JSONWriter(reserving: 512)
    func member(_ name: String, _ value: String?) {
      writer.key(name)
      if let value { writer.string(value) } else { writer.null() }
    }
    func member(_ name: String, _ value: Int64?) {
      writer.key(name)
      if let value { writer.integer(value) } else { writer.null() }
    }
    writer.beginObject()
    member("id", id)
    member("state", state.rawValue)
    member("by", by)
    member("stage", letter.stage.rawValue)
    member("reason", letter.reason)
    member("sentence", letter.sentence)
    member("order_id", letter.orderID.map { "\($0)" })
    member("order_number", letter.orderNumber)
    member("revision", letter.revision)
    member("attempts", letter.attempts.map { Int64($0) })
    member("first_seen", letter.firstSeen.map(time))
    member("parked_at", time(letter.parkedAt))
    member("times", Int64(times))
    if let acts {
      member("answer", letter.vendorAnswer)
      member("key", key)
      writer.key("acts")
      writer.beginArray()
      for act in acts {
        writer.beginObject()
        member("state", act.state.rawValue)
        member("how", act.isRefetch ? "refetch" : nil)
        member("by", act.by)
        member("at", time(act.at))
        writer.endObject()
      }
      writer.endArray()
      writer.key("properties")
      writer.raw(Array(letter.properties.utf8))
      member("body", String(decoding: letter.body, as: UTF8.self))
    }
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// The external key under which K/3 has got the bill, or would have: it replaces what the body has in the field of its key,
  /// `FBillNo` or the header `ferry-key-field`.
  private var key: String? {
    let known = try? JSONDocument(Array(letter.properties.utf8)).root
    return known?["headers"]?["ferry-key"]?.string
  }

  private func time(_ milliseconds: Int64) -> String { BeijingTime(epochSeconds: milliseconds / 1_000).description }
}

extension LetterDesk {
  /// One JSON object, in one line: what was discarded of the letters that were chosen, and what was not, since it did not wait.
  static func json(discarded: [Int64], of chosen: [Int64]) -> String {
    var writer = JSONWriter(reserving: 128)
    let done = Set(discarded)
    writer.beginObject()
    for (name, ids) in [("discarded", discarded), ("left", chosen.filter { !done.contains($0) })] {
      writer.key(name)
      writer.beginArray()
      for id in ids { writer.integer(id) }
      writer.endArray()
    }
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}

extension DeadLetterOffice.Replay {
  /// One JSON object, in one line.
  func json(refetch: Bool) -> String {
    var writer = JSONWriter(reserving: 128)
    writer.beginObject()
    writer.key("how")
    writer.string(refetch ? "refetch" : "publish")
    writer.key("replayed")
    writer.beginArray()
    for id in replayed { writer.integer(id) }
    writer.endArray()
    writer.key("refused")
    writer.beginArray()
    for (id, why) in refused {
      writer.beginObject()
      writer.key("id")
      writer.integer(id)
      writer.key("why")
      writer.string(why)
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}

extension LeftLetter {
  /// One line, with what to do.
  var text: String {
    let id = place.messageID.map { " (message id \($0))" } ?? ""
    return "Left in the queue \(place.queue), message \(place.position)\(id): \(why). Send its order through again by "
      + "`ferry backfill start`, then take the message off that queue in RabbitMQ's management interface."
  }
}
