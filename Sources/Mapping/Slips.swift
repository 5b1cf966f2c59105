import JSON
import Orders

/// What a person who types a strategy gets wrong without its becoming another kind of text: misspelt keys and
/// directives. A key that is near to one with a meaning is refused; any other unknown key is passed over with a warning,
/// as the platform passes over it (mapping-language.md §2).
enum Slips {
  /// Keys of a descriptor that say something to Ferry.
  private static let read: Set = ["field", "type", "value", "is_required", "children", "parser", "ferry"]
  /// Keys of a descriptor that are for editors and lists.
  private static let decorative: Set = [
    "label", "describe", "parent", "parent_id", "id", "display", "enableDisplay",
  ]
  /// Keys of a document that Ferry reads, refuses, or needs not read to do what they say.
  private static let documentRead: Set = [
    "api", "effect", "type", "method", "id", "number", "name", "idCheck", "request", "response", "formatResponse",
    "condition", "operation", "beatFlat", "groupCalculate", "autoFillResponse", "params", "ferry", "otherRequest",
    "otherRequestParams", "primaryWriteback",
  ]
  /// Keys of a document that the platform acts by and Ferry does not.
  private static let documentUnused: Set = [
    "otherResponse", "pagination", "omissionRemedy", "autoCheck", "distributionOrg", "isUploadFile", "callBackStrategy",
  ]
  /// How a value begins that is not a text.
  private static let directives = ["_function", "_findCollection", "_mongoQuery"]

  /// Looks at the keys of one descriptor.
  static func check(descriptor: JSONValue, at path: String, _ problems: inout ProblemList) {
    check(descriptor, known: read, silent: decorative, unused: [], at: path, &problems)
  }

  /// Looks at the keys of a whole document, and at what stands under them.
  static func check(document: JSONValue, _ problems: inout ProblemList) {
    check(document, known: documentRead, silent: [], unused: documentUnused, at: "", &problems)
    DocumentShape.check(document, &problems)
  }

  /// Looks at the keys of descriptors that Ferry does not run, such as the source's request.
  static func check(descriptors: JSONValue?, at path: String, _ problems: inout ProblemList) {
    guard let descriptors, descriptors.kind == .array else { return }
    for (position, element) in descriptors.elements.enumerated() {
      let place = "\(path).\(excerpt(element["field"]?.string ?? "\(position)"))"
      check(descriptor: element, at: place, &problems)
      check(descriptors: element["children"], at: place, &problems)
    }
  }

  private static func check(
    _ object: JSONValue, known: Set<String>, silent: Set<String>, unused: Set<String>, at path: String,
    _ problems: inout ProblemList
  ) {
    for (key, value) in object.members {
      // `condition_bk`: a disabled copy, which people keep beside the real thing.
      if known.contains(key) || silent.contains(key) || key.hasSuffix("_bk") { continue }
      let place = path.isEmpty ? excerpt(key) : "\(path).\(excerpt(key))"
      if unused.contains(key) {
        problems.warn("the platform knows this key, Ferry does not use it", at: place, value)
      } else if let meant = Spelling.nearest(to: key, among: known.sorted()) {
        problems.report("the key is unknown; is «\(meant)» meant?", at: place, value)
      } else {
        let meant = Spelling.nearest(to: key, among: silent.union(unused).sorted())
        problems.warn(
          "the key is unknown and has no effect\(meant.map { "; is «\($0)» meant?" } ?? "")", at: place, value)
      }
    }
  }

  /// Whether a text begins with the word of a directive. Names may begin like one: `_files` is a list.
  static func isDirective(_ text: String) -> Bool {
    directives.contains(String(trimmed(text).prefix { $0 == "_" || $0.isLetter || $0.isNumber }))
  }

  /// The directive that a text seems to be meant as, while it would be sent to K/3 as it stands.
  static func directive(meantBy text: String) -> String? {
    let bare = trimmed(text.prefix(200))
    guard bare.first == "_" else { return nil }
    // With a space before it a directive is a text, too.
    if let directive = directives.first(where: bare.hasPrefix) { return directive }
    let word = bare.prefix { $0 == "_" || $0.isLetter }
    return Spelling.nearest(to: String(word), among: directives)
  }
}
