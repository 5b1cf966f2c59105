import ArgumentParser
import Pipeline

struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Brings PostgreSQL's schema and RabbitMQ's topology to what this version needs. Repeatable.",
    discussion: """
      Exit 0 when all is as it should be, 78 when something is in the way that a person must mend (a database of a newer \
      program, rights that lack, a queue declared otherwise), 1 for anything else, such as a server that is away.
      After the ledger was restored from a backup no role works on it before --restored was given, with all roles stopped: it \
      removes what is left in the queues, publishes again what may have been in them, and from then on K/3 is asked for each \
      bill before it is first saved. --restore-over ends those questions.
      """)

  @Option(help: "Seconds to wait for servers that are away, 0 to 3600.") var wait = 0

  @Flag(help: "The ledger was restored from a backup; all roles are stopped.") var restored = false
  @Flag(help: "Ends what --restored began.") var restoreOver = false

  func validate() throws {
    if restored, restoreOver { throw ValidationError("--restored and --restore-over exclude each other") }
    guard (0...3600).contains(wait) else { throw ValidationError("--wait is 0 to 3600 seconds") }
  }

  func run() async throws {
    let wiring = try Startup.wiring(for: [.migrate])
    let step: RestoreStep = restored ? .begin : restoreOver ? .end : .none
    let patience = Patience(seconds: wait, clock: wiring.clock)
    let problems = await patience.problems(report: { print($0) }, tell: Startup.complain) {
      // Each attempt has its own connections and closes them.
      let fresh = Wiring(settings: wiring.settings, logger: wiring.logger, registry: wiring.registry)
      return await fresh.migrate(step)
    }
    for problem in problems {
      Startup.complain("PROBLEM  \(Startup.sentence(of: problem))")
      for line in (problem as? SetupProblem)?.difference ?? [] { Startup.complain("         \(line)") }
    }
    if !problems.isEmpty { throw Startup.exit(for: problems) }
  }
}
