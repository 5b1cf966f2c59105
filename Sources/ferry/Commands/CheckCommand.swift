import ArgumentParser
import Pipeline

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Checks settings, both vendors, broker, database and strategy; prints every problem with its remedy.",
    discussion: "Exit 0 when nothing is wrong, 1 when something is, 78 when the settings cannot be read.")

  func run() async throws {
    let wiring = try Startup.wiring(for: Role.all)
    let findings = await wiring.check()
    var isGood = true
    for finding in findings {
      if finding.problems.isEmpty {
        print("ok       \(finding.subject)")
      } else {
        isGood = false
        for problem in finding.problems {
          print("PROBLEM  \(finding.subject): \(problem.sentence)")
          print("         → \(problem.remedy)")
        }
      }
    }
    if !isGood { throw ExitCode(1) }
  }
}
