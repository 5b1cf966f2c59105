import ArgumentParser
import VendorStage

struct LeanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lean",
    abstract: "Servers that answer at once, without faults or checks: to measure what stands between them.",
    subcommands: [LeanOKKICommand.self, LeanK3Command.self])
}

struct LeanOKKICommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "okki", abstract: "A lean OKKI.")

  @OptionGroup var listening: Listening
  @Option(help: "How many orders there are.") var orders = 10_000
  @Option(help: "Lines of an order.") var lines = 5
  @Option(help: "Companies in company/list.") var companies = 300

  func validate() throws {
    guard (0...10_000_000).contains(orders) else { throw ValidationError("--orders is 0 to 10000000") }
    guard (1...1_000).contains(lines) else { throw ValidationError("--lines is 1 to 1000") }
    guard (1...10_000).contains(companies) else { throw ValidationError("--companies is 1 to 10000") }
  }

  func run() async throws {
    var plan = LeanPlan()
    plan.orders = orders
    plan.lines = lines
    plan.companies = companies
    try await listening.serve("OKKI", Stage.leanOKKI(plan, host: listening.host, port: listening.port))
  }
}

struct LeanK3Command: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "k3", abstract: "A lean K/3 WISE.")

  @OptionGroup var listening: Listening
  @Option(help: "Milliseconds that every reply is held back.") var latencyMs = 0

  func validate() throws {
    guard (0...600_000).contains(latencyMs) else { throw ValidationError("--latency-ms is 0 to 600000") }
  }

  func run() async throws {
    try await listening.serve(
      "K/3 WISE", Stage.leanK3(latencyMilliseconds: latencyMs, host: listening.host, port: listening.port))
  }
}
