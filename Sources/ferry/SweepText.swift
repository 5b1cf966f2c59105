import JSON
import Orders
import Pipeline

/// A sweep as a person reads it, and as programs do.
extension Sweep {
  /// How much of the window is read, 0...100.
  var percent: Int64 {
    let whole = window.to.epochSeconds - window.from.epochSeconds + 1
    return min(100, (next.epochSeconds - window.from.epochSeconds) * 100 / whole)
  }

  private var published: Int { findings.missed + findings.changed }

  /// One line, with tabs between its parts.
  var line: String {
    [
      "\(id)", kind.rawValue, state.rawValue, "by \(basis.rawValue)", "\(window.from) to \(window.to)", "\(percent) %",
      "read \(findings.read)", "published \(published)", "failed \(findings.failed)",
    ].joined(separator: "\t")
  }

  /// One JSON object, in one line.
  var json: String {
    var writer = JSONWriter(reserving: 256)
    func member(_ name: String, _ value: String) {
      writer.key(name)
      writer.string(value)
    }
    func member(_ name: String, _ value: Int64) {
      writer.key(name)
      writer.integer(value)
    }
    writer.beginObject()
    member("id", id)
    member("kind", kind.rawValue)
    member("state", state.rawValue)
    member("by", basis.rawValue)
    member("from", window.from.description)
    member("to", window.to.description)
    writer.key("read_to")
    if next > window.from { writer.string(next.advanced(bySeconds: -1).description) } else { writer.null() }
    member("percent", percent)
    member("read", Int64(findings.read))
    member("published", Int64(published))
    member("changed", Int64(findings.changed))
    member("failed", Int64(findings.failed))
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
