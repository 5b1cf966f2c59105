import Pipeline
import PipelineTesting
import Synchronization
import Testing

@testable import K3

@Suite("K/3's token", .timeLimit(.minutes(2)))
struct TokenTests {
  private static let saved = #"{"StatusCode":200,"Data":{"BillNo":"SO"}}"#

  private func number(_ request: ScriptedServer.Request) -> Int? {
    request.parameter("Token").flatMap { Int($0.dropFirst().prefix(1)) }
  }

  static let refusals = [
    #"{"StatusCode":201,"Message":"Token无效或已过期","Data":null}"#, #"{"StatusCode":201,"Message":"Faild","Data":"令牌过期"}"#,
    #"{"StatusCode":"401","Message":"invalid TOKEN"}"#,
  ]

  @Test(
    "when the token ends midway, many callers cause one Token/Create, and each bill is saved once", arguments: refusals)
  func singleFlight(refusal: String) async throws {
    try await withK3 { request in
      number(request) == 1 ? .ok(refusal) : .ok(Self.saved)
    } test: { destination, server in
      await withTaskGroup(of: Bool.self) { group in
        for caller in 1...30 {
          group.addTask {
            await destination.save((1...5).map { bill("SO-\(caller)-\($0)") }).allSatisfy { $0.label == "written" }
          }
        }
        for await good in group { #expect(good) }
      }
      #expect(server.count(tokenPath) == 2)
      let saved = server.requests.filter { $0.path == savePath && number($0) == 2 }.map(\.body)
      #expect(saved.count == 150 && Set(saved).count == 150)
    }
  }

  @Test("at the start many callers cause one Token/Create")
  func start() async throws {
    try await withK3 { _ in
      .ok(Self.saved)
    } test: { destination, server in
      await withTaskGroup(of: Void.self) { group in
        for caller in 1...50 { group.addTask { _ = await destination.save([bill("SO-\(caller)")]) } }
      }
      #expect(server.count(tokenPath) == 1)
      #expect(server.count(savePath) == 50)
    }
  }

  @Test("a Save in doubt is not repeated when others of its batch are, with the new token")
  func onlyRefusals() async throws {
    try await withK3 { request in
      if request.body.contains("SO-2") { return .drop }
      return number(request) == 1 ? .ok(Self.refusals[0]) : .ok(Self.saved)
    } test: { destination, server in
      let labels = await destination.save([bill("SO-1"), bill("SO-2"), bill("SO-3")]).map(\.label)
      #expect(labels == ["written", "uncertain in_doubt", "written"])
      #expect(server.requests.count { $0.body.contains("SO-2") } == 1)
    }
  }

  @Test("a fresh token that is refused is an outage after one repeat")
  func refusedForGood() async throws {
    try await withK3 { _ in
      .ok(Self.refusals[0])
    } test: { destination, server in
      #expect(await destination.save([bill("SO-1")])[0].label == "outage k3_unauthorized")
      #expect(server.count(tokenPath) == 2 && server.count(savePath) == 2)
      #expect(await destination.lookUp([bill("SO-1")])[0].label == "unavailable k3_unauthorized")
    }
  }

  @Test(
    "a token is used until its margin, a short-lived one for half its life",
    arguments: [("3600.0", 3500), ("3600", 3500), (#""120.0""#, 60), ("null", 3500), ("0.0", 1), ("1e9", 604_700)])
  func validity(text: String, seconds: Int) async throws {
    let clock = StillClock()
    try await withK3(clock: clock, tokens: { token($0, validity: text) }) { _ in
      .ok(Self.saved)
    } test: { destination, server in
      _ = await destination.save([bill("SO-1")])
      clock.advance(.seconds(seconds) - .milliseconds(1))
      _ = await destination.save([bill("SO-1")])
      #expect(server.count(tokenPath) == 1)
      clock.advance(.milliseconds(1))
      _ = await destination.save([bill("SO-1")])
      #expect(server.count(tokenPath) == 2)
    }
  }

  static let refused: [(String, String)] = [
    (#"{"StatusCode":201,"Message":"授权码无效","Data":{"Code":"N"}}"#, "outage k3_unauthorized"),
    (#"{"StatusCode":200,"Message":"Successful","Data":{"Code":"N"}}"#, "outage k3_unauthorized"),
    (#"{"StatusCode":200,"Data":{"Token":"a b"}}"#, "outage k3_unauthorized"),
    (#"{"StatusCode":200,"Data":"c29tZXRoaW5n"}"#, "outage k3_unauthorized"),
    (#"{"StatusCode":201,"Message":"系统繁忙"}"#, "outage k3_unavailable"), ("<html>", "outage k3_unavailable"),
    ("", "outage k3_unavailable"),
  ]

  @Test("without a token nothing is sent", arguments: refused)
  func noToken(answer: String, label: String) async throws {
    try await withK3(tokens: { _ in answer }) { _ in
      .drop
    } test: { destination, server in
      #expect(await destination.save([bill("1"), bill("2")]).map(\.label) == [label, label])
      #expect(server.requests.count == 1)
    }
  }

  @Test("a token is percent-encoded in the query, and /K3API is not doubled")
  func encoding() async throws {
    try await withK3(
      tokens: { _ in #"{"StatusCode":200,"Data":{"Token":"a+b/c=&d"}}"# }, change: { $0.url += "/K3API/" }
    ) { _ in
      .ok(Self.saved)
    } test: { destination, server in
      _ = await destination.save([bill("SO-1")])
      #expect(server.requests.map(\.path) == [tokenPath, savePath])
      #expect(server.requests[0].query == "authorityCode=\(authorityCode)")
      #expect(server.requests[1].query == "Token=a%2Bb%2Fc%3D%26d")
    }
  }
}
