import JSON

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
    } else if let directive = Slips.directive(meantBy: text) {
      throw Template.Malformed(
        sentence: "«\(excerpt(text.prefix(while: { $0 != "{" })))» would be sent as it stands; is «\(directive)» meant?"
      )
    } else {
      self = .template(try Template(text))
    }
  }

  /// The order's fields that it reads.
  var paths: [Path] {
    switch self {
    case .nothing: []
    case .template(let template): template.paths
    case .function(let expression): expression.paths
    case .lookup(let lookup): lookup.conditions.flatMap(\.value.paths)
    }
  }

  /// The form's lookup, for gathering its records beforehand.
  var lookup: Lookup? {
    if case .lookup(let lookup) = self { return lookup }
    return nil
  }

  /// What a message calls the form: the fields that it reads.
  var source: String {
    switch self {
    case .nothing: "the value"
    case .template(let template): Self.list(template.paths, else: "the literal")
    case .function(let expression): Self.list(expression.paths, else: "the formula")
    case .lookup(let lookup): "\(lookup.field.text) from \(lookup.collection) by \(lookup.source)"
    }
  }

  private static func list(_ paths: [Path], else other: String) -> String {
    paths.isEmpty ? other : paths.map(\.text).joined(separator: ", ")
  }
}
