import JSON

/// What a strategy's values may read, as far as that is known before an order comes.
struct KnownData: Sendable {
  /// Fields of the order; nil when the source declares none.
  let fields: SourceFields?
  /// Lists that flattening leaves no document.
  var gone: Set<String> = []

  /// Whether a path may be a list: declared as one, or nothing is declared of it.
  func isList(_ path: Path) -> Bool { fields?.isList(path) ?? true }

  /// Looks at a value's placeholders and lookups.
  /// - Parameter isRequired: without a value every order fails: what can never have one is then an error.
  func check(
    _ form: ValueForm, _ table: OperandTable, isRequired: Bool, at place: String, _ value: JSONValue?,
    _ problems: inout ProblemList
  ) {
    var paths: [Path] = []
    for number in form.operands(table) {
      let operand = table.operands[number]
      guard case .lookup(let lookup) = operand.source else {
        if case .field = operand.source { paths.append(operand.path) }
        continue
      }
      paths += table.lookups[lookup].operands.map { table.operands[$0].path }
    }
    check(paths, inside: table.levels, isRequired: isRequired, at: place, value, &problems)
  }

  /// Looks at the list of an array, which may stand under its bare name in a row of the list around it.
  func check(
    list: Path, inside lists: [ListLevel], isRequired: Bool, at place: String, _ element: JSONValue,
    _ problems: inout ProblemList
  ) {
    if gone.contains(list.text) {
      let sentence = "beatFlat flattens «\(excerpt(list.text))», so there is no such list any more"
      problems.report(sentence, at: place, element["value"] ?? element)
      return
    }
    guard let fields else { return }
    let whole = lists.map { Path(segments: $0.path.segments + list.segments) }
    if ([list] + whole).contains(where: { fields.answer(to: $0, inside: lists) == .known }) { return }
    check([list], inside: lists, isRequired: isRequired, at: place, element["value"], &problems)
  }

  /// Looks at fields of the order.
  func check(
    _ paths: [Path], inside lists: [ListLevel], isRequired: Bool, at place: String, _ value: JSONValue?,
    _ problems: inout ProblemList
  ) {
    guard let fields else { return }
    for path in paths {
      tell(fields.answer(to: path, inside: lists), of: path, isRequired: isRequired, at: place, value, &problems)
    }
  }

  /// Tells what came of looking for a field.
  func tell(
    _ answer: SourceFields.Answer, of path: Path, isRequired: Bool, at place: String, _ value: JSONValue?,
    _ problems: inout ProblemList
  ) {
    guard let fields, case .unknown(let nearest) = answer else { return }
    let what = fields.lack(path)
    if let nearest, isRequired {
      problems.report("\(what); is «\(excerpt(nearest))» meant? If not, declare it", at: place, value)
    } else {
      problems.warn("\(what)\(nearest.map { "; is «\(excerpt($0))» meant?" } ?? "")", at: place, value)
    }
  }
}
