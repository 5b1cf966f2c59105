import Orders
import Pipeline
import PipelineTesting
import TestSockets
import Testing

@testable import OKKI

@Suite("What the poller logs of OKKI's answers", .timeLimit(.minutes(1)))
struct LoggedWordsTests {
  private static let name = "Kowalski GmbH"

  static let answers: [(answer: ScriptedServer.Answer, told: String)] = [
    (.ok(#"{"code":500,"message":"\#(name)"}"#), "OKKI is away or broken for now: OKKI answered code 500"),
    (.ok(#"{"code":17,"msg":"\#(name)"}"#), "OKKI is away or broken for now: OKKI answered code 17"),
    (.ok(#"{"code":403,"message":"\#(name)"}"#), "OKKI refuses us: OKKI answered code 403"),
    (
      .ok(#"{"code":403,"message":"no permission scope \#(name)"}"#),
      "OKKI refuses us: OKKI answered code 403: the token lacks a scope"
    ),
    (
      .status(400, #"{"error":"invalid_request","message":"\#(name)"}"#),
      "OKKI refuses us: OKKI answered invalid_request"
    ),
    (
      .status(400, #"{"error":"\#(name)"}"#),
      "OKKI refuses us: OKKI answered an error of a kind that is not known"
    ),
    (.status(404, name), "OKKI is away or broken for now: OKKI answered HTTP 404 without JSON"),
    (.ok(envelope(#""\#(name)""#)), "OKKI's answer cannot be understood: OKKI's list answer holds string, not a list"),
  ]

  /// Runs a poller until its first cycle has ended.
  private func lines(
    _ answer: ScriptedServer.Answer, forToken: Bool
  ) async throws -> [String] {
    let lines = Probe<String>()
    let clock = ManualClock()
    try await withScriptedServer { request in
      if (request.path == tokenPath) == forToken { return answer }
      return .ok(#"{"access_token":"T1"}"#)
    } _: { server in
      let source = try OKKIOrderSource(options(server.url) { $0.retries = 0 }, time: VirtualTime().keeper)
      let start = ContinuousClock.now
      let poller = Poller(
        source: source, ledger: MemoryPollLedger(MemoryPollLedger.Books(clock: clock)),
        outbox: MemoryOutbox(MemoryBroker(clock: clock)), plan: PollPlan(since: window.from),
        clock: PipelineClock(
          now: { start + clock.now.offset }, epochMilliseconds: { 1 },
          sleep: { try? await clock.sleep(until: clock.now.advanced(by: $0), tolerance: nil) }),
        logger: recording(lines))
      let running = Task { await poller.run() }
      try await lines.wait { $0.contains { $0.contains("The poll cycle ended early") } }
      running.cancel()
      try await ended(running)
      await source.close()
    }
    return lines.events
  }

  @Test("code and kind are told, and no word of OKKI's own", arguments: answers)
  func list(answer: ScriptedServer.Answer, told: String) async throws {
    let lines = try await lines(answer, forToken: false)
    #expect(lines.contains("warning The poll cycle ended early failure=\(told)"))
    #expect(!lines.joined().contains(Self.name))
  }

  @Test("neither when it refuses a token", arguments: answers.dropLast(2))
  func token(answer: ScriptedServer.Answer, told: String) async throws {
    let lines = try await lines(answer, forToken: true)
    #expect(lines.contains("warning The poll cycle ended early failure=\(told)"))
    #expect(!lines.joined().contains(Self.name))
  }
}
