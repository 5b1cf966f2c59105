import ArgumentParser

/// The stage set: the simulated vendors and the judge.
@main
struct Vendorsim: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vendorsim",
    abstract: "Simulated OKKI and K/3 WISE servers, and the judge of what passed between them.",
    subcommands: [OKKICommand.self, K3Command.self, LeanCommand.self, VerdictCommand.self])
}
