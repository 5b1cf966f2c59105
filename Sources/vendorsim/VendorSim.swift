import ArgumentParser

@main
struct VendorSim: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "vendorsim", abstract: "Simulated OKKI and K/3 WISE.")
}
