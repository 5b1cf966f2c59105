import ArgumentParser
import Glibc
import Pipeline

extension RoleService {
  /// The same role, which ends its process with 78 when RabbitMQ denies the user a queue or an exchange before the role could
  /// work once: a person must give the rights first, and no waiting does it. One that has worked waits, as for any outage:
  /// rights that are taken away may come back.
  /// - Parameters:
  ///   - clock: how the watch waits between its looks, a second each; nobody is asked by it.
  ///   - tell: takes the sentence for the person, with the remedy.
  ///   - end: ends the process.
  func needingRights(
    clock: PipelineClock, tell: @escaping @Sendable (String) -> Void = { Startup.complain($0) },
    end: @escaping @Sendable (Int32) -> Void = { exit($0) }
  ) -> RoleService {
    let notReady = notReady
    return beside {
      while !Task.isCancelled {
        let sentences = notReady()
        if sentences.isEmpty { return }
        if let denied = sentences.first(where: Self.isOfRights) {
          tell(
            "\(SetupProblem.ended(denied)) Give the user of FERRY_RABBITMQ_URL all three permissions on the virtual host "
              + "(rabbitmqctl set_permissions).")
          return end(Startup.configurationExit.rawValue)
        }
        await clock.sleep(.seconds(1))
      }
    }
  }

  /// Whether the broker's words are about what the user may do; a login that is refused may be one that comes too early.
  private static func isOfRights(_ sentence: String) -> Bool {
    sentence.contains("RabbitMQ refuses us: ACCESS_REFUSED - access to ")
  }
}
