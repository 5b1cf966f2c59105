import JSON

/// What is wrong with a strategy's files; found when they are read, not when an order comes.
public struct StrategyProblem: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file: `source.json`, `target.json` or `calendar.json`.
  public let file: String
  /// The place in the document, such as `request.Page2.FAuxQty`; empty for the whole of it.
  public let path: String
  /// What is wrong and what would be right.
  public let sentence: String
  /// The line in the file, from 1; nil where the problem has no place, such as a missing key.
  public let line: Int?
  /// The character in that line, from 1; nil as for `line`.
  public let column: Int?

  /// A problem.
  public init(file: String, path: String, _ sentence: String, line: Int? = nil, column: Int? = nil) {
    self.file = file
    self.path = path
    self.sentence = sentence
    self.line = line
    self.column = column
  }

  /// `file:line:column: path: sentence`
  public var description: String {
    let place = line.flatMap { line in column.map { ":\(line):\($0)" } } ?? ""
    return path.isEmpty ? "\(file)\(place): \(sentence)" : "\(file)\(place): \(path): \(sentence)"
  }
}

/// All problems of a strategy at once.
public struct StrategyProblems: Error, Sendable, CustomStringConvertible {
  /// At least one.
  public let problems: [StrategyProblem]
  /// What is odd besides, and would not keep the strategy from being used.
  public let warnings: [StrategyProblem]

  /// Problems.
  public init(problems: [StrategyProblem], warnings: [StrategyProblem] = []) {
    self.problems = problems
    self.warnings = warnings
  }

  /// A line each.
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Gathers the problems of one file with their lines and columns.
struct ProblemList {
  private let file: String
  private let text: [UInt8]
  private lazy var lines = LineStarts(text)
  private(set) var problems: [StrategyProblem] = []
  private(set) var warnings: [StrategyProblem] = []
  /// A file with more problems than this is another kind of file.
  private static let limit = 1_000

  init(file: String, text: [UInt8]) {
    self.file = file
    self.text = text
  }

  /// Reports a problem with a value of the file.
  mutating func report(_ sentence: String, at path: String, _ value: JSONValue?) {
    // A value is a slice of the text that it was read from.
    report(sentence, at: path, offset: value.map { $0.rawBytes.startIndex })
  }

  mutating func report(_ sentence: String, at path: String, offset: Int?) {
    guard problems.count < Self.limit else { return }
    problems.append(problem(sentence, at: path, offset: offset))
  }

  /// Notes what is odd and yet can be meant.
  mutating func warn(_ sentence: String, at path: String, _ value: JSONValue?) {
    guard warnings.count < Self.limit else { return }
    warnings.append(problem(sentence, at: path, offset: value.map { $0.rawBytes.startIndex }))
  }

  private mutating func problem(_ sentence: String, at path: String, offset: Int?) -> StrategyProblem {
    guard let offset else { return StrategyProblem(file: file, path: path, sentence, line: nil, column: nil) }
    let (line, column) = lines.place(of: offset)
    return StrategyProblem(file: file, path: path, sentence, line: line, column: column)
  }
}

/// Where the lines of a text begin.
public struct LineStarts: Sendable {
  private let text: [UInt8]
  private var starts = [0]

  /// Of a text in UTF-8.
  public init(_ text: [UInt8]) {
    self.text = text
    for (offset, byte) in text.enumerated() where byte == 0x0A { starts.append(offset + 1) }
  }

  /// Line and column of a byte, both counted from 1, columns in characters as editors count them.
  public func place(of offset: Int) -> (line: Int, column: Int) {
    var (low, high) = (0, starts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= offset { low = middle } else { high = middle }
    }
    // Bytes that go on a character of UTF-8 are not counted.
    return (low + 1, text[starts[low]..<offset].count { $0 & 0xC0 != 0x80 } + 1)
  }
}
