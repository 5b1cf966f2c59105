public import ArgumentParser
public import VendorStage

extension FaultProfile: ExpressibleByArgument {}

struct OKKICommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "okki", abstract: "A simulated OKKI with generated orders.")

  @OptionGroup var listening: Listening
  @Option(help: "Same seed, same orders and faults.") var seed: UInt64 = 1
  @Option(help: "How many orders there are.") var orders = 2_000
  @Option(help: "Lines of an order.") var lines = 5
  @Option(help: "Companies in company/list.") var companies = 300
  @Option(help: "How rough the weather is.") var faults = FaultProfile.off
  @Option(help: "Percent of orders that cannot be mapped.") var unmappable = 0.0

  func validate() throws {
    guard (0...5_000_000).contains(orders) else { throw ValidationError("--orders is 0 to 5000000") }
    guard (1...1_000).contains(lines) else { throw ValidationError("--lines is 1 to 1000") }
    guard (1...10_000).contains(companies) else { throw ValidationError("--companies is 1 to 10000") }
    guard (0...100).contains(unmappable) else { throw ValidationError("--unmappable is 0 to 100 percent") }
  }

  func run() async throws {
    var plan = OKKIPlan()
    plan.seed = seed
    plan.orders = orders
    plan.lines = lines
    plan.companies = companies
    plan.faults = faults
    plan.unmappable = unmappable
    try await listening.serve("OKKI", Stage.okki(plan, host: listening.host, port: listening.port))
  }
}
