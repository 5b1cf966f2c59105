import ArgumentParser
import VendorStage

struct K3Command: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "k3", abstract: "A simulated K/3 WISE that keeps the books.")

  @OptionGroup var listening: Listening
  @Option(help: "Same seed, same tokens and faults.") var seed: UInt64 = 1
  @Option(help: "How rough the weather is.") var faults = FaultProfile.off
  @Option(help: "Milliseconds that every reply is held back.") var latencyMs = 0
  @Option(help: "Orders that the run will bring: with faults, the token is revoked after a third of them.") var orders =
    2_000

  func validate() throws {
    guard (0...600_000).contains(latencyMs) else { throw ValidationError("--latency-ms is 0 to 600000") }
    guard orders > 0 else { throw ValidationError("--orders is at least 1") }
  }

  func run() async throws {
    var plan = K3Plan()
    plan.seed = seed
    plan.faults = faults
    plan.latencyMilliseconds = latencyMs
    plan.orders = orders
    try await listening.serve("K/3 WISE", Stage.k3(plan, host: listening.host, port: listening.port))
  }
}
