import ArgumentParser
import FoundationEssentials
import Glibc
import JSON
import Mapping
import Orders
import Workbench

struct MapCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "map",
    abstract: "Prints the document that a target makes of an order; needs no broker and no database.",
    discussion: """
      The document stands alone on standard output, of several one in a line; warnings, notes, failures and the explanation go to standard error.
      Exit 0 when the order is mapped, 1 when it is not, 66 when a file cannot be read, 78 when the strategy cannot be used.
      """)

  @Option(help: ArgumentHelp("the target's metadata", valueName: "file")) var target: String
  @Option(help: ArgumentHelp("an order as OKKI's order/info gives it", valueName: "file")) var order: String
  @Option(help: ArgumentHelp("the source's metadata; without it source.json beside the target", valueName: "file"))
  var source: String?
  @Option(
    help: ArgumentHelp(
      "one JSON array of records per collection; a file's name is the collection's", valueName: "folder"))
  var collections: String?
  @Option(help: ArgumentHelp("the present time, as 2024-01-29 10:00:00 in Beijing", valueName: "time"))
  var now: String?
  @Flag(help: "tell of every field its rule, the values that went in, each step and the result") var explain = false

  func run() throws {
    try Workshop.exiting {
      let strategy = try WorkStrategy(target: target, source: source)
      for warning in strategy.warnings { Startup.complain("warning: \(warning)") }
      let collections = try collections.map { try FileCollections(folder: $0) } ?? FileCollections()
      let explanation = strategy.explain(
        try WorkOrder.read(order).root, collections: collections, inputs: try Workshop.inputs(now: now),
        byField: explain)
      if explain {
        Startup.complain(explanation.text)
      } else {
        for note in explanation.notes { Startup.complain("note: \(note.kind.rawValue)  \(note)") }
      }
      switch explanation.documents {
      case .success(let bodies):
        for body in bodies { print(String(decoding: body, as: UTF8.self)) }
      case .failure(let failures):
        for failure in failures.failures {
          Startup.complain("\(failure.code.rawValue)  \(failure)")
          Startup.complain("    → \(failure.remedy)")
        }
        throw ExitCode(1)
      }
    }
  }
}

/// What the commands for the person who maps share.
enum Workshop {
  /// A file that is not there (EX_NOINPUT).
  static let noInputExit = ExitCode(66)

  /// Runs something; a file or strategy that cannot be used is told with every problem.
  static func exiting(_ body: () throws -> Void) throws {
    do { try body() } catch let problems as StrategyProblems {
      for warning in problems.warnings { Startup.complain("warning: \(warning)") }
      for problem in problems.problems { Startup.complain("\(problem)") }
      throw Startup.configurationExit
    } catch let file as UnusableFile {
      Startup.complain("\(file)")
      throw noInputExit
    }
  }

  /// The clock as given, or the machine's.
  static func inputs(now: String?) throws -> MappingInputs {
    guard let now else {
      return MappingInputs(now: BeijingTime(epochSeconds: Int64(Date().timeIntervalSince1970)), randomSeed: 0)
    }
    guard let time = BeijingTime(now) else {
      throw ValidationError("--now is a time such as 2024-01-29 10:00:00")
    }
    return MappingInputs(now: time, randomSeed: 0)
  }
}
