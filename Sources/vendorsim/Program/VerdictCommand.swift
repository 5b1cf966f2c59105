import ArgumentParser
import Glibc
import VendorStage

struct VerdictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verdict",
    abstract: "Judges from both servers' own books whether every order is where it must be.",
    discussion: "Exit code 0 when it is, 1 when it is not, 2 when a book cannot be read.")

  @Option(help: "Base URL of the simulated OKKI.") var okki: String
  @Option(help: "Base URL of the simulated K/3.") var k3: String
  @Option(
    parsing: .upToNextOption, help: "Base URLs of the workers' admin ports, whose dead-letter counters are compared.")
  var worker: [String] = []
  @Flag(help: "Judge without any worker: parked orders are then not counted.") var withoutWorkers = false
  @Flag(help: "One JSON object instead of a table.") var json = false

  func validate() throws {
    if worker.isEmpty, !withoutWorkers {
      throw ValidationError("name every worker with --worker, or say --without-workers")
    }
  }

  func run() throws {
    let verdict: Verdict
    do {
      verdict = try Verdict.reached(okki: okki, k3: k3, workers: worker)
    } catch {
      let sentence = [UInt8]("cannot judge: \(error)\n".utf8)
      write(STDERR_FILENO, sentence, sentence.count)
      throw ExitCode(2)
    }
    print(json ? verdict.json : verdict.table)
    if !verdict.holds { throw ExitCode(1) }
  }
}
