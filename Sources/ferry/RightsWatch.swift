import ArgumentParser
import Glibc
import Pipeline
import Queue

/// Ends a process that no waiting makes work: since its start RabbitMQ denies it the virtual host, a queue or an exchange,
/// and a person must give the rights first.
///
/// A denial may pass: while a broker starts, or is set up, users come before their rights. So it must last. A role that could
/// work once is never ended, since rights that were taken away may come back, and a supervisor that heeds the exit status
/// would not start it again then. Neither is a process of several roles while one of them can work: that would end the work
/// of that one as well, for good. Then the denial is told, and the role is not ready.
struct RightsWatch: Sendable {
  /// How long a role must hear nothing but denials.
  static let patience = Duration.seconds(60)

  private let roles: [(name: String, broker: @Sendable () -> [QueueStanding])]
  private let clock: PipelineClock
  private let tell: @Sendable (String) -> Void
  private let end: @Sendable (Int32) -> Void

  /// A watch over all roles of a process.
  /// - Parameters:
  ///   - clock: how the watch waits between its looks, a second each; nobody is asked by it.
  ///   - tell: takes a line for the person, with the remedy.
  ///   - end: ends the process.
  init(
    over roles: [RoleService], clock: PipelineClock,
    tell: @escaping @Sendable (String) -> Void = { Startup.complain($0) },
    end: @escaping @Sendable (Int32) -> Void = { exit($0) }
  ) {
    self.roles = roles.map { ($0.name, $0.broker) }
    self.clock = clock
    self.tell = tell
    self.end = end
  }

  /// Looks until all roles have worked, the process was ended, or the task is cancelled.
  func watch() async {
    var open = roles
    var since: [String: ContinuousClock.Instant] = [:]
    var told: Set<String> = []
    while !Task.isCancelled {
      let standings = open.map { ($0.name, $0.broker()) }
      open = zip(open, standings).compactMap { $1.1.allSatisfy { $0 == .ready } ? nil : $0 }
      if open.isEmpty { return }
      let now = clock.now()
      for (name, broker) in standings {
        guard let denial = broker.first(where: \.isDenial), let sentence = denial.sentence else {
          since[name] = nil
          continue
        }
        let begun = since[name] ?? now
        since[name] = begun
        if now - begun < Self.patience { continue }
        let othersWork = open.count < roles.count
        if !told.insert(name).inserted, othersWork { continue }
        let line = "\(name): \(SetupProblem.ended(sentence)) \(QueueStanding.rightsRemedy)"
        tell(othersWork ? "\(line) The other roles of this process go on." : line)
        if !othersWork { return end(Startup.configurationExit.rawValue) }
      }
      await clock.sleep(.seconds(1))
    }
  }
}
