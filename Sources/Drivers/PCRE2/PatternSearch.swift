/// Why nobody can tell whether a pattern is found in a text.
public struct PatternTrouble: Error, Sendable, Equatable {
  /// A sentence without the pattern and the text.
  public let sentence: String
}

/// Looks for patterns in many texts: each is compiled once, and each search is bounded as `Pattern` says.
public struct PatternSearch {
  private var compiled: [String: Pattern] = [:]
  /// More are not kept.
  private static let limit = 100

  /// A search that knows no pattern yet.
  public init() {}

  /// Whether a pattern is found in a text; letters count by their case.
  /// - Throws: `PatternTrouble` for what is no pattern, and for a search that was given up at its limit: neither is «not
  ///   found».
  public mutating func finds(_ pattern: String, in text: String) throws(PatternTrouble) -> Bool {
    let pattern = try known(pattern)
    var text = text
    switch text.withUTF8({ bytes in unsafe pattern.firstMatch(in: bytes) }) {
    case .found: return true
    case .none: return false
    case .limit: throw PatternTrouble(sentence: "the regular expression takes too many steps")
    }
  }

  private mutating func known(_ text: String) throws(PatternTrouble) -> Pattern {
    if let pattern = compiled[text] { return pattern }
    do throws(PatternError) {
      let pattern = try Pattern(text, ignoresCase: false)
      if compiled.count == Self.limit { compiled = [:] }
      compiled[text] = pattern
      return pattern
    } catch {
      throw PatternTrouble(sentence: "the regular expression cannot be read: \(error.message)")
    }
  }
}
