public import JSON

/// How a lookup reads a record: every scalar has a name and a text.
///
/// A number's text is that of its digits as they stand (`5` is `"5"`, `5.0` is another text), a truth value's is `true`
/// or `false`. A null, a list and an object have none.
public enum RecordFields {
  /// The text of the field under its whole name, or else of the one that its dots lead to; nil when there is none.
  public static func text(_ field: String, of record: JSONValue) -> String? {
    if let found = record[field] { return text(found) }
    guard field.contains(".") else { return nil }
    var value = record
    for key in field.split(separator: ".", omittingEmptySubsequences: false) {
      guard let member = value[String(key)] else { return nil }
      value = member
    }
    return text(value)
  }

  private static func text(_ value: JSONValue) -> String? {
    value.text ?? value.bool.map { $0 ? "true" : "false" }
  }

  /// Tells every name with its text that `text(_:of:)` can answer for, and those that repeated keys hide from it.
  /// - Parameter limit: most names told; those behind are left out.
  public static func forEach(
    of record: JSONValue, limit: Int, _ body: (_ field: String, _ text: String) -> Void
  ) {
    var left = limit
    walk(record, below: "", &left, body)
  }

  private static func walk(
    _ object: JSONValue, below prefix: String, _ left: inout Int, _ body: (String, String) -> Void
  ) {
    guard object.kind == .object else { return }
    for (key, value) in object.members {
      guard left > 0 else { return }
      let name = prefix.isEmpty ? key : prefix + key
      if let text = text(value) {
        left -= 1
        body(name, text)
      } else {
        walk(value, below: name + ".", &left, body)
      }
    }
  }

  /// Whether two texts are the same, byte by byte: an index cannot know which letters Unicode holds to be one.
  static func same(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }
}
