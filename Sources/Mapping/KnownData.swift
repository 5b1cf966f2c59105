import JSON

/// What a strategy's values may read, as far as that is known before an order comes.
struct KnownData: Sendable {
  /// Fields of the order; nil when the source declares none.
  let fields: SourceFields?
  /// Collections that are filled; nil when nobody said.
  let collections: Set<String>?

  /// Looks at a value's placeholders and lookup.
  /// - Parameter isRequired: without a value every order fails: what can never have one is then an error.
  func check(
    _ form: ValueForm, inside lists: [Path], isRequired: Bool, at place: String, _ value: JSONValue?,
    _ problems: inout ProblemList
  ) {
    check(form.paths, inside: lists, isRequired: isRequired, at: place, value, &problems)
    guard let lookup = form.lookup, let collections, !collections.contains(lookup.collection) else { return }
    let names = collections.sorted().joined(separator: ", ")
    let sentence =
      "nobody fills the collection «\(excerpt(lookup.collection))», so nothing is ever found; there is \(names)"
    if isRequired { problems.report(sentence, at: place, value) } else { problems.warn(sentence, at: place, value) }
  }

  /// Looks at fields of the order.
  func check(
    _ paths: [Path], inside lists: [Path], isRequired: Bool, at place: String, _ value: JSONValue?,
    _ problems: inout ProblemList
  ) {
    guard let fields else { return }
    for path in paths {
      guard case .unknown(let nearest) = fields.answer(to: path, inside: lists) else { continue }
      let what = "source.json's response declares no field «\(excerpt(path.text))»"
      if let nearest, isRequired {
        problems.report("\(what); is «\(excerpt(nearest))» meant? If not, declare it", at: place, value)
      } else {
        problems.warn("\(what)\(nearest.map { "; is «\(excerpt($0))» meant?" } ?? "")", at: place, value)
      }
    }
  }
}
