import JSON
import Ledger
import Orders
import Pipeline

/// An order of the ledger as a person reads it, and as programs do.
extension OrderRecord {
  /// A line of the order, then each bill with what there is to say of it.
  var text: String {
    var lines: [String] = []
    if let seen {
      // Of a deletion that was told long ago nobody can say so after a `backfill start --again`.
      let standing = seen.isRemoval ? ", deleted in OKKI" : seen.isPublished ? "" : ", not published yet"
      lines.append("order \(id): newest revision seen \(seen.revision), of \(seen.updateTime)\(standing)")
    } else {
      lines.append("order \(id): never seen by the poller")
    }
    if bills.isEmpty { lines.append("  no bill was claimed yet") }
    for bill in bills { lines += bill.lines.map { "  " + $0 } }
    return lines.joined(separator: "\n")
  }

  /// One JSON object, in one line.
  var json: String {
    var writer = JSONWriter(reserving: 1_024)
    writer.beginObject()
    writer.member("order_id", "\(id)")
    writer.key("seen")
    if let seen {
      writer.beginObject()
      writer.member("revision", seen.revision)
      writer.member("update_time", seen.updateTime.description)
      writer.key("deleted")
      writer.bool(seen.isRemoval)
      writer.key("published")
      if seen.isRemoval { writer.null() } else { writer.bool(seen.isPublished) }
      writer.endObject()
    } else {
      writer.null()
    }
    writer.key("bills")
    writer.beginArray()
    for bill in bills { bill.write(to: &writer) }
    writer.endArray()
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}

extension BillRecord {
  fileprivate var lines: [String] {
    let place = parts > 0 ? "\(stream), bill \(part) of \(parts)" : stream
    var lines = ["\(place): \(standing)"]
    let maker = strategy.map { ", by the strategy \($0)" } ?? ""
    lines.append("  revision \(revision)\(maker); \(object) under the key \(key) in \(keyField)")
    lines.append("  claimed \(claims == 1 ? "once" : "\(claims) times"), first \(firstClaimed), last change \(changed)")
    if isInDoubt, state != "in_doubt" || doubtfulRevision != nil {
      let oldest = doubtfulRevision.map { ", perhaps of revision \($0)" } ?? ""
      lines.append("  an earlier attempt is in doubt\(oldest): K/3 is asked before it is sent again")
    }
    for note in notes.flatMap(NoteText.notes) ?? [] { lines.append("  note \(note)") }
    if let writeback { lines.append("  write-back \(writeback)") }
    if let vendorAnswer { lines.append("  K/3's last unexpected answer: \(vendorAnswer)") }
    return lines
  }

  private var standing: String {
    switch state {
    case "written": "written as \(number ?? key)\(internalID.map { ", id \($0) in K/3" } ?? "")"
    case "writing": "being written, claimed until \(due)"
    case "in_doubt": "in doubt, K/3 is asked from \(due) on"
    case "clean": "not written; the last attempt wrote nothing"
    case "parked": "parked: \(reason ?? "no reason kept")"
    default: state
    }
  }

  fileprivate func write(to writer: inout JSONWriter) {
    writer.beginObject()
    for (name, text) in [
      ("stream", stream), ("object", object), ("strategy", strategy), ("state", state), ("reason", reason),
      ("key", key), ("key_field", keyField), ("bill_number", number),
    ] {
      writer.member(name, text)
    }
    for (name, number) in [
      ("bill_id", internalID), ("part", Int64(part)), ("parts", Int64(parts)), ("revision", revision),
      ("doubtful_revision", doubtfulRevision), ("claims", Int64(claims)),
    ] {
      writer.member(name, number)
    }
    writer.key("in_doubt")
    writer.bool(isInDoubt)
    for (name, time) in [("due", due), ("first_claimed", firstClaimed), ("changed", changed)] {
      writer.member(name, time.description)
    }
    for (name, text) in [("notes", notes), ("writeback", writeback)] {
      writer.key(name)
      // As it was stored: what is no JSON, which nobody here writes, stays a text.
      if let text, let document = try? JSONDocument(Array(text.utf8)) {
        writer.raw(document.root.rawBytes)
      } else if let text {
        writer.string(text)
      } else {
        writer.null()
      }
    }
    writer.member("vendor_answer", vendorAnswer)
    writer.endObject()
  }
}

extension JSONWriter {
  fileprivate mutating func member(_ name: String, _ text: String?) {
    key(name)
    if let text { string(text) } else { null() }
  }

  fileprivate mutating func member(_ name: String, _ number: Int64?) {
    key(name)
    if let number { integer(number) } else { null() }
  }
}
