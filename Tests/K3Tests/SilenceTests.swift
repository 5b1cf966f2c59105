import Curl
import JSON
import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Testing

@testable import K3

@Suite("A look-up to which K/3's answer never comes", .timeLimit(.minutes(2)))
struct SilenceTests {
  private static let empty = #"{"StatusCode":200,"Data":{"ROWCOUNT":0,"DATA":[]}}"#
  private static let one = #"{"StatusCode":200,"Data":{"ROWCOUNT":1,"DATA":[{"FBillNo":"SO-1"}]}}"#
  private static let page = "<html>\(String(repeating: "x", count: 300))"

  private static let standing = StandingBill(
    BillID(OrderID(rawValue: 1), stream: "SO"), object: "SO", number: "SO-1", internalID: 1, token: 1)

  @Test(
    "where K/3 answers the same question about another bill, it is this bill's matter, which one question about that one tells for all",
    arguments: [.status(403, page), .status(500, page), .ok(page), .ok(""), .drop] as [ScriptedServer.Answer])
  func own(answer: ScriptedServer.Answer) async throws {
    try await withK3 { request in
      request.body.contains("SO-") && !request.body.contains("SO-3") ? answer : .ok(Self.empty)
    } test: { destination, server in
      let found = await destination.lookUp([bill("SO-1"), bill("SO-2"), bill("SO-3")])
      #expect(found.map(\.label) == ["unusable in_doubt", "unusable in_doubt", "absent"])
      #expect(server.requests.filter { $0.body.contains("ferry-probe") }.count == 1)
      guard case .unusable(_, let words) = found[0] else { return }
      #expect(words == nil || words?.count == 200 && words?.hasPrefix("<html>x") == true)
      #expect(!found[0].sentence.contains("html"))
      #expect(await destination.find([Self.standing]).map(\.label) == ["unusable in_doubt"])
    }
  }

  @Test("the details of a bill are asked for anew for a bill that nobody has, not the list")
  func details() async throws {
    for (others, label) in [
      (#"{"StatusCode":201,"Message":"单据不存在"}"#, "unusable in_doubt"), (Self.page, "unavailable k3_unavailable"),
    ] {
      try await withK3 { request in
        if request.path == listPath { return .ok(Self.one) }
        return .ok(request.body.contains("SO-1") ? Self.page : others)
      } test: { destination, _ in
        #expect(await destination.lookUp([bill("SO-1")]).map(\.label) == [label])
        #expect(await destination.find([Self.standing]).map(\.label) == [label])
      }
    }
  }

  @Test(
    "where nobody is answered, or K/3 is busy or does not let us in, it is an outage",
    arguments: [
      page, #"{"StatusCode":201,"Message":"系统繁忙,请稍后再试"}"#, #"{"StatusCode":201,"Message":"模块未授权"}"#,
    ])
  func outage(others: String) async throws {
    try await withK3 { request in
      .ok(request.body.contains("SO-1") ? Self.page : others)
    } test: { destination, _ in
      #expect(await destination.lookUp([bill("SO-1")]).map(\.label) == ["unavailable k3_unavailable"])
    }
  }

  @Test(
    "a gateway that says that it passes is an outage, whatever K/3 answers a moment later, and nothing more is asked",
    arguments: [429, 502, 503])
  func passing(status: Int) async throws {
    try await withK3 { request in
      request.body.contains("SO-1") ? .status(status, Self.page) : .ok(Self.empty)
    } test: { destination, server in
      #expect(await destination.lookUp([bill("SO-1")]).map(\.label) == ["unavailable k3_unavailable"])
      #expect(server.requests.count { $0.path == listPath } == 1)
    }
  }

  @Test(
    "what K/3 answers too late while it answers the same question about another bill is this bill's matter",
    arguments: [408, 504])
  func late(status: Int) async throws {
    for (others, label) in [
      (ScriptedServer.Answer.ok(Self.empty), "late in_doubt"), (.status(504), "unavailable k3_unavailable"),
      (.status(503), "unavailable k3_unavailable"),
    ] {
      try await withK3 { request in
        request.body.contains("SO-1") ? .status(status, Self.page) : others
      } test: { destination, server in
        let found = await destination.lookUp([bill("SO-1")])
        #expect(found.map(\.label) == [label])
        // It is not asked for again at once: that would take as long.
        #expect(server.requests.count { $0.body.contains("SO-1") } == 1)
        #expect(await destination.find([Self.standing]).map(\.label) == [label])
        guard case .late(_, let words) = found[0] else { return }
        #expect(words?.count == 200)
      }
    }
  }

  @Test(
    "an outage that ends between the bill's question and the other one is none: the bill is asked for once more",
    arguments: [.status(403, page), .status(500, page), .ok(page), .drop] as [ScriptedServer.Answer])
  func over(answer: ScriptedServer.Answer) async throws {
    for (second, label) in [
      (ScriptedServer.Answer.ok(Self.empty), "absent"), (.status(503, Self.page), "unavailable k3_unavailable"),
      (.status(403, Self.page), "unusable in_doubt"),
    ] {
      let asked = Mutex(0)
      try await withK3 { request in
        guard request.body.contains("SO-1") else { return .ok(Self.empty) }
        let count = asked.withLock { count in
          count += 1
          return count
        }
        return count == 1 ? answer : second
      } test: { destination, _ in
        #expect(await destination.lookUp([bill("SO-1")]).map(\.label) == [label])
      }
    }
  }

  @Test("no answer in time may be the bill's matter, as a connection that broke may")
  func kinds() {
    for (kind, expected) in [
      (HTTPFailure.Kind.timeout, K3Reply.Cause.late), (.shutdown, .passing), (.dropped, .any), (.tooLarge, .any),
    ] {
      let reply = K3Reply(.uncertain(HTTPFailure(kind: kind, description: "gone")), limits: JSONLimits())
      guard case .unclear("gone", [], let cause) = reply else {
        Issue.record("nobody knows what became of it")
        continue
      }
      #expect(cause == expected)
    }
  }
}
