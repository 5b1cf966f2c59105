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
  @Flag(help: "A strategy cuts orders: an order's bills together must be the order, line by line.") var parts = false
  @Option(help: "The object that orders in the status of returns become, such as Goods_Return_Notice.")
  var returns: String?
  @Option(parsing: .upToNextOption, help: "Objects that every order becomes beside its sales order.")
  var beside: [String] = []
  @Flag(help: "Bills of orders that are deleted in OKKI must be gone.") var cancels = false
  @Flag(help: "One JSON object instead of a table.") var json = false
  @Option(help: "Judge again until it holds, or a book can be read, at most so many seconds, and tell how far it is.")
  var wait = 0
  @Option(help: "Judge nothing: end as soon as K/3 holds so many bills.") var waitBills: Int?

  func validate() throws {
    if worker.isEmpty, !withoutWorkers {
      throw ValidationError("name every worker with --worker, or say --without-workers")
    }
  }

  func run() throws {
    let deadline = ContinuousClock.now.advanced(by: .seconds(wait))
    var verdict = try judged(until: deadline)
    var told = ""
    var next = ContinuousClock.now
    while !isEnough(verdict), ContinuousClock.now < deadline {
      if !json, verdict.progress != told, ContinuousClock.now >= next {
        told = verdict.progress
        next = .now.advanced(by: .seconds(2))
        Self.complain("so far \(told)")
      }
      usleep(200_000)
      verdict = try judged(until: deadline)
    }
    if waitBills != nil {
      if !isEnough(verdict) { throw ExitCode(1) }
      return
    }
    print(json ? verdict.json : verdict.table)
    if !verdict.holds { throw ExitCode(1) }
  }

  /// Prints a line to standard error: the verdict alone goes to standard output.
  private static func complain(_ line: String) {
    let bytes = [UInt8]((line + "\n").utf8)
    write(STDERR_FILENO, bytes, bytes.count)
  }

  private func isEnough(_ verdict: Verdict) -> Bool {
    waitBills.map { verdict.billCount >= $0 } ?? verdict.holds
  }

  private var rules: JudgeRules {
    var rules = JudgeRules()
    rules.allowsParts = parts
    rules.returns = returns
    rules.beside = beside
    rules.cancels = cancels
    return rules
  }

  /// A book that cannot be read may be that of a server which is still starting, so it has until the deadline too.
  private func judged(until deadline: ContinuousClock.Instant) throws -> Verdict {
    while true {
      do { return try Verdict.reached(okki: okki, k3: k3, workers: worker, rules: rules) } catch {
        guard ContinuousClock.now >= deadline else {
          usleep(200_000)
          continue
        }
        Self.complain("cannot judge: \(error)")
        throw ExitCode(2)
      }
    }
  }
}
