import ArgumentParser

struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Brings PostgreSQL's schema and RabbitMQ's topology to what this version needs. Repeatable.")

  func run() async throws {
    let wiring = try Startup.wiring(for: [.migrate])
    try await Startup.exiting {
      for line in try await wiring.migrate() { print(line) }
    }
  }
}
