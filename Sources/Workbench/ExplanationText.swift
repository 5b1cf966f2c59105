public import Mapping
import Orders

extension Explanation {
  /// The account of all fields as text for a terminal: for each its place, its rule, what went in, what was done and what
  /// came out; then what was done to the document besides.
  public var text: String {
    let notes = notes.map { note in
      let place = note.place.isEmpty ? "the document" : note.place
      return "\(place)\n  NOTE    \(note.kind.rawValue): \(note.text)\n"
    }
    return (fields.map(\.text) + notes).joined(separator: "\n")
  }
}

extension ExplainedField {
  fileprivate var text: String {
    var lines = [target]
    if !rule.isEmpty { lines.append("  rule    \(rule)") }
    for input in inputs { lines.append("  read    \(input.name) = \(input.value ?? "nothing")") }
    for step in steps { lines.append("  step    \(step.name) → \(step.value ?? "nothing")") }
    if let failure {
      lines.append("  FAILED  \(failure.code.rawValue): \(failure.sentence)")
      lines.append("  mend    \(failure.remedy)")
    } else {
      lines.append("  gives   \(result ?? "nothing: the field is left out")")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
