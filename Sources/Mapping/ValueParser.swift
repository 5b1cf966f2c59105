import JSON

/// A descriptor's `parser`: what is done to the value last (mapping-language.md §7).
struct ValueParser: Sendable {
  private var steps: [(make: ParserStep, parameters: ParserParameters)] = []

  /// What is known of a value before a parser takes it.
  enum Shape: String {
    case list
    case object
  }

  /// Reads a parser: `{"name", "params"}`, names with commas between them, or a list of either, each of which takes what the
  /// one before it made.
  /// - Parameters:
  ///   - shape: of the first one's value, where it is known.
  ///   - report: takes a sentence for each problem, and the value that it is about.
  ///   - warn: the same for what is odd and can be meant.
  init(
    _ value: JSONValue, field: String, of shape: Shape?, report: (String, JSONValue) -> Void,
    warn: (String, JSONValue) -> Void
  ) {
    var shape = shape
    for one in value.kind == .array ? Array(value.elements) : [value] {
      guard let chain = one.string ?? one["name"]?.string else {
        report(Self.nameless, one)
        continue
      }
      let names = chain.split(separator: ",").map { trimmed($0) }
      if names.isEmpty { report(Self.nameless, one) }
      for name in names {
        guard let step = ParserStep.table[name] else {
          let known = ParserStep.table.keys.sorted().joined(separator: ", ")
          report("the parser «\(excerpt(name))» is unknown; known are \(known)", one)
          continue
        }
        let parameters = ParserParameters(name, one["params"], field: field, needs: step.needs)
        if let sentence = parameters.problem { report(sentence, one["params"] ?? one) }
        if let sentence = parameters.oddity { warn(sentence, one["params"] ?? one) }
        if let given = shape, step.refuses.contains(given) {
          report(
            "the parser \(name) takes \(step.takes), and what it is given here is always \(Self.phrase(given))", one)
        }
        shape = step.makes
        steps.append((step, parameters))
      }
    }
  }

  /// Whether a descriptor has no parser: what editors leave there says nothing. PHP writes an empty object as a list.
  static func isNone(_ value: JSONValue?) -> Bool {
    guard let value, !value.isNull else { return true }
    if let text = value.string { return text.isEmpty }
    guard value.kind == .array || value.kind == .object else { return false }
    if value.count == 0 { return true }
    func isNothing(_ key: String) -> Bool {
      guard let value = value[key], !value.isNull else { return true }
      return value.string == "" || (value.kind == .array || value.kind == .object) && value.count == 0
    }
    return value.kind == .object && value["name"] != nil && isNothing("name") && isNothing("params")
  }

  /// Whether the first of them is made for one value of any kind, not for a list or an object.
  var takesAnything: Bool { steps.first?.make.takes == ParserStep.anything }

  private static let nameless = "a parser has a «name»"

  private static func phrase(_ shape: Shape) -> String { shape == .list ? "a list" : "an object" }

  /// What the parsers make of a value; nil leaves the field out.
  /// - Parameters:
  ///   - value: nil when the field has none.
  ///   - name: what the value is called in messages.
  /// - Throws: `ValueError` for a value that a parser is not made for.
  func applied(to value: JSONTree?, name: String) throws(ValueError) -> JSONTree? {
    var value = value
    for (step, parameters) in steps {
      do throws(ParserStep.Unfit) { value = try step.make(value, parameters) } catch {
        throw .unfit(
          name, wanted: "\(step.takes) for the parser \(parameters.parser)", kind: Self.kind(error.element ?? value))
      }
    }
    return value
  }

  private static func kind(_ value: JSONTree?) -> String {
    switch value {
    case nil, .null: "nothing"
    case .bool: "a boolean"
    case .number: "a number"
    case .string, .digits: "a text"
    case .array: "a list"
    case .object: "an object"
    }
  }
}
