import JSON
import Mapping
import Orders

/// An example beside a strategy, `*.example.json`: an order and what must come of it.
///
/// `{"order":{…},"collections":{"customers":[…]},"now":"2024-01-29 10:00:00","document":{…}}`, or `"failures":
/// [{"code":"…","target":"…","sentence":"…"}]` or `"documents": [{…}, …]` instead of the document: a strategy that takes
/// orders apart makes `documents`, also when an order becomes one. `now` is a time in Beijing. Beside documents `notes` may
/// stand, `[{"kind":"…","place":"…","text":"…"}]`: without them any notes will do. A `calendar` stands for `calendar.json`;
/// the members of `source` and `target` are laid over those of the files (`Overlay`), to try what a site may change.
public struct StrategyExample: Sendable {
  /// Its file.
  public let file: String
  private let content: JSONDocument
  private let collections: FileCollections
  private let inputs: MappingInputs

  /// Reads an example.
  /// - Throws: `UnusableFile` when it is no example.
  public init(file: String) throws(UnusableFile) {
    self.file = file
    content = try Files.json(file)
    let root = content.root
    for (key, _) in root.members where !Self.keys.contains(key) {
      throw UnusableFile("\(file): «\(key)» is unknown; known are \(Self.keys.joined(separator: ", "))")
    }
    guard root["order"] != nil else { throw UnusableFile("\(file) has no «order»") }
    for key in ["source", "target"] where root[key].map({ $0.kind != .object }) ?? false {
      throw UnusableFile("\(file): \(key) is an object with members of \(key).json")
    }
    var collections = FileCollections()
    for (name, records) in root["collections"].map({ Array($0.members) }) ?? [] {
      try collections.add(records, as: name, "\(file): collections.\(name)")
    }
    self.collections = collections
    var inputs = MappingInputs(randomSeed: 0)
    if let now = root["now"] {
      guard let time = now.string.flatMap({ BeijingTime($0) }) else {
        throw UnusableFile("\(file): now is a time such as 2024-01-29 10:00:00")
      }
      inputs.now = time
    }
    self.inputs = inputs
  }

  /// The text of a calendar of its own.
  var calendar: [UInt8]? { content.root["calendar"].map { Array($0.rawBytes) } }

  /// Members to be laid over those of the files; nil for none.
  var source: JSONValue? { content.root["source"] }
  var target: JSONValue? { content.root["target"] }

  /// Whether it tries something else than the files say.
  var isOwn: Bool { calendar != nil || source != nil || target != nil }

  private static let keys = [
    "note", "calendar", "source", "target", "order", "collections", "now", "document", "documents", "failures", "notes",
  ]

  /// What an example may expect.
  private static let results = ["document", "documents", "failures"]

  /// Where the strategy does otherwise than the example says, a line each; empty when it agrees.
  public func differences(_ strategy: WorkStrategy) -> [String] {
    let (key, found, notes) = outcome(strategy)
    let root = content.root
    guard let wanted = Self.results.first(where: { root[$0] != nil }) else {
      return ["expects nothing; run with --update"]
    }
    let others = Self.results.filter { $0 != wanted && root[$0] != nil }
    if let other = others.first { return ["expects both «\(wanted)» and «\(other)»; only one can come true"] }
    // One document may be expected by itself.
    guard let actual = try? JSONDocument(found).root else { return ["the strategy made no JSON"] }
    let isAlone = wanted == "document" && key == "documents" && actual.count == 1
    guard let expected = root[wanted], let compared = isAlone ? actual[0] : actual, isAlone || wanted == key else {
      let what = wanted == "document" ? "a document" : wanted
      return ["expected \(what), got \(String(decoding: found, as: UTF8.self))"]
    }
    var differences = Self.differences(expected, compared, at: "")
    if key != "failures", let expected = root["notes"], let actual = try? JSONDocument(notes) {
      differences += Self.differences(expected, actual.root, at: "notes")
    }
    return differences
  }

  /// The example with what the strategy makes now.
  public func updated(_ strategy: WorkStrategy) -> [UInt8] {
    let (key, found, notes) = outcome(strategy)
    var members: [(String, [UInt8])] = []
    for (name, value) in content.root.members where name != "notes" && !Self.results.contains(name) {
      members.append((name, Array(value.rawBytes)))
    }
    members.append((key, found))
    // An example that says «no notes» goes on saying so.
    if key != "failures", notes != Array("[]".utf8) || content.root["notes"] != nil {
      members.append(("notes", notes))
    }
    var writer = JSONWriter()
    writer.beginObject()
    for (name, bytes) in members {
      writer.key(name)
      writer.raw(bytes)
    }
    writer.endObject()
    guard let whole = try? JSONDocument(writer.bytes) else { return writer.bytes }
    return Array((PrettyJSON.text(whole.root) + "\n").utf8)
  }

  /// Writes the example anew.
  /// - Throws: `UnusableFile`.
  public func update(_ strategy: WorkStrategy) throws(UnusableFile) { try Files.write(updated(strategy), to: file) }

  private func outcome(_ strategy: WorkStrategy) -> (key: String, [UInt8], notes: [UInt8]) {
    guard let order = content.root["order"] else { return ("failures", [], []) }
    let explanation = strategy.explain(order, collections: collections, inputs: inputs, byField: false)
    switch explanation.documents {
    case .success(let bodies):
      let notes = Self.array(
        explanation.notes.map { [("kind", $0.kind.rawValue), ("place", $0.place), ("text", $0.text)] })
      if !strategy.splits, let body = bodies.first { return ("document", body, notes) }
      var writer = JSONWriter()
      writer.beginArray()
      for body in bodies { writer.raw(body) }
      writer.endArray()
      return ("documents", writer.bytes, notes)
    case .failure(let failures):
      let found = failures.failures.map {
        [("code", $0.code.rawValue), ("target", $0.target), ("sentence", $0.sentence)]
      }
      return ("failures", Self.array(found), [])
    }
  }

  /// An array of objects whose members are texts.
  private static func array(_ objects: [[(String, String)]]) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginArray()
    for members in objects {
      writer.beginObject()
      for (key, value) in members {
        writer.key(key)
        writer.string(value)
      }
      writer.endObject()
    }
    writer.endArray()
    return writer.bytes
  }

  /// Field by field; the order of an object's members counts for nothing.
  private static func differences(_ expected: JSONValue, _ found: JSONValue, at path: String) -> [String] {
    let place = path.isEmpty ? "the document" : path
    switch (expected.kind, found.kind) {
    case (.object, .object):
      var lines: [String] = []
      for (key, value) in expected.members {
        let inner = path.isEmpty ? key : "\(path).\(key)"
        guard let other = found[key] else {
          lines.append("\(inner): expected \(raw(value)), got nothing")
          continue
        }
        lines += differences(value, other, at: inner)
      }
      for (key, value) in found.members where expected[key] == nil {
        lines.append("\(path.isEmpty ? key : "\(path).\(key)"): expected nothing, got \(raw(value))")
      }
      return lines
    case (.array, .array):
      var lines: [String] = []
      for (position, (one, other)) in zip(expected.elements, found.elements).enumerated() {
        lines += differences(one, other, at: "\(path)[\(position)]")
      }
      if expected.count != found.count { lines.append("\(place): expected \(expected.count) rows, got \(found.count)") }
      return lines
    default:
      return raw(expected) == raw(found) ? [] : ["\(place): expected \(raw(expected)), got \(raw(found))"]
    }
  }

  private static func raw(_ value: JSONValue) -> String {
    // Strings by their content, so that an escape is no difference.
    if let text = value.string {
      var writer = JSONWriter()
      writer.string(text)
      return String(decoding: writer.bytes, as: UTF8.self)
    }
    return String(decoding: value.rawBytes, as: UTF8.self)
  }
}

/// JSON for people: two spaces, short objects and arrays on one line.
enum PrettyJSON {
  static func text(_ value: JSONValue, indent: String = "") -> String {
    let flat = Self.flat(value)
    if flat.count + indent.count <= 110, !flat.contains("\n") { return flat }
    let inner = indent + "  "
    switch value.kind {
    case .object:
      let members = value.members.map { "\(inner)\(key($0.key)): \(text($0.value, indent: inner))" }
      return "{\n\(members.joined(separator: ",\n"))\n\(indent)}"
    case .array:
      return "[\n\(value.elements.map { inner + text($0, indent: inner) }.joined(separator: ",\n"))\n\(indent)]"
    default: return flat
    }
  }

  private static func flat(_ value: JSONValue) -> String {
    switch value.kind {
    case .object:
      let members = value.members.map { "\(key($0.key)): \(flat($0.value))" }
      return members.isEmpty ? "{}" : "{ \(members.joined(separator: ", ")) }"
    case .array: return "[\(value.elements.map(flat).joined(separator: ", "))]"
    case .string: return key(value.string ?? "")
    default: return String(decoding: value.rawBytes, as: UTF8.self)
    }
  }

  private static func key(_ text: String) -> String {
    var writer = JSONWriter()
    writer.string(text)
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
