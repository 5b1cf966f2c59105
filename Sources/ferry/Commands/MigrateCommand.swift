import ArgumentParser

struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Brings PostgreSQL's schema and RabbitMQ's topology to what this version needs. Repeatable.",
    discussion: """
      Exit 0 when all is as it should be, 78 when something is in the way that a person must mend, 1 for anything else, \
      such as a server that is away.
      """)

  func run() async throws {
    let wiring = try Startup.wiring(for: [.migrate])
    let (done, problems) = await wiring.migrate()
    for line in done { print(line) }
    for problem in problems { Startup.complain("PROBLEM  \(Startup.sentence(of: problem))") }
    if !problems.isEmpty { throw Startup.exit(for: problems) }
  }
}
