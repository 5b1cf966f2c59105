/// Something in the setup that stops orders from passing, with what a person can do about it.
public struct SetupProblem: Error, Sendable, Equatable, CustomStringConvertible {
  /// What is wrong: one sentence, without secrets.
  public let sentence: String
  /// What to do: one sentence.
  public let remedy: String
  /// What was declared and is not so, after `- `, and what was found in its place, after `+ `; a line each.
  public let difference: [String]

  /// A problem and its remedy.
  public init(_ sentence: String, remedy: String, difference: [String] = []) {
    self.sentence = sentence
    self.remedy = remedy
    self.difference = difference
  }

  /// A sentence with its full stop, unless it ends with a mark of its own.
  public static func ended(_ sentence: String) -> String {
    sentence.hasSuffix("?") || sentence.hasSuffix(".") ? sentence : sentence + "."
  }

  /// Sentence and remedy.
  public var description: String { "\(sentence) \(remedy)" }
}
