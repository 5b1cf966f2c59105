import JSON

/// Reads descriptors and reports every problem with its place.
struct DescriptorReader {
  private(set) var problems: ProblemList
  private let known: KnownData
  /// The lists whose rows the descriptors being read are for, innermost last.
  private var lists: [Path] = []

  init(_ problems: ProblemList, known: KnownData) {
    self.problems = problems
    self.known = known
  }

  mutating func descriptors(_ value: JSONValue, at path: String) -> [FieldDescriptor] {
    guard value.kind == .array else {
      problems.report("must be a list of field descriptors", at: path, value)
      return []
    }
    var result: [FieldDescriptor] = []
    var last: [String: Int] = [:]
    for (position, element) in value.elements.enumerated() {
      guard let name = element["field"]?.string, !name.isEmpty, name.utf8.count <= 200 else {
        problems.report("has no «field» of up to 200 bytes", at: "\(path)[\(position)]", element)
        continue
      }
      guard let descriptor = descriptor(element, name, at: "\(path).\(name)") else { continue }
      if last[name] != nil {
        problems.warn("the field stands here twice; the last one counts", at: "\(path).\(name)", element)
      }
      last[name] = result.count
      result.append(descriptor)
    }
    // The same field twice at one level: the last one counts (mapping-language.md §3).
    if last.count == result.count { return result }
    return result.enumerated().filter { last[$0.element.field] == $0.offset }.map(\.element)
  }

  private mutating func descriptor(_ element: JSONValue, _ name: String, at path: String) -> FieldDescriptor? {
    Slips.check(descriptor: element, at: path, &problems)
    guard let type = type(of: element, at: path) else { return nil }
    let rules = rules(of: element, isScalar: type != "object" && type != "array", at: path)
    if let parser = element["parser"], !parser.isNull {
      problems.report("parsers are not supported", at: "\(path).parser", parser)
    }
    switch type {
    case "object":
      return FieldDescriptor(field: name, kind: .object(children(of: element, at: path)), rules: rules)
    case "array":
      let list = list(of: element, at: path)
      if let list {
        known.check([list], inside: lists, isRequired: rules.missing != nil, at: path, element["value"], &problems)
        lists.append(list)
      }
      defer { if list != nil { lists.removeLast() } }
      return FieldDescriptor(field: name, kind: .array(list: list, children(of: element, at: path)), rules: rules)
    default:
      guard let scalar = FieldDescriptor.Scalar(typeName: type) else {
        problems.report("the type «\(excerpt(type))» is unknown", at: path, element["type"] ?? element)
        return nil
      }
      do throws(Template.Malformed) {
        let form = try ValueForm(element["value"])
        known.check(form, inside: lists, isRequired: rules.missing != nil, at: path, element["value"], &problems)
        return FieldDescriptor(field: name, kind: .scalar(scalar), form: form, rules: rules)
      } catch {
        problems.report(error.sentence, at: path, element["value"] ?? element)
        return nil
      }
    }
  }

  /// The type in lower case; live metadata spells it both ways.
  private mutating func type(of element: JSONValue, at path: String) -> String? {
    guard let type = element["type"], !type.isNull else { return "string" }
    if let name = type.string { return name.lowercased() }
    problems.report("the type is not a text", at: path, type)
    return nil
  }

  private mutating func rules(of element: JSONValue, isScalar: Bool, at path: String) -> FieldRules {
    var rules = FieldRules.none
    if let own = element["ferry"], !own.isNull {
      var sentences: [String] = []
      rules = FieldRules(own, isScalar: isScalar) { sentences.append($0) }
      for sentence in sentences { problems.report(sentence, at: "\(path).ferry", own) }
    }
    if let required = element["is_required"], !required.isNull, required.bool == nil {
      problems.report("is_required is true or false, without quotes", at: "\(path).is_required", required)
    }
    if element["is_required"]?.bool == true, rules.missing == nil { rules.missing = .fieldMissing }
    return rules
  }

  /// The list that an array is bound to: a bare name; with braces it means the same (mapping-language.md §5, 3).
  private mutating func list(of element: JSONValue, at path: String) -> Path? {
    guard let value = element["value"], !value.isNull, value.string != "" else { return nil }
    if let text = value.string, !text.hasPrefix("_f"), let template = try? Template(text) {
      if let only = template.only, only.filter == nil { return only.path }
      let list = Path(trimmed(text))
      if template.paths.isEmpty, !list.segments.isEmpty { return list }
    }
    problems.report("the value of an array is the name of a list", at: path, value)
    return nil
  }

  private mutating func children(of element: JSONValue, at path: String) -> [FieldDescriptor] {
    guard let children = element["children"], !children.isNull else {
      problems.report("has no «children»", at: path, element)
      return []
    }
    return descriptors(children, at: path)
  }
}
