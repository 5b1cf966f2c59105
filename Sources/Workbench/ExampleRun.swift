/// All examples below a folder.
public struct ExampleRun: Sendable {
  /// One example's result.
  public struct Outcome: Sendable {
    /// Its file.
    public let file: String
    /// Where the strategy does otherwise; empty when it agrees.
    public let differences: [String]
    /// Whether the file was written anew.
    public let isUpdated: Bool
  }

  /// The examples in the order of their files.
  public private(set) var outcomes: [Outcome] = []

  /// Runs the examples beside each strategy of a folder: of the folder itself, or of the folders in it.
  /// - Parameter updates: writes the examples that differ anew.
  /// - Throws: `UnusableFile`, also when there is no example, or `StrategyProblems`.
  public init(folder: String, updates: Bool) throws {
    guard let names = Files.names(in: folder) else { throw UnusableFile("\(folder) is not a folder that can be read") }
    let isStrategy = names.contains("target.json")
    let folders = isStrategy ? [folder] : names.map { "\(folder)/\($0)" }.filter { Files.exists("\($0)/target.json") }
    for folder in folders {
      let strategy = try WorkStrategy(target: "\(folder)/target.json")
      for name in Files.names(in: folder) ?? [] where name.hasSuffix(".example.json") {
        let example = try StrategyExample(file: "\(folder)/\(name)")
        let strategy =
          example.isOwn ? try WorkStrategy(target: "\(folder)/target.json", example: example) : strategy
        let differences = example.differences(strategy)
        let updates = updates && !differences.isEmpty
        if updates { try example.update(strategy) }
        outcomes.append(Outcome(file: example.file, differences: differences, isUpdated: updates))
      }
    }
    if outcomes.isEmpty { throw UnusableFile("\(folder) holds no *.example.json beside a target.json") }
  }

  /// Whether all examples agree, or have been written anew.
  public var isGood: Bool { outcomes.allSatisfy { $0.differences.isEmpty || $0.isUpdated } }
}
