import JSON

/// A descriptor's `parser`: what is done to the value last (mapping-language.md §7).
struct ValueParser: Sendable {
  /// What a parser makes of a value; nil leaves the field out. The value is nil when the field has none.
  private typealias Step = @Sendable (_ value: JSONTree?, _ parameters: Parameters) -> JSONTree?

  /// The `params` as the strategy writes them.
  private struct Parameters: Sendable {
    let field: String
    let text: String
    let members: [String: JSONTree]

    func member(_ name: String) -> JSONTree { members[name] ?? .string("") }
    func key(_ name: String) -> String {
      if case .string(let text)? = members[name] { return text }
      return name
    }
  }

  private let steps: [Step]
  private let parameters: Parameters

  private static let names = table.keys.sorted()

  /// Reads a parser; `names` may be chained with commas.
  /// - Throws: a sentence when it is not known.
  init(_ value: JSONValue, field: String) throws(Template.Malformed) {
    guard let chain = value.string ?? value["name"]?.string else {
      throw Template.Malformed(sentence: "a parser has a «name»")
    }
    var steps: [Step] = []
    for part in chain.split(separator: ",") {
      let name = trimmed(part)
      guard let step = Self.table[name] else {
        let known = Self.names.joined(separator: ", ")
        throw Template.Malformed(sentence: "the parser «\(excerpt(name))» is unknown; known are \(known)")
      }
      steps.append(step)
    }
    if steps.isEmpty { throw Template.Malformed(sentence: "a parser has a «name»") }
    self.steps = steps
    let params = value["params"]
    let members = params.map { $0.members.map { ($0.key, JSONTree($0.value)) } } ?? []
    parameters = Parameters(
      field: field, text: params?.text ?? "", members: Dictionary(members, uniquingKeysWith: { $1 }))
  }

  func applied(to value: JSONTree?) -> JSONTree? {
    var value = value
    for step in steps { value = step(value, parameters) }
    return value
  }

  /// What is between the elements of a list as text; the platform's own parameter is a comma.
  private static func separator(_ parameters: Parameters) -> String {
    parameters.text.isEmpty ? "," : parameters.text
  }

  private static func wrapped(_ key: String, _ value: JSONTree) -> JSONTree { .object([JSONMember(key, value)]) }

  private static let table: [String: Step] = [
    // A list becomes a text.
    "ArrayToString": { value, parameters in
      guard case .array(let elements)? = value else { return value }
      return .string(elements.map(text).joined(separator: separator(parameters)))
    },
    // A text becomes a list, a blank one an empty list.
    "StringToArray": { value, parameters in
      let whole = value.map(text) ?? ""
      if case .array? = value { return value }
      if whole.allSatisfy(\.isWhitespace) { return .array([]) }
      return .array(
        whole.split(separator: separator(parameters), omittingEmptySubsequences: false).map { .string(String($0)) })
    },
    // Only the first of equal elements stays.
    "ArrayUnique": { value, _ in
      guard case .array(let elements)? = value else { return value }
      var kept: [JSONTree] = []
      for element in elements where !kept.contains(element) { kept.append(element) }
      return .array(kept)
    },
    // `v` → `{"FNumber": v}`
    "ConvertObjectParser": { value, parameters in value.map { wrapped(parameters.text, $0) } },
    // `[v, w]` → `[{"FNumber": v}, {"FNumber": w}]`
    "ConvertObjectsParser": { value, parameters in
      guard let value else { return nil }
      guard case .array(let elements) = value else { return .array([wrapped(parameters.text, value)]) }
      return .array(elements.map { wrapped(parameters.text, $0) })
    },
    // `v` → `{"a": {"b": v}}`
    "ConvertTwoStageObjectParser": { value, parameters in
      value.map { wrapped(parameters.key("params1"), wrapped(parameters.key("params2"), $0)) }
    },
    // `{"a": 1}` → `[{"Key": "a", "Value": 1}]`
    "ConvertJson": { value, _ in
      guard case .object(let members)? = value else { return value }
      return .array(
        members.map { .object([JSONMember("Key", .string($0.key)), JSONMember("Value", $0.value)]) })
    },
    // `v` → `[{"keyName": params, "keyValue": v}]`
    "K3WiseHeiHuCustomParser": { value, parameters in
      value.map {
        .array([.object([JSONMember("keyName", .string(parameters.text)), JSONMember("keyValue", $0)])])
      }
    },
    // A field of a form of Weaver E9.
    "workflowRequestTableFields": { value, parameters in
      value.map { value in
        let own = ["view", "edit", "fieldId"].map { JSONMember($0, parameters.member($0)) }
        return .object(
          [JSONMember("fieldName", .string(parameters.field)), JSONMember("fieldValue", value)] + own)
      }
    },
  ]

  private static func text(_ value: JSONTree) -> String {
    switch value {
    case .string(let text): text
    case .number(let number): number.description
    case .bool(let value): value ? "true" : "false"
    case .null, .array, .object: ""
    }
  }
}
