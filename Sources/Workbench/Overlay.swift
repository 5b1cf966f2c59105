import JSON

/// Lays a few members over a metadata file, so that an example can try what a site may change.
///
/// Objects are laid over each other member by member, and lists of descriptors descriptor by descriptor, by their
/// `field`; anything else takes the place of what was there. What the file does not have is added at the end.
enum Overlay {
  /// The file's text with the members.
  /// - Throws: `UnusableFile` when the file is no JSON object.
  static func text(_ file: [UInt8], _ name: String, with members: JSONValue) throws(UnusableFile) -> [UInt8] {
    guard let root = try? JSONDocument(file).root, root.kind == .object else {
      throw UnusableFile("\(name) must hold a JSON object")
    }
    var writer = JSONWriter(reserving: file.count + members.rawBytes.count)
    write(root, members, &writer)
    return writer.bytes
  }

  private static func write(_ value: JSONValue, _ other: JSONValue, _ writer: inout JSONWriter) {
    if value.kind == .object, other.kind == .object {
      writer.beginObject()
      for (key, member) in value.members {
        writer.key(key)
        if let over = other[key] { write(member, over, &writer) } else { writer.raw(member.rawBytes) }
      }
      for (key, member) in other.members where value[key] == nil {
        writer.key(key)
        writer.raw(member.rawBytes)
      }
      writer.endObject()
    } else if let names = fields(value), let over = fields(other) {
      writer.beginArray()
      for (name, element) in zip(names, value.elements) {
        if let place = over.firstIndex(of: name), let descriptor = other[place] {
          write(element, descriptor, &writer)
        } else {
          writer.raw(element.rawBytes)
        }
      }
      for (name, element) in zip(over, other.elements) where !names.contains(name) { writer.raw(element.rawBytes) }
      writer.endArray()
    } else {
      writer.raw(other.rawBytes)
    }
  }

  /// The fields that a list of descriptors is for; nil for any other value.
  private static func fields(_ value: JSONValue) -> [String]? {
    guard value.kind == .array else { return nil }
    let names = value.elements.compactMap { $0["field"]?.string }
    return names.count == value.count ? names : nil
  }
}
