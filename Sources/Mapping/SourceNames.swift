import JSON
import Orders

/// The fields that a source's own keys name, held against those that it declares: a misspelt one would switch off what
/// it is written for, without a word.
enum SourceNames {
  /// Looks at `id`, `number`, `beatFlat`, `splitArray` and `formatResponse`.
  /// - Parameter known: the order's own fields, without those that are made of them.
  static func check(
    _ root: JSONValue, _ flattening: Flattening, _ known: KnownData, _ problems: inout ProblemList
  ) {
    guard let fields = known.fields else { return }
    for (key, name) in [("id", flattening.id), ("number", flattening.number)] {
      guard let name else { continue }
      known.check([Path(name)], inside: [], isRequired: false, at: key, root[key], &problems)
    }
    if let name = flattening.arrayKey, !name.isEmpty {
      known.check(
        [Path(segments: [name])], inside: [], isRequired: true, at: "operation.arrayKey",
        root["operation"]?["arrayKey"],
        &problems)
    }
    let inner = root["otherRequestParams"]?["beatFlat"]
    let place = root["beatFlat"] == nil && inner != nil ? "otherRequestParams.beatFlat" : "beatFlat"
    let written = root["beatFlat"] ?? inner
    for (name, answer) in zip(flattening.lists, fields.answers(toLists: flattening.lists)) {
      let value = written?.elements.first { $0.string.map(trimmed) == name } ?? written
      known.tell(answer, of: Path(name), isRequired: true, at: place, value, &problems)
    }
    check(formats: root["formatResponse"], fields, known, &problems)
  }

  private static func check(
    formats: JSONValue?, _ fields: SourceFields, _ known: KnownData, _ problems: inout ProblemList
  ) {
    guard let formats, formats.kind == .array else { return }
    var made: Set<Path> = []
    for (position, rule) in formats.elements.enumerated() {
      let old = Path(rule["old"]?.string ?? "")
      // One that an earlier rule makes is told where the rules are read.
      if !old.segments.isEmpty, !made.contains(old) {
        let list = Path(segments: Array(old.segments.prefix(1)))
        let lists = old.segments.count > 1 && fields.isList(list) ? [ListLevel(list, inside: nil)] : []
        known.check(
          [old], inside: lists, isRequired: false, at: "formatResponse[\(position)].old", rule["old"], &problems)
      }
      made.insert(Path(rule["new"]?.string ?? ""))
    }
  }
}
