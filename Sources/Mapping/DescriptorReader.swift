import JSON

/// Reads descriptors and reports every problem with its place.
struct DescriptorReader {
  private(set) var problems: ProblemList
  private(set) var table: OperandTable
  private let known: KnownData
  /// Of a source Ferry does not send the request: what it lacks does no harm.
  private let isSource: Bool
  private let defaults: FieldDefaults
  /// Names the list of an array that names none itself.
  private let grouping: Grouping?

  init(
    _ problems: ProblemList, known: KnownData, made: [MadeField] = [], isSource: Bool = false,
    defaults: FieldDefaults = FieldDefaults(), grouping: Grouping? = nil
  ) {
    self.problems = problems
    self.known = known
    self.isSource = isSource
    self.defaults = defaults
    self.grouping = grouping
    table = OperandTable(made: made)
    table.zone = defaults.zone
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

  /// Parameters as one object of names and values, which stands for a flat `request`.
  mutating func parameters(_ value: JSONValue, at path: String) -> [FieldDescriptor] {
    value.members.compactMap { name, value in
      scalar(value, name, .string, .none, nil, at: "\(path).\(excerpt(name))", value)
    }
  }

  private mutating func descriptor(_ element: JSONValue, _ name: String, at path: String) -> FieldDescriptor? {
    Slips.check(descriptor: element, at: path, &problems)
    guard let type = meantType(of: element, at: path) else { return nil }
    let isContainer = ["object", "array"].contains(type)
    let rules = rules(of: element, isScalar: !isContainer, at: path)
    let hasChildren = element["children"].map { !$0.isNull } ?? false
    let shape: ValueParser.Shape? = !isContainer || !hasChildren ? nil : type == "array" ? .list : .object
    let parser = parser(of: element, name, shape, at: path)
    if type == "object", parser == nil, let value = element["value"], !value.isNull, value.string != "" {
      problems.warn("the value of an object is not used; its children are", at: path, value)
    }
    switch type {
    case "object" where hasChildren || parser == nil:
      return FieldDescriptor(name, .object(children(of: element, at: path)), rules, parser)
    case "array" where hasChildren || parser == nil:
      if !hasChildren {
        problems.warn("the array has no «children»: its elements are sent empty", at: path, element)
      }
      return array(element, name, rules, parser, at: path)
    case "object", "array":
      // A parser makes the list or the object of a value.
      return scalar(element["value"], name, .string, rules, parser, at: path, element)
    default:
      guard let type = ScalarType(typeName: type) else {
        problems.report("the type «\(excerpt(type))» is unknown", at: path, element["type"] ?? element)
        return nil
      }
      // An editor writes an empty list beside every field.
      if let children = element["children"], !children.isNull, children.kind != .array || children.count > 0 {
        problems.warn("has children, which a \(element["type"]?.string ?? "text") does not have", at: path, element)
      }
      return scalar(element["value"], name, type, rules, parser, at: path, element)
    }
  }

  /// The type; of a field with children that names none what the children make of it.
  private mutating func meantType(of element: JSONValue, at path: String) -> String? {
    let type = type(of: element, at: path)
    guard type == "string", let children = element["children"], children.kind == .array, children.count > 0,
      ValueParser.isNone(element["parser"])
    else { return type }
    let hasList = element["value"].map { !$0.isNull && $0.string != "" } ?? false
    problems.warn(
      "has children and is no object or array by its type; it is taken for \(hasList ? "an array" : "an object")",
      at: path, element)
    return hasList ? "array" : "object"
  }

  private mutating func scalar(
    _ value: JSONValue?, _ name: String, _ type: ScalarType, _ rules: FieldRules, _ parser: ValueParser?,
    at path: String, _ element: JSONValue
  ) -> FieldDescriptor? {
    do throws(Template.Malformed) {
      let form = try ValueForm(value, operands: &table)
      known.check(form, table, isRequired: rules.missing != nil, at: path, value, &problems)
      if rules.isOptional, form.lookups(table).isEmpty {
        problems.report("«optional» is only for a lookup", at: "\(path).ferry", element["ferry"])
      }
      if rules.isRowNumber, let value, !value.isNull, value.string != "" {
        problems.report("a field with «row» has no value of its own", at: "\(path).ferry", element["ferry"])
      }
      var rules = rules
      tellTexts(besideFieldsOf: form, at: path, value)
      settleDecimals(of: form, name, type, &rules, at: path, value)
      var plain: Template?
      if rules.isOriginal, form.lookups(table).isEmpty, let text = value?.string {
        // A brace that the formula's language takes may be none of a text's.
        plain = try? Template(
          text.hasPrefix(Formula.prefix) ? String(text.dropFirst(Formula.prefix.count)) : text, operands: &table)
      }
      return FieldDescriptor(
        name, type, form, rule: value?.text ?? value?.bool.map { "\($0)" } ?? "", rules, parser, plain: plain,
        table: table)
    } catch {
      problems.report(error.sentence, at: path, value ?? element)
      return nil
    }
  }

  private mutating func tellTexts(besideFieldsOf form: ValueForm, at path: String, _ value: JSONValue?) {
    guard case .function(let formula) = form else { return }
    for (operand, text) in formula.textsBesideFields {
      let name = table.operands[operand].name
      problems.warn(
        "an order whose \(excerpt(name)) is digits is parked, since they are a number, and «\(excerpt(text))» is a text; "
          + "between quotes, '{{…}}', the field is a text always", at: path, value)
    }
  }

  /// What a formula makes has as many decimals as its arithmetic gives it; K/3 has those of the field's class.
  private mutating func settleDecimals(
    of form: ValueForm, _ name: String, _ type: ScalarType, _ rules: inout FieldRules, at path: String,
    _ value: JSONValue?
  ) {
    guard defaults.isBill, rules.decimals == nil, case .function(let formula) = form else { return }
    let usual = defaults.classes.usual(of: name)
    switch type {
    case .string, .number: break
    case .integer:
      // Rounded to a whole number it would be another amount, and K/3 would take it.
      guard usual != nil, formula.roundedTo.map({ $0 > 0 }) ?? true else { return }
      return problems.warn(
        "the field is an int, so that an order for which the formula makes decimals is parked; ROUND, or the type float, "
          + "says what is meant", at: path, value)
    case .bool, .time: return
    }
    if let (kind, decimals) = usual {
      rules.usualDecimals = decimals
      if formula.roundedTo.map({ $0 <= decimals }) ?? false { return }
      let article = kind == "amount" ? "an" : "a"
      problems.warn(
        "what the formula makes is rounded half away from zero to \(decimals) decimals, K/3's for \(article) \(kind); the "
          + "field's «ferry.decimals» says otherwise", at: path, value)
    } else if formula.mayBeEndless, rules.isDivisionExact {
      problems.warn(
        "the formula divides and nothing rounds what it makes, so that up to 24 decimals are sent; ROUND or the field's "
          + "«ferry.decimals» says how many", at: path, value)
    }
  }

  private mutating func array(
    _ element: JSONValue, _ name: String, _ rules: FieldRules, _ parser: ValueParser?, at path: String
  ) -> FieldDescriptor {
    guard let list = list(of: element, at: path) else {
      return FieldDescriptor(name, .array(list: nil, children(of: element, at: path)), rules, parser)
    }
    known.check(list: list, inside: table.levels, isRequired: rules.missing != nil, at: path, element, &problems)
    let reach = table.list(list)
    table.enter(ListLevel(list, inside: table.levels.last), reach)
    defer { table.leave() }
    return FieldDescriptor(name, .array(list: reach, children(of: element, at: path)), rules, parser)
  }

  /// The type as Ferry names it: in lower case, since live metadata spells it both ways.
  private mutating func type(of element: JSONValue, at path: String) -> String? {
    guard let type = element["type"], !type.isNull else { return "string" }
    guard let name = type.string else {
      problems.report("the type is not a text", at: path, type)
      return nil
    }
    return switch ScalarType.plain(name) {
    case "": "string"
    case "object", "childtableobject": "object"
    case "array", "multirowentry": "array"
    default: name.lowercased()
    }
  }

  private mutating func rules(of element: JSONValue, isScalar: Bool, at path: String) -> FieldRules {
    var rules = FieldRules(defaults)
    if let own = element["ferry"], !own.isNull {
      var sentences: [String] = []
      rules = FieldRules(own, isScalar: isScalar, of: element["field"]?.string ?? "", defaults) { sentences.append($0) }
      for sentence in sentences { problems.report(sentence, at: "\(path).ferry", own) }
    }
    if let required = element["is_required"], !required.isNull, required.bool == nil {
      problems.report("is_required is true or false, without quotes", at: "\(path).is_required", required)
    }
    if element["is_required"]?.bool == true, rules.missing == nil { rules.missing = .fieldMissing }
    return rules
  }

  /// - Parameter shape: what the children make, which it takes.
  private mutating func parser(
    of element: JSONValue, _ name: String, _ shape: ValueParser.Shape?, at path: String
  ) -> ValueParser? {
    guard let parser = element["parser"], !ValueParser.isNone(parser) else { return nil }
    var (errors, oddities): ([(String, JSONValue)], [(String, JSONValue)]) = ([], [])
    let result = ValueParser(parser, field: name, of: shape) {
      errors.append(($0, $1))
    } warn: {
      oddities.append(($0, $1))
    }
    for (sentence, value) in errors { problems.report(sentence, at: "\(path).parser", value) }
    for (sentence, value) in oddities { problems.warn(sentence, at: "\(path).parser", value) }
    return errors.isEmpty ? result : nil
  }

  /// The list that an array is bound to: a bare name; with braces it means the same (mapping-language.md §5, 3).
  private mutating func list(of element: JSONValue, at path: String) -> Path? {
    guard let value = element["value"], !value.isNull, value.string != "" else {
      if let grouping, let name = grouping.targetBodyName, element["field"]?.string == name {
        return Path(grouping.bodyName)
      }
      guard let list = ListInference.list(of: element["children"]),
        !table.levels.contains(where: { $0.isMeant(by: list) })
      else {
        let lists = ListInference.lists(of: element["children"]).filter { known.isList($0) }
          .filter { list in !table.levels.contains { $0.isMeant(by: list) } }
        if let list = lists.first {
          problems.warn(
            "the array names no list and becomes one row; of «\(excerpt(list.text))» it reads the first row alone",
            at: path,
            element)
        }
        return nil
      }
      problems.warn(
        "the array names no list; its children read «\(excerpt(list.text))», so that list is taken", at: path, element)
      return list
    }
    if let text = value.string, !Slips.isDirective(text), let list = Self.listName(text) { return list }
    problems.report("the value of an array is the name of a list", at: path, value)
    return nil
  }

  private static func listName(_ text: String) -> Path? {
    guard text.contains("{") else {
      let list = Path(trimmed(text))
      return list.segments.isEmpty ? nil : list
    }
    guard text.hasPrefix("{"), let (placeholder, rest) = try? Template.placeholder(text[...]), rest.isEmpty,
      placeholder.filter == nil
    else { return nil }
    return placeholder.path
  }

  private mutating func children(of element: JSONValue, at path: String) -> [FieldDescriptor] {
    guard let children = element["children"], !children.isNull else {
      // Of an array it has been told already.
      let isArray = type(of: element, at: path) == "array"
      if !isArray, isSource { problems.warn("has no «children»", at: path, element) }
      if !isArray, !isSource { problems.report("has no «children»", at: path, element) }
      return []
    }
    return descriptors(children, at: path)
  }
}
