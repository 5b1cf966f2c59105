import JSON

extension Grouping {
  /// Reads `groupCalculate`, or an `operation` `merge`; nil when a target has neither.
  static func read(_ root: JSONValue, _ flattening: Flattening, _ problems: inout ProblemList) -> Grouping? {
    let operation = Operation(root["operation"], &problems)
    if operation?.method == .splitArray {
      problems.report("splitArray stands in the source", at: "operation", operation?.value)
    }
    let merge = operation?.method == .merge ? operation : nil
    guard let rule = root["groupCalculate"], !rule.isNull,
      rule.kind != .object && rule.kind != .array || rule.count > 0
    else { return merge.map { Grouping(merge: $0, flattening, &problems) } }
    if let merge { problems.report("merge and groupCalculate both group; leave one out", at: "operation", merge.value) }
    guard rule.kind == .object else {
      problems.report("must be an object", at: "groupCalculate", rule)
      return nil
    }
    return Grouping(rule, flattening, &problems)
  }

  private static let names = [
    "headerGroup", "bodyGroup", "bodyName", "targetBodyName", "bodyMaxLine", "calculate",
  ]

  private init(_ rule: JSONValue, _ flattening: Flattening, _ problems: inout ProblemList) {
    Names.check(rule, known: Self.names, at: key, &problems)
    header = fields(rule, "headerGroup", &problems)
    let body = fields(rule, "bodyGroup", &problems)
    self.body = body.isEmpty ? nil : body
    if header.isEmpty, body.isEmpty { problems.report("needs «headerGroup» or «bodyGroup»", at: key, rule) }
    readCommon(rule, flattening, &problems)
  }

  /// `merge`, of which only the names of its keys are published, means the same in other words.
  private init(merge operation: Operation, _ flattening: Flattening, _ problems: inout ProblemList) {
    key = "operation"
    let rule = operation.value
    operation.check(Self.names + ["field", "header", "body", "bodySum"], &problems)
    let groups = ["field", "headerGroup"].map { fields(rule, $0, &problems) }.first { !$0.isEmpty }
    kept = fields(rule, "header", &problems)
    header = groups ?? kept
    kept.removeAll(where: header.contains)
    if header.isEmpty { problems.report("merge needs «field», the field that it merges by", at: key, rule) }
    let sums = fields(rule, "bodySum", &problems)
    let row = ["body", "bodyGroup"].map { fields(rule, $0, &problems) }.first { !$0.isEmpty } ?? []
    if sums.isEmpty {
      bodyKept = row.isEmpty ? nil : row
    } else {
      body = row.filter { !sums.contains($0) }
      if row.isEmpty { problems.report("bodySum needs «body», the fields that make a row", at: key, rule) }
    }
    readCommon(rule, flattening, &problems)
    calculations += sums.map { Calculation(field: $0, operation: .sum, isOfRow: true) }
  }

  private func fields(_ rule: JSONValue, _ name: String, _ problems: inout ProblemList) -> [FieldName] {
    Names.read(rule[name], "fields", at: "\(key).\(name)", &problems).map(FieldName.init)
  }

  private mutating func readCommon(_ rule: JSONValue, _ flattening: Flattening, _ problems: inout ProblemList) {
    bodyName = rule["bodyName"]?.string ?? ""
    if bodyName.isEmpty || bodyName.contains(".") {
      problems.report("needs «bodyName», a name for the list of rows", at: key, rule["bodyName"] ?? rule)
    }
    targetBodyName = rule["targetBodyName"]?.string
    if let value = rule["bodyMaxLine"], !value.isNull {
      maximum = value.text.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
      if maximum == nil { problems.report("must be a whole number from 1", at: "\(key).bodyMaxLine", value) }
    }
    readCalculations(rule["calculate"], flattening, &problems)
  }

  private mutating func readCalculations(
    _ value: JSONValue?, _ flattening: Flattening, _ problems: inout ProblemList
  ) {
    // An empty object of PHP is written as an empty array.
    guard let value, !value.isNull, value.kind != .array || value.count > 0 else { return }
    let known = Calculation.Operation.allCases.map { "$" + $0.rawValue }.joined(separator: ", ")
    if value.kind != .object {
      problems.report("must be an object of fields and operations", at: "\(key).calculate", value)
    }
    for (name, operation) in value.members {
      let place = "\(key).calculate.\(excerpt(name))"
      guard let operation = operation.string.flatMap(Calculation.Operation.init(name:)), !name.isEmpty else {
        problems.report("the operation is one of \(known)", at: place, operation)
        continue
      }
      let field = FieldName(name)
      let isOfRow = flattening.prefixes.isEmpty || flattening.isOfRow(field)
      if !isOfRow, [.sum, .push].contains(operation) {
        problems.warn(
          "is a field of the order's head, which counts once in every document, however many rows it has", at: place,
          value[name])
      }
      if (header + (body ?? []) + kept).contains(field) {
        problems.report("is a field that is grouped by", at: place, value[name])
      }
      calculations.append(Calculation(field: field, operation: operation, isOfRow: isOfRow))
    }
  }

  /// What is odd about grouping such records.
  func check(_ flattening: Flattening, _ root: JSONValue, _ problems: inout ProblemList) {
    let value = root[key]
    if flattening.prefixes.isEmpty {
      problems.warn("the source flattens nothing, so the whole order is one row", at: key, value)
    }
    let own = [flattening.id, flattening.number].compactMap { $0 } + [Flattening.rowNumber]
    if !header.contains(where: { own.contains($0.text) }) {
      problems.warn(
        "groups by no number of the order: the rows of one order are grouped, orders never meet in one document",
        at: key, value)
    }
    if let name = targetBodyName, !Self.hasArray(name, in: root["request"]) {
      problems.warn("the request has no array «\(excerpt(name))»", at: "\(key).targetBodyName", value)
    }
  }

  /// Names that the records do not have: a misspelt one would group nothing.
  func check(
    _ declared: SourceFields?, _ flattening: Flattening, _ root: JSONValue, _ problems: inout ProblemList
  ) {
    var fields = declared
    fields?.flatten(flattening)
    let known = KnownData(fields: fields)
    let names = header + kept + (body ?? bodyKept ?? []) + calculations.map(\.field)
    known.check(names.map(\.path), inside: [], isRequired: false, at: key, root[key], &problems)
  }

  private static func hasArray(_ name: String, in descriptors: JSONValue?) -> Bool {
    guard let descriptors, descriptors.kind == .array else { return false }
    return descriptors.elements.contains { element in
      element["field"]?.string == name && element["type"]?.string?.lowercased() == "array"
        || hasArray(name, in: element["children"])
    }
  }
}
