import JSON

/// One entry of `request`: how a field of the bill comes about (mapping-language.md §3), compiled.
struct FieldDescriptor: Sendable {
  /// What the field becomes in JSON.
  enum Kind: Sendable {
    /// A scalar, with the type it is written as.
    case scalar(Scalar)
    case object([FieldDescriptor])
    /// One element per row of the list; without a list one element made from the order itself.
    case array(list: Path?, [FieldDescriptor])
  }

  enum Scalar: Sendable {
    case string
    case number
    case bool
  }

  let field: String
  let kind: Kind
  let form: ValueForm
  let rules: FieldRules
}

/// How a `value` is read (mapping-language.md §5).
enum ValueForm: Sendable {
  /// null, missing or "".
  case nothing
  /// Text with placeholders; a plain literal is one without any.
  case template(Template)
  /// `_function …`
  case function(Expression)
  /// `_findCollection …`
  case lookup(Lookup)

  init(_ value: JSONValue?) throws(Template.Malformed) {
    guard let value, !value.isNull else {
      self = .nothing
      return
    }
    guard let text = value.string else {
      guard let literal = value.numberText ?? value.bool.map({ $0 ? "true" : "false" }) else {
        throw Template.Malformed(sentence: "a value is a text, a number or a boolean")
      }
      self = .template(try Template(literal))
      return
    }
    if text.isEmpty {
      self = .nothing
    } else if text.hasPrefix(Parser.prefix) {
      self = .function(try Parser.parse(text.dropFirst(Parser.prefix.count)))
    } else if text.hasPrefix(Lookup.prefix) {
      self = .lookup(try Lookup(text))
    } else if text.hasPrefix("_mongoQuery") {
      throw Template.Malformed(sentence: "_mongoQuery is not supported; use _findCollection")
    } else {
      self = .template(try Template(text))
    }
  }

  /// The lookups of the form, for gathering their records beforehand.
  var lookups: [Lookup] {
    if case .lookup(let lookup) = self { return [lookup] }
    return []
  }
}

/// Ferry's own additions to a descriptor, below its key `ferry`, which the platform's language does not know.
struct FieldRules: Sendable {
  /// What a value that is not in the table becomes.
  enum Miss: String, Sendable {
    /// The order is parked (`value_unmapped`).
    case fail
    /// The value stays as it is.
    case keep
    /// `default` is taken.
    case `default`
  }

  /// Most decimals; rounded half away from zero. K/3's own: price 6, quantity 4, amount 2 (vendor-apis.md A-18).
  var decimals: Int?
  /// The field must have a value; the reason when it has none.
  var missing: MappingFailure.Code?
  /// Static mapping table.
  var table: [String: String]?
  var miss = Miss.fail
  var fallback = ""

  static let none = FieldRules()

  init() {}

  init(_ value: JSONValue, report: (String) -> Void) {
    for (key, entry) in value.members {
      switch key {
      case "decimals":
        decimals = entry.int64.flatMap { (0...20).contains($0) ? Int($0) : nil }
        if decimals == nil { report("decimals is a whole number from 0 to 20") }
      case "missing":
        missing = entry.string.flatMap(MappingFailure.Code.init(rawValue:))
        if missing == nil {
          let known = MappingFailure.Code.allCases.map(\.rawValue).joined(separator: ", ")
          report("missing is one of \(known)")
        }
      case "table":
        table = Dictionary(entry.members.map { ($0.key, $0.value.text ?? "") }, uniquingKeysWith: { $1 })
        if entry.kind != .object || entry.members.contains(where: { $0.value.text == nil }) {
          report("table is an object whose values are texts")
        }
      case "miss":
        guard let known = entry.string.flatMap(Miss.init(rawValue:)) else {
          report("miss is fail, keep or default")
          break
        }
        miss = known
      case "default": fallback = entry.text ?? ""
      default: report("«\(key)» is unknown; known are decimals, missing, table, miss, default")
      }
    }
  }
}

/// Reads descriptors and reports every problem with its place.
struct DescriptorReader {
  let file: String
  private(set) var problems: [StrategyProblem] = []

  init(file: String) { self.file = file }

  mutating func descriptors(_ value: JSONValue, at path: String) -> [FieldDescriptor] {
    guard value.kind == .array else {
      problems.append(StrategyProblem(file: file, path: path, "must be a list of field descriptors"))
      return []
    }
    var result: [FieldDescriptor] = []
    for (position, element) in value.elements.enumerated() {
      guard let name = element["field"]?.string, !name.isEmpty else {
        problems.append(StrategyProblem(file: file, path: "\(path)[\(position)]", "has no «field»"))
        continue
      }
      guard let descriptor = descriptor(element, name, at: "\(path).\(name)") else { continue }
      // The same field twice at one level: the last one counts (mapping-language.md §3).
      result.removeAll { $0.field == name }
      result.append(descriptor)
    }
    return result
  }

  private mutating func descriptor(_ element: JSONValue, _ name: String, at path: String) -> FieldDescriptor? {
    var rules = FieldRules.none
    if let own = element["ferry"] {
      var sentences: [String] = []
      rules = FieldRules(own) { sentences.append($0) }
      for sentence in sentences { problems.append(StrategyProblem(file: file, path: "\(path).ferry", sentence)) }
    }
    if element["is_required"]?.bool == true, rules.missing == nil { rules.missing = .fieldMissing }
    let type = element["type"]?.string?.lowercased() ?? "string"
    switch type {
    case "object":
      return FieldDescriptor(
        field: name, kind: .object(children(of: element, at: path)), form: .nothing, rules: rules)
    case "array":
      let list = element["value"]?.string.flatMap { $0.isEmpty ? nil : Path(trimmed($0)) }
      return FieldDescriptor(
        field: name, kind: .array(list: list, children(of: element, at: path)), form: .nothing, rules: rules)
    default:
      let scalar: FieldDescriptor.Scalar? =
        switch type {
        case "string", "datetime", "date": .string
        case "int", "integer", "float", "number", "decimal": .number
        case "bool", "boolean": .bool
        default: nil
        }
      guard let scalar else {
        problems.append(StrategyProblem(file: file, path: path, "the type «\(type)» is unknown"))
        return nil
      }
      do throws(Template.Malformed) {
        return FieldDescriptor(field: name, kind: .scalar(scalar), form: try ValueForm(element["value"]), rules: rules)
      } catch {
        problems.append(StrategyProblem(file: file, path: path, error.sentence))
        return nil
      }
    }
  }

  private mutating func children(of element: JSONValue, at path: String) -> [FieldDescriptor] {
    guard let children = element["children"], !children.isNull else {
      problems.append(StrategyProblem(file: file, path: path, "has no «children»"))
      return []
    }
    return descriptors(children, at: path)
  }
}
