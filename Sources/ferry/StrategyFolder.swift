import FoundationEssentials
import JSON
import Mapping

/// All problems of a strategy at once, each with its file's path.
struct StrategyFolderProblems: Error, CustomStringConvertible {
  let problems: [StrategyProblem]
  let warnings: [StrategyProblem]

  init(_ found: StrategyProblems, folder: String) {
    func placed(_ problem: StrategyProblem) -> StrategyProblem {
      StrategyProblem(
        file: "\(folder)/\(problem.file)", path: problem.path, problem.sentence, line: problem.line,
        column: problem.column)
    }
    problems = found.problems.map(placed)
    warnings = found.warnings.map(placed)
  }

  /// A line each.
  var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Reads the strategies below `FERRY_STRATEGIES`: one folder each, with `source.json` and `target.json`.
enum StrategyFolder {
  /// The one strategy of the folder, compiled.
  /// - Throws: `StrategyFolderProblems`, or a `StrategyProblem` when the folder itself is wrong.
  static func strategy(in folder: String) throws -> Strategy {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder)
        .filter { FileManager.default.fileExists(atPath: "\(folder)/\($0)/target.json") }.sorted()
    } catch {
      throw StrategyProblem(file: folder, path: "", "is not a folder that can be read")
    }
    guard let name = names.first else {
      throw StrategyProblem(file: folder, path: "", "holds no folder with a target.json")
    }
    guard names.count == 1 else {
      throw StrategyProblem(
        file: folder, path: "", "holds \(names.count) strategies (\(names.joined(separator: ", "))); one is supported")
    }
    let strategy = try compiled(name, in: "\(folder)/\(name)")
    // K/3 is asked for a bill by this field alone; by another one a Save in doubt could never be found.
    guard strategy.key == "Page1.FBillNo" else {
      throw StrategyProblem(
        file: "\(folder)/\(name)/target.json", path: "ferry.key",
        "is \(strategy.key); K/3 is asked for bills by Page1.FBillNo, so the bill's number must stand there")
    }
    try checkHeader(try file("target.json", in: "\(folder)/\(name)"), "\(folder)/\(name)/target.json")
    return strategy
  }

  private static func compiled(_ name: String, in folder: String) throws -> Strategy {
    let (source, target) = (try file("source.json", in: folder), try file("target.json", in: folder))
    do throws(StrategyProblems) {
      return try Strategy(name: name, source: source, target: target)
    } catch {
      throw StrategyFolderProblems(error, folder: folder)
    }
  }

  /// K/3 takes a bill's header as the one row of `Page1` (vendor-apis.md A.8.1); anything else would park every order.
  private static func checkHeader(_ target: [UInt8], _ file: String) throws {
    let request = try JSONDocument(target).root["request"]
    guard let page = request?.elements.reversed().first(where: { $0["field"]?.string == "Page1" }),
      page["type"]?.string?.lowercased() == "array", page["value"].map({ $0.isNull || $0.string == "" }) ?? true
    else {
      throw StrategyProblem(
        file: file, path: "request.Page1", "must be of type array without a value: K/3 takes the header as one row")
    }
  }

  private static func file(_ name: String, in folder: String) throws -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else {
      throw StrategyProblem(file: "\(folder)/\(name)", path: "", "cannot be read")
    }
    return [UInt8](data)
  }
}
