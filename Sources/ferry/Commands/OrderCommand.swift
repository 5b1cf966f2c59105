import ArgumentParser
import Ledger

struct OrderCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "order", abstract: "Shows what became of an order.",
    discussion: "Needs FERRY_POSTGRES_URL alone.", subcommands: [OrderShowCommand.self])
}

struct OrderShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Prints what the ledger knows of an order: each bill with its state, number, notes and write-back.",
    discussion: "Exit 0 when the ledger knows the order, 1 when not. Changes nothing; asks neither OKKI nor K/3.")

  @Argument(help: "OKKI's order_id, or the number of one of its bills in K/3") var order: String
  @Flag(help: "one JSON object a line, instead of a text") var json = false

  func validate() throws {
    if order.isEmpty { throw ValidationError("the order's id or number is missing") }
  }

  func run() async throws {
    try await Startup.command(for: .migrate, needing: [.postgresURL, .postgresSchema]) { wiring in
      try await show(PostgresLedger(try wiring.database(connections: 1)))
    }
  }

  private func show(_ ledger: PostgresLedger) async throws {
    let orders = try await ledger.orders(order)
    if orders.isEmpty {
      Startup.complain(
        "The ledger knows no such order: give OKKI's order_id, or a bill's number as it stands in K/3. An order that is "
          + "parked before a bill was claimed is known to ferry dead-letters list --order alone.")
      throw ExitCode(1)
    }
    for order in orders { print(json ? order.json : order.text) }
  }
}
