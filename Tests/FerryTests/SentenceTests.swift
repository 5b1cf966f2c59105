import Foundation
import Pipeline
import PipelineTesting
import Telemetry
import Testing

@testable import Queue
@testable import ferry

@Suite("Sentences for people")
struct SentenceTests {
  @Test("a login that PostgreSQL refuses is told with its remedy, by ferry poll --once as by ferry migrate")
  func login() {
    let failure = LedgerFailure.broken("PostgreSQL refused a statement of the ledger: password failed (28P01)")
    let sentence = Startup.sentence(of: failure)
    #expect(sentence.hasSuffix("(28P01). Correct user, password or database in FERRY_POSTGRES_URL."))
    #expect(Startup.sentence(of: PollInterruption.ledger(failure)) == sentence)
  }

  @Test("a sentence ends with one full stop, whoever's words its end is")
  func fullStop() {
    #expect(SetupProblem.ended("see the broker logfile.") == "see the broker logfile.")
    #expect(SetupProblem.ended("it is away") == "it is away.")
    #expect(SetupProblem.ended("is that meant?") == "is that meant?")
    #expect(Startup.sentence(of: LedgerFailure.broken("it is full.")) == "The ledger cannot be used: it is full.")
  }

  @Test("a failure of the broker with a remedy of its own is a matter of configuration, and keeps it in ferry check")
  func remedy() throws {
    let failure = QueueFailure("the user lacks rights", remedy: "Give it the tag.")
    #expect(Startup.sentence(of: failure) == "the user lacks rights. Give it the tag.")
    #expect(Startup.exit(for: [failure]) == Startup.configurationExit)
    let away = QueueFailure("it is away")
    #expect(Startup.exit(for: [away]) != Startup.configurationExit)
    let wiring = Wiring(
      settings: try Settings(environment: SettingsTests.complete, roles: Role.all), logger: silent,
      registry: MetricsRegistry())
    #expect(
      wiring.problem(failure, remedy: "Start it.")
        == SetupProblem("the user lacks rights.", remedy: "Give it the tag."))
    #expect(wiring.problem(away, remedy: "Start it.") == SetupProblem("it is away.", remedy: "Start it."))
  }

  @Test("each reason stands in the documents", arguments: ["README.md", "README.zh-CN.md", "deploy/README.md"])
  func reasons(file: String) throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
    for code in ReasonCode.allCases { #expect(text.contains("`\(code.rawValue)`"), "\(code.rawValue)") }
  }
}
