import ArgumentParser
import Pipeline

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Checks settings, both vendors, broker, database and strategy; prints every problem with its remedy.",
    discussion: """
      Wrong settings do not hide the rest: every part whose own settings can be used is looked at.
      Exit 0 when nothing is wrong (warnings and notes are not), 1 when something is, 78 when settings are wrong. With \
      --strict warnings count as problems. Where RabbitMQ has something else than Ferry declares, lines with - tell what was \
      declared, and lines with + what was found.
      """)

  @Flag(help: "Exit 1 also when there are warnings.") var strict = false

  func run() async throws {
    let (wiring, problems) = Startup.leniently(for: Role.all)
    for problem in problems { print("PROBLEM  settings: \(problem)") }
    if !problems.isEmpty { print("         → Mend the settings; ferry settings prints what each may hold.") }
    let findings = await wiring.check()
    for line in findings.flatMap(Self.lines(of:)) { print(line) }
    if !problems.isEmpty { throw Startup.configurationExit }
    if findings.contains(where: { !$0.problems.isEmpty || strict && !$0.warnings.isEmpty }) { throw ExitCode(1) }
  }

  /// What is printed of a finding.
  static func lines(of finding: Finding) -> [String] {
    var lines: [String] = []
    if !finding.lacking.isEmpty {
      let names = finding.lacking.map(\.rawValue).joined(separator: ", ")
      lines.append("skipped  \(finding.subject): it cannot be looked at without \(names)")
    } else if finding.problems.isEmpty {
      lines.append("ok       \(finding.subject)")
    }
    for problem in finding.problems {
      lines.append("PROBLEM  \(finding.subject): \(problem.sentence)")
      lines += problem.difference.map { "         \($0)" }
      lines.append("         → \(problem.remedy)")
    }
    lines += finding.warnings.map { "warning  \(finding.subject): \($0)" }
    return lines + finding.notes.map { "note     \(finding.subject): \($0)" }
  }
}
