import ArgumentParser
import Pipeline

struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Brings PostgreSQL's schema and RabbitMQ's topology to what this version needs. Repeatable.",
    discussion: """
      Exit 0 when all is as it should be, 78 when something is in the way that a person must mend, 1 for anything else, \
      such as a server that is away.
      """)

  @Option(help: "Seconds to wait for servers that are away, 0 to 3600.") var wait = 0

  func validate() throws {
    guard (0...3600).contains(wait) else { throw ValidationError("--wait is 0 to 3600 seconds") }
  }

  func run() async throws {
    let wiring = try Startup.wiring(for: [.migrate])
    let patience = Patience(seconds: wait, clock: wiring.clock)
    let problems = await patience.problems(report: { print($0) }, tell: Startup.complain) {
      // Each attempt has its own connections and closes them.
      let fresh = Wiring(settings: wiring.settings, logger: wiring.logger, registry: wiring.registry)
      return await fresh.migrate()
    }
    for problem in problems { Startup.complain("PROBLEM  \(Startup.sentence(of: problem))") }
    if !problems.isEmpty { throw Startup.exit(for: problems) }
  }
}
