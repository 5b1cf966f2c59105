import ArgumentParser
import Console
import CoreMetrics
import DriverThread
import FoundationEssentials
import Glibc
import Logging
import Mapping
import Pipeline
import Queue
import UnixSignals
import ServiceLifecycle
import Telemetry

/// What every role does before its work, and how it ends.
enum Startup {
  /// The exit status for settings and strategies that cannot be used (EX_CONFIG).
  static let configurationExit = ExitCode(78)

  /// The exit status for what may succeed later (EX_TEMPFAIL).
  static let laterExit = ExitCode(75)

  /// Reads the settings, sets up logs and metrics.
  /// - Throws: exit 78, after every problem has been printed.
  static func wiring(for roles: Set<Role>) throws -> Wiring {
    let settings: Settings
    do throws(SettingsProblems) {
      settings = try Settings(environment: ProcessInfo.processInfo.environment, roles: roles)
    } catch {
      if error.sentences.count == 1, let sentence = error.sentences.first {
        complain("The settings cannot be used: \(sentence)")
      } else {
        complain("The settings cannot be used:")
        for sentence in error.sentences { complain("  " + sentence) }
      }
      throw configurationExit
    }
    return wiring(with: settings)
  }

  /// The same with whatever of the settings can be used.
  /// - Returns: also what is wrong with the settings, one sentence each.
  static func leniently(for roles: Set<Role>) -> (Wiring, problems: [String]) {
    let (settings, problems) = Settings.reading(ProcessInfo.processInfo.environment, roles: roles)
    return (wiring(with: settings), problems)
  }

  /// Runs a command that ends by itself and needs these settings alone, whatever is wrong with the others.
  /// - Throws: exit 78 after what is wrong with these has been printed; whatever ``exiting(_:)`` makes of the command's failure.
  static func command(
    for role: Role, needing needed: Set<SettingName>, _ body: (Wiring) async throws -> Void
  ) async throws {
    let (wiring, problems) = leniently(for: [role])
    guard wiring.settings.unusable.isDisjoint(with: needed) else {
      for problem in problems where needed.contains(where: { problem.contains($0.rawValue) }) { complain(problem) }
      throw configurationExit
    }
    let result: Result<Void, any Error>
    do {
      try await exiting { try await body(wiring) }
      result = .success(())
    } catch { result = .failure(error) }
    await wiring.close()
    try result.get()
  }

  private static func wiring(with settings: Settings) -> Wiring {
    FilePages.giveBack()
    let registry = metricsRegistry()
    MetricsSystem.bootstrap(registry)
    let isJSON = settings.text(.logFormat) == "json"
    LoggingSystem.bootstrap { label -> any LogHandler in
      if isJSON { return JSONLogHandler(label: label) }
      return StreamLogHandler.standardError(label: label)
    }
    var logger = Logger(label: "ferry")
    logger.logLevel = Logger.Level(rawValue: settings.text(.logLevel)) ?? .info
    return Wiring(settings: settings, logger: logger, registry: registry)
  }

  /// An empty registry that knows what the metrics mean and how they are divided.
  static func metricsRegistry() -> MetricsRegistry {
    let registry = MetricsRegistry()
    registry.describe(metricHelp)
    registry.divide(metricBuckets)
    return registry
  }

  /// Runs something that ends by itself; whatever it throws is told in one sentence and becomes exit 1.
  static func exiting(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch let exit as ExitCode {
      throw exit
    } catch {
      complain(sentence(of: error))
      throw exit(for: [error])
    }
  }

  /// 78 when a person must mend something before anything can work, else 1.
  static func exit(for errors: [any Error]) -> ExitCode {
    errors.contains(where: isConfiguration) ? configurationExit : ExitCode(1)
  }

  /// Runs roles until SIGTERM or SIGINT; they finish what they hold within the budget, and the process ends with 0.
  static func serve(_ wiring: Wiring, roles: [Role]) async throws {
    try await exiting {
      let roles = try roles.map { try wiring.roleService($0) }
      FilePages.giveBack()
      let admin = AdminServer(
        host: wiring.settings.text(.adminHost), port: wiring.settings.whole(.adminPort),
        probe: HealthProbe(
          isAlive: { roles.allSatisfy { $0.isAlive() } }, notReady: { roles.flatMap { $0.notReady() } }),
        registry: wiring.registry, logger: wiring.logger)
      let budget = ShutdownBudget(seconds: wiring.settings.whole(.shutdownSeconds), logger: wiring.logger)
      let configuration = ServiceGroupConfiguration(
        services: [
          .init(service: admin),
          .init(service: RolesTogether(roles: roles, rights: RightsWatch(over: roles, clock: wiring.clock))),
          .init(service: budget),
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: wiring.logger)
      try await ServiceGroup(configuration: configuration).run()
      await wiring.close()
    }
  }

  /// Prints a line to standard error.
  static func complain(_ line: String) {
    let text = Array((line + "\n").utf8)
    // A closed standard error takes nothing; the exit status still tells.
    _ = text.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  /// An error as one sentence for the person at the terminal.
  static func sentence(of error: any Error) -> String {
    switch error {
    case let problem as SetupProblem: "\(problem.sentence) \(problem.remedy)"
    case let failure as LedgerFailure:
      switch failure {
      case .unavailable(let why): "PostgreSQL is away: \(why)"
      // SQLSTATE 28xxx: the login; 3D000: the database's name.
      case .broken(let why) where why.contains("(28") || why.contains("(3D"):
        "PostgreSQL refuses us: \(SetupProblem.ended(why)) Correct user, password or database in FERRY_POSTGRES_URL."
      case .broken(let why): "The ledger cannot be used: \(SetupProblem.ended(why))"
      }
    case let taken as PortTaken:
      "Port \(taken.port) on \(taken.host) is taken. Set FERRY_ADMIN_PORT to a free one; 0 takes any."
    case let unusable as HostUnusable:
      "Health and metrics cannot be served on \(unusable.host): \(unusable.why). Set FERRY_ADMIN_HOST to an address of "
        + "this machine, such as 127.0.0.1, or 0.0.0.0 for all."
    // The same words as of ferry migrate, with what can be done.
    case PollInterruption.ledger(let failure): sentence(of: failure)
    case let interruption as PollInterruption: interruption.description
    case let failure as QueueFailure:
      failure.remedy.map { "\(SetupProblem.ended(failure.description)) \($0)" } ?? failure.description
    default: String(describing: error)
    }
  }

  private static func isConfiguration(_ error: any Error) -> Bool {
    switch error {
    case is StrategyFolderProblems, is SetupProblem, is PortTaken, is HostUnusable: true
    case let failure as QueueFailure: failure.remedy != nil
    case LedgerFailure.broken, PollInterruption.ledger(.broken): true
    default: false
    }
  }
}

/// Runs all roles of a process, so that they stop together instead of one after the other.
struct RolesTogether: Service {
  let roles: [RoleService]
  let rights: RightsWatch

  func run() async throws {
    let memory = Task { await Self.keepSmall() }
    defer { memory.cancel() }
    for role in roles { try await role.requirement() }
    let watching = Task { [rights] in await rights.watch() }
    defer { watching.cancel() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for role in roles {
        group.addTask {
          await role.prepare()
          FilePages.giveBack()
          let upkeep = Task { await role.upkeep() }
          defer { upkeep.cancel() }
          try await role.service.run()
        }
      }
      try await group.waitForAll()
    }
  }

  /// Gives back what only the start has needed, and later what only a burst of work has: an idle worker holds what idling
  /// needs.
  private static func keepSmall() async {
    var pauses = [30_000, 1_500, 500, 150, 100].map { Duration.milliseconds($0) }
    while let pause = pauses.last, (try? await Task.sleep(for: pause)) != nil {
      FilePages.giveBack()
      Heaps.giveBack()
      if pauses.count > 1 { pauses.removeLast() }
    }
  }
}

/// Ends the process when its shutdown budget is over, whatever still waits for a partner.
///
/// Nothing is lost by it: what is not acknowledged goes back to the broker, and claims that stay behind are looked up in
/// K/3 before anything is repeated.
struct ShutdownBudget: Service {
  let seconds: Int
  let logger: Logger

  func run() async throws {
    try await gracefulShutdown()
    let (seconds, logger) = (seconds, logger)
    Task.detached {
      try await Task.sleep(for: .seconds(seconds))
      logger.warning("The shutdown budget is over; unfinished work is given back")
      exit(0)
    }
  }
}
