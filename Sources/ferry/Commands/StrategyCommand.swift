import ArgumentParser
import FoundationEssentials
import K3
import Pipeline
import Workbench

struct StrategyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "strategy", abstract: "Checks metadata files and runs the examples beside them.",
    subcommands: [StrategyCheckCommand.self, StrategyTestCommand.self])
}

struct StrategyCheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Prints every problem of metadata files with line and column.",
    discussion: """
      A path is a metadata file, also one in an object with a key metadata; a strategy's folder with source.json and target.json;
      or a folder of such. With FERRY_K3_URL and FERRY_K3_AUTHORITY_CODE set, fields of targets for K/3 are compared with its
      GetTemplate, and its list is asked by the field of ferry.key. Warnings tell what is odd or not used. Exit 0 when all can be used, 1 when not.
      """)

  @Argument(help: "files and folders") var paths: [String]
  @Flag(help: "print one JSON object instead of lines") var json = false

  func run() async throws {
    var report = StrategyReport(paths: paths)
    if ProcessInfo.processInfo.environment[SettingName.k3URL.rawValue] != nil { await compareWithK3(&report) }
    print(json ? report.json : report.text)
    if !report.isUsable { throw ExitCode(1) }
  }

  /// The settings that K/3 is reached by.
  private static let ofK3: Set<SettingName> = [.k3URL, .k3AuthorityCode, .certificateAuthorities]

  private func compareWithK3(_ report: inout StrategyReport) async {
    let (wiring, problems) = Startup.leniently(for: [.load])
    guard wiring.settings.unusable.isDisjoint(with: Self.ofK3) else {
      for sentence in problems where Self.ofK3.contains(where: { sentence.contains($0.rawValue) }) {
        report.add("the template cannot be asked for: \(sentence)", to: "K/3", isError: true)
      }
      return
    }
    do throws(SetupProblem) {
      let destination = try wiring.destination()
      for target in report.targets {
        switch await destination.template(of: target.object) {
        case .success(let template):
          report.compare(target, with: template)
          if let problem = await destination.checkList(target.object, by: target.keyField) {
            report.add("ferry.key: \(problem.sentence) \(problem.remedy)", to: target.file, isError: true)
          }
        case .failure(let problem): report.add("\(problem.sentence) \(problem.remedy)", to: target.file, isError: true)
        }
      }
    } catch { report.add("\(error.sentence) \(error.remedy)", to: "K/3", isError: true) }
    await wiring.close()
  }
}

struct StrategyTestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Runs the examples (*.example.json) beside a strategy and shows differences field by field.",
    discussion: """
      An example holds an order, collections, now, and the document that must come of it, or the failures.
      Exit 0 when all agree, 1 when not, 66 when a file cannot be read, 78 when the strategy cannot be used.
      """)

  @Argument(help: "a strategy's folder, or a folder of such") var folder: String
  @Flag(help: "write what the strategy makes now into the examples that differ") var update = false

  func run() throws {
    try Workshop.exiting {
      let run = try ExampleRun(folder: folder, updates: update)
      for outcome in run.outcomes {
        let word = outcome.isUpdated ? "updated" : outcome.differences.isEmpty ? "ok     " : "DIFFERS"
        print("\(word)  \(outcome.file)")
        for difference in outcome.differences { print("         \(difference)") }
      }
      if !run.isGood { throw ExitCode(1) }
    }
  }
}
