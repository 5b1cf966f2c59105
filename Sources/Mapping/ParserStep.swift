import JSON

/// The `params` of a parser as the strategy writes them.
struct ParserParameters: Sendable {
  /// What a parser must be told.
  enum Need: Sendable {
    case nothing
    /// What is between the elements of a list as text. All that is public uses a comma, which is taken where none is given,
    /// with a warning.
    case separator
    /// The name of a key.
    case key
    /// An object with these members.
    case members([String])
  }

  /// The parser's name.
  let parser: String
  let field: String
  private(set) var text = ""
  private var members: [String: JSONTree] = [:]
  /// What keeps the parser from being used.
  private(set) var problem: String?
  /// What is odd.
  private(set) var oddity: String?

  init(_ parser: String, _ value: JSONValue?, field: String, needs: Need) {
    (self.parser, self.field) = (parser, field)
    // PHP writes an empty object as an empty list.
    let isNothing = value.map { $0.isNull || $0.string == "" || ($0.kind == .array && $0.count == 0) } ?? true
    switch needs {
    case .nothing:
      if !isNothing { oddity = "the parser \(parser) has no use for «params»" }
    case .separator:
      if isNothing { oddity = "the parser \(parser) has no «params», the separator; a comma is taken" }
      text = value?.string ?? ""
      if text.isEmpty { text = "," }
      if !isNothing, value?.string == nil { problem = "the «params» of \(parser) are the separator, a text" }
    case .key:
      text = value?.string ?? ""
      if trimmed(text).isEmpty {
        problem = "the parser \(parser) needs «params», the name of a key such as \"FNumber\""
      }
    case .members(let names):
      let given = value?.kind == .object ? value : nil
      for name in names { members[name] = given?[name].map { JSONTree($0) } }
      let isGiven = names.allSatisfy { name in given?[name].map { Self.isSaid($0) } ?? false }
      if !isGiven {
        let all = names.map { "«\($0)»" }.joined(separator: ", ")
        problem = "the parser \(parser) needs «params», an object with \(all)"
      }
    }
  }

  private static func isSaid(_ value: JSONValue) -> Bool {
    value.bool != nil || !(value.text ?? "").isEmpty
  }

  func member(_ name: String) -> JSONTree { members[name] ?? .null }

  func key(_ name: String) -> String {
    switch members[name] {
    case .string(let text)?: text
    case .number(let number)?: number.description
    default: ""
    }
  }
}

/// One parser: what it takes, what it must be told and what it makes.
struct ParserStep: Sendable {
  /// A value that it is not made for.
  struct Unfit: Error {
    /// The element of the value that is meant; nil: the value itself.
    var element: JSONTree?
  }

  /// What a parser takes that is made for any value.
  static let anything = "a value"

  /// What it makes of a value; nil leaves the field out. The value is nil when the field has none.
  typealias Make = @Sendable (_ value: JSONTree?, _ parameters: ParserParameters) throws(Unfit) -> JSONTree?

  /// In words, for messages.
  let takes: String
  let needs: ParserParameters.Need
  /// What it is certainly not made for.
  let refuses: [ValueParser.Shape]
  /// What it makes, where that is always the same.
  let makes: ValueParser.Shape?
  let make: Make

  private init(
    _ takes: String, needs: ParserParameters.Need = .nothing, refuses: [ValueParser.Shape] = [],
    makes: ValueParser.Shape? = nil, _ make: @escaping Make
  ) {
    (self.takes, self.needs, self.refuses, self.makes, self.make) = (takes, needs, refuses, makes, make)
  }

  private static func wrapped(_ key: String, _ value: JSONTree) -> JSONTree { .object([JSONMember(key, value)]) }

  private static func text(_ value: JSONTree) throws(Unfit) -> String {
    switch value {
    case .string(let text): text
    case .number(let number), .digits(let number): number.description
    case .bool(let value): value ? "true" : "false"
    case .null: ""
    case .array, .object: throw Unfit(element: value)
    }
  }

  static let table: [String: ParserStep] = [
    // A list becomes a text; a text stays one.
    "ArrayToString": ParserStep("a list of texts", needs: .separator, refuses: [.object]) {
      value, parameters throws(Unfit) in
      guard let value else { return nil }
      guard case .array(let elements) = value else {
        if case .object = value { throw Unfit() }
        return value
      }
      var texts: [String] = []
      for element in elements { texts.append(try text(element)) }
      return .string(texts.joined(separator: parameters.text))
    },
    // A text becomes a list, a blank one an empty list; a list stays one.
    "StringToArray": ParserStep("a text", needs: .separator, refuses: [.object], makes: .list) {
      value, parameters throws(Unfit) in
      if case .array? = value { return value }
      let whole = try value.map { value throws(Unfit) in try text(value) } ?? ""
      if whole.allSatisfy(\.isWhitespace) { return .array([]) }
      return .array(
        whole.split(separator: parameters.text, omittingEmptySubsequences: false).map { .string(String($0)) })
    },
    // Only the first of equal elements stays.
    "ArrayUnique": ParserStep("a list", refuses: [.object], makes: .list) { value, _ throws(Unfit) in
      guard let value else { return nil }
      guard case .array(let elements) = value else { throw Unfit() }
      var kept: [JSONTree] = []
      for element in elements where !kept.contains(element) { kept.append(element) }
      return .array(kept)
    },
    // `v` → `{"FNumber": v}`
    "ConvertObjectParser": ParserStep(anything, needs: .key, makes: .object) { value, parameters throws(Unfit) in
      value.map { wrapped(parameters.text, $0) }
    },
    // `[v, w]` → `[{"FNumber": v}, {"FNumber": w}]`
    "ConvertObjectsParser": ParserStep("a list", needs: .key, makes: .list) { value, parameters throws(Unfit) in
      guard let value else { return nil }
      guard case .array(let elements) = value else { return .array([wrapped(parameters.text, value)]) }
      return .array(elements.map { wrapped(parameters.text, $0) })
    },
    // `v` → `{"a": {"b": v}}`
    "ConvertTwoStageObjectParser": ParserStep(
      anything, needs: .members(["params1", "params2"]), makes: .object
    ) { value, parameters throws(Unfit) in
      value.map { wrapped(parameters.key("params1"), wrapped(parameters.key("params2"), $0)) }
    },
    // `{"a": 1}` → `[{"Key": "a", "Value": 1}]`; PHP writes an empty object as an empty list.
    "ConvertJson": ParserStep("an object", refuses: [.list], makes: .list) { value, _ throws(Unfit) in
      guard let value else { return nil }
      if case .array(let elements) = value, elements.isEmpty { return value }
      guard case .object(let members) = value else { throw Unfit() }
      return .array(
        members.map { .object([JSONMember("Key", .string($0.key)), JSONMember("Value", $0.value)]) })
    },
    // `v` → `[{"keyName": params, "keyValue": v}]`
    "K3WiseHeiHuCustomParser": ParserStep(anything, needs: .key, makes: .list) { value, parameters throws(Unfit) in
      value.map {
        .array([.object([JSONMember("keyName", .string(parameters.text)), JSONMember("keyValue", $0)])])
      }
    },
    // A field of a form of Weaver E9.
    "workflowRequestTableFields": ParserStep(
      anything, needs: .members(["view", "edit", "fieldId"]), makes: .object
    ) { value, parameters throws(Unfit) in
      value.map { value in
        let own = ["view", "edit", "fieldId"].map { JSONMember($0, parameters.member($0)) }
        return .object(
          [JSONMember("fieldName", .string(parameters.field)), JSONMember("fieldValue", value)] + own)
      }
    },
  ]
}
