import ArgumentParser
import Console
import FoundationEssentials

struct HealthCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health", abstract: "Asks the role that runs here whether it is alive, ready, or has started.",
    discussion: """
      For health checks of containers. The role is asked on FERRY_ADMIN_HOST and FERRY_ADMIN_PORT; no other setting \
      is needed. Exit 0 for yes, 1 for no or no answer.
      """)

  @Flag(help: "Whether the role can do its work, instead of whether it is alive; a no names who is away.")
  var ready = false

  @Flag(help: "Whether the role could do its work at some time since its start; a no names who is away.")
  var started = false

  func validate() throws {
    if ready, started { throw ValidationError("Ask one question at a time: --ready or --started.") }
  }

  func run() throws {
    let (text, isGood) = Self.answer(
      to: ready ? .ready : started ? .started : .alive, environment: ProcessInfo.processInfo.environment)
    print(text)
    if !isGood { throw ExitCode(1) }
  }

  /// What is printed, and whether it is a yes.
  static func answer(to question: HealthQuestion, environment: [String: String]) -> (text: String, isGood: Bool) {
    // Leniently: the role itself has told what is wrong with other settings.
    let (settings, _) = Settings.reading(environment, roles: [])
    guard settings.unusable.isDisjoint(with: [.adminHost, .adminPort]), settings.whole(.adminPort) != 0 else {
      return ("FERRY_ADMIN_HOST or FERRY_ADMIN_PORT does not say where to ask; port 0 cannot be asked.", false)
    }
    do throws(HealthUnknown) {
      let answer = try question.ask(host: settings.text(.adminHost), port: settings.whole(.adminPort))
      return (answer.text, answer.isGood)
    } catch { return (error.description, false) }
  }
}
