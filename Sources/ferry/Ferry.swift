import ArgumentParser
import DriverThread

/// The program: one binary, one subcommand per role.
@main
struct Ferry: AsyncParsableCommand {
  /// As `CHANGELOG.md` has it.
  static let version = "unreleased"

  static let configuration = CommandConfiguration(
    commandName: "ferry",
    abstract: "Carries sales orders from 小满 OKKI over RabbitMQ to 金蝶 K/3 WISE, each exactly once.",
    discussion: "Settings come from the environment; `ferry settings` prints them all.",
    version: version,
    subcommands: [
      MigrateCommand.self, PollCommand.self, TransformCommand.self, LoadCommand.self, RunCommand.self,
      CheckCommand.self, SettingsCommand.self, HealthCommand.self, MapCommand.self, StrategyCommand.self,
      CollectionCommand.self, OrderCommand.self, BackfillCommand.self, DeadLettersCommand.self,
    ])

  static func main() async {
    // What the dynamic linker has read is not needed again.
    FilePages.giveBack()
    OpenFiles.raiseLimit()
    await main(nil)
  }
}
