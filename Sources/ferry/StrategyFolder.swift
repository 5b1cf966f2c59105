import FoundationEssentials
import JSON
import Mapping
import Orders

/// All problems of strategies at once, each with its file's path.
struct StrategyFolderProblems: Error, CustomStringConvertible {
  var problems: [StrategyProblem] = []
  var warnings: [StrategyProblem] = []

  /// A line each.
  var description: String { problems.map(\.description).joined(separator: "\n") }

  fileprivate mutating func add(_ found: StrategyProblems, folder: String) {
    problems += found.problems.map { Self.placed($0, folder) }
    warnings += found.warnings.map { Self.placed($0, folder) }
  }

  /// A problem with its file's path.
  static func placed(_ problem: StrategyProblem, _ folder: String) -> StrategyProblem {
    StrategyProblem(
      file: "\(folder)/\(problem.file)", path: problem.path, problem.sentence, line: problem.line,
      column: problem.column)
  }
}

/// The strategies below `FERRY_STRATEGIES`, compiled.
struct StrategyFolder {
  let set: StrategySet
  /// What is odd in their files, with the files' paths.
  let warnings: [StrategyProblem]

  /// Reads them: one folder each, with `source.json`, `target.json` and, where dates are moved or held, `calendar.json`.
  /// Other folders are passed over.
  /// - Throws: `StrategyFolderProblems` with every problem of every strategy.
  init(_ folder: String) throws(StrategyFolderProblems) {
    var found = StrategyFolderProblems()
    var strategies: [Strategy] = []
    for name in try Self.names(in: folder) {
      do throws(StrategyProblems) {
        let strategy = try Self.compiled(name, in: "\(folder)/\(name)")
        found.warnings += strategy.warnings.map { StrategyFolderProblems.placed($0, "\(folder)/\(name)") }
        strategies.append(strategy)
      } catch { found.add(error, folder: "\(folder)/\(name)") }
    }
    do throws(StrategySetProblem) {
      set = try StrategySet(strategies)
      if found.problems.isEmpty, strategies.allSatisfy(\.isOff) {
        found.problems.append(
          StrategyProblem(file: folder, path: "", "holds no strategy that takes orders: all are off"))
      }
    } catch {
      found.problems.append(StrategyProblem(file: folder, path: "", error.description))
      throw found
    }
    guard found.problems.isEmpty else { throw found }
    warnings = found.warnings
  }

  private static func names(in folder: String) throws(StrategyFolderProblems) -> [String] {
    let all: [String]
    do { all = try FileManager.default.contentsOfDirectory(atPath: folder).sorted() } catch {
      throw StrategyFolderProblems(
        problems: [StrategyProblem(file: folder, path: "", "is not a folder that can be read")])
    }
    let names = all.filter { FileManager.default.fileExists(atPath: "\(folder)/\($0)/target.json") }
    // Passed over in silence, its orders would go to other strategies.
    let halves = all.filter {
      !names.contains($0) && FileManager.default.fileExists(atPath: "\(folder)/\($0)/source.json")
    }
    if !halves.isEmpty {
      throw StrategyFolderProblems(
        problems: halves.map { StrategyProblem(file: "\(folder)/\($0)/target.json", path: "", "cannot be read") })
    }
    guard !names.isEmpty else {
      throw StrategyFolderProblems(
        problems: [StrategyProblem(file: folder, path: "", "holds no folder with a target.json")])
    }
    return names
  }

  private static func compiled(_ name: String, in folder: String) throws(StrategyProblems) -> Strategy {
    let (source, target) = (try file("source.json", in: folder), try file("target.json", in: folder))
    let hasCalendar = FileManager.default.fileExists(atPath: "\(folder)/calendar.json")
    let calendar = hasCalendar ? try file("calendar.json", in: folder) : nil
    let strategy = try Strategy(
      name: name, source: source, target: target, calendar: calendar)
    // K/3 is asked for a bill by this field alone; by one that its list cannot be filtered by a Save in doubt could never be found.
    guard isHeaderField(strategy.key) else {
      throw problem(
        "target.json", "ferry.key",
        "is \(strategy.key); K/3 is asked for bills by a field of their header, so it must be Page1.FBillNo or another field of "
          + "Page1 that holds a text")
    }
    guard takesHeaderAsOneRow(target) else {
      throw problem(
        "target.json", "request.Page1", "must be of type array without a value: K/3 takes the header as one row")
    }
    return strategy
  }

  /// `Page1.` and a name as K/3's filters take it. `FBillNo` in another spelling would be taken for another field.
  private static func isHeaderField(_ key: String) -> Bool {
    let parts = key.split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
    guard parts.count == 2, parts[0] == "Page1", Bill.isFieldName(parts[1]) else { return false }
    return parts[1].lowercased() != Bill.numberField.lowercased() || parts[1] == Bill.numberField
  }

  /// K/3 takes a bill's header as the one row of `Page1` (vendor-apis.md A.8.1); anything else would park every order.
  private static func takesHeaderAsOneRow(_ target: [UInt8]) -> Bool {
    guard let request = (try? JSONDocument(target))?.root["request"],
      let page = request.elements.reversed().first(where: { $0["field"]?.string == "Page1" })
    else { return false }
    return page["type"]?.string?.lowercased() == "array"
      && (page["value"].map { $0.isNull || $0.string == "" } ?? true)
  }

  private static func file(_ name: String, in folder: String) throws(StrategyProblems) -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else {
      throw problem(name, "", "cannot be read")
    }
    let bytes = [UInt8](data)
    // Editors of Windows begin a file so; to JSON it is nothing.
    return bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
  }

  private static func problem(_ file: String, _ path: String, _ sentence: String) -> StrategyProblems {
    StrategyProblems(problems: [StrategyProblem(file: file, path: path, sentence)], warnings: [])
  }
}
