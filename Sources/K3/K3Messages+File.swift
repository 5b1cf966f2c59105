internal import JSON
public import Pipeline

extension K3Messages {
  /// The classes of a file, by their names, as far as an entry of them is one text. A class that is part of another one stands
  /// in both, as in the built-in lists: alone it would not make a refusal pass, or lock out.
  private static var classes: [(name: String, lists: [WritableKeyPath<K3Messages, [String]>])] {
    [
      ("token", [\.token, \.unauthorized]), ("unauthorized", [\.unauthorized]), ("unrelated", [\.unrelated]),
      ("aboutField", [\.aboutField]), ("busy", [\.busy]), ("unsettled", [\.unsettled, \.busy]),
      ("overloaded", [\.overloaded, \.busy]), ("unchangeable", [\.unchangeable]), ("gone", [\.gone]),
      ("generic", [\.generic]),
    ]
  }
  private static var known: String { (classes.map(\.name) + ["duplicate"]).sorted().joined(separator: ", ") }
  private static let most = 200

  /// The words above, and those of a site: a JSON object of classes, named as the lists above, each with a list of texts; an
  /// entry of `duplicate` may be a list of texts that must all occur.
  /// - Throws: a `SetupProblem` that names the first entry that cannot be used.
  public init(adding file: [UInt8]) throws(SetupProblem) {
    let root: JSONValue
    do throws(JSONError) { root = try JSONDocument(file).root } catch {
      throw Self.problem("are \(error.description)")
    }
    guard root.kind == .object else { throw Self.problem("are no JSON object") }
    for (name, list) in root.members {
      guard list.kind == .array, list.count <= Self.most else {
        throw Self.problem("have no list of at most \(Self.most) entries under «\(name.prefix(40))»")
      }
      if name == "duplicate" {
        for (place, entry) in list.elements.enumerated() {
          let texts = entry.kind == .array ? Array(entry.elements) : [entry]
          guard 1...10 ~= texts.count else { throw Self.problem("have an entry without texts at \(name)[\(place)]") }
          var words: [String] = []
          for text in texts { words.append(try Self.text(text, "\(name)[\(place)]")) }
          duplicate.append(words)
        }
        continue
      }
      guard let lists = Self.classes.first(where: { $0.name == name })?.lists else {
        throw Self.problem("have an unknown class «\(name.prefix(40))»; known are \(Self.known)")
      }
      for (place, entry) in list.elements.enumerated() {
        let text = try Self.text(entry, "\(name)[\(place)]")
        for list in lists { self[keyPath: list].append(text) }
      }
    }
  }

  /// A text that tells something: one letter would be in nearly every message.
  private static func text(_ value: JSONValue, _ place: String) throws(SetupProblem) -> String {
    guard let text = value.string, 2...200 ~= text.count, !text.allSatisfy(\.isWhitespace) else {
      throw problem("have no text of 2 to 200 characters at \(place)")
    }
    guard !text.contains(where: { "[]【】［］".contains($0) }) else {
      throw problem("have a bracket at \(place): what K/3 quotes in brackets is the bill's own and not looked at")
    }
    return text
  }

  private static func problem(_ what: String) -> SetupProblem {
    SetupProblem("The texts of K/3's messages \(what).", remedy: "Mend the file that FERRY_K3_MESSAGES_FILE names.")
  }
}
