import Orders
import Pipeline
import PipelineTesting
import Testing

@testable import K3

@Suite("A refusal with words about token or rights", .timeLimit(.minutes(2)))
struct LockOutTests {
  private static let empty = #"{"StatusCode":200,"Data":{"ROWCOUNT":0,"DATA":[]}}"#
  private static let refusal = #"{"StatusCode":201,"Message":"模块未授权","Data":null}"#

  private static func written(_ number: String) -> ScriptedServer.Answer {
    .ok(#"{"StatusCode":200,"Data":{"BillNo":"\#(number)"}}"#)
  }

  @Test(
    "where K/3 answers a question with the same token, the refusal is the bill's own, and costs one question for the batch",
    arguments: ["模块未授权", "客户 授权科技 不存在", "Token无效或已过期"])
  func own(words: String) async throws {
    try await withK3 { request in
      request.path == listPath ? .ok(Self.empty) : .ok(#"{"StatusCode":201,"Message":"\#(words)"}"#)
    } test: { destination, server in
      let refused = "nothing k3_unauthorized"
      #expect(await destination.save([bill("1"), bill("2")]).map(\.label) == [refused, refused])
      #expect(server.count(listPath) == 1 && server.count(tokenPath) == 2)
      #expect(await destination.update([bill("1")]).map(\.label) == [refused])
      let standing = StandingBill(
        BillID(OrderID(rawValue: 1), stream: "SO"), object: "SO", number: "1", internalID: 1, token: 1)
      #expect(await destination.delete([standing], notAfter: .now + .seconds(60)).map(\.label) == [refused])
    }
  }

  @Test("a customer's credit is no matter of our rights: it costs no token, and the bill is parked")
  func credit() async throws {
    try await withK3 { _ in
      .ok(#"{"StatusCode":201,"Message":"Faild","Data":"超过客户授权额度"}"#)
    } test: { destination, server in
      #expect(await destination.save([bill("1")]).map(\.label) == ["rejected k3_rejected"])
      #expect(server.count(tokenPath) == 1 && server.count(listPath) == 0)
    }
  }

  @Test("who writes another bill of the object is not locked out: nothing is asked")
  func beside() async throws {
    try await withK3 { request in
      request.body.contains("SO-2") ? Self.written("SO-2") : .ok(Self.refusal)
    } test: { destination, server in
      let answers = await destination.save([bill("SO-1"), bill("SO-2")])
      #expect(answers.map(\.label) == ["nothing k3_unauthorized", "written"])
      #expect(server.count(listPath) == 0)
    }
  }

  @Test("an object that is not ticked for us stops nobody where another one answers")
  func otherObject() async throws {
    try await withK3 { request in
      if request.path.contains("/SEOutStock/") { return .ok(Self.refusal) }
      return request.path == listPath ? .ok(Self.empty) : Self.written("1")
    } test: { destination, server in
      let other = bill("2", object: "SEOutStock")
      guard case .outage(let reason) = await destination.save([other])[0] else {
        Issue.record("no other object was answered yet")
        return
      }
      // An operator sees whose refusal it is.
      #expect(reason.code == .k3Unauthorized && reason.object == "SEOutStock" && reason.logged.contains("SEOutStock"))
      #expect(reason.absence.sentence.hasSuffix("authority code or rights, last for the object SEOutStock"))
      guard case .unavailable(let unseen, _) = await destination.lookUp([other])[0] else {
        Issue.record("who may not ask is locked out")
        return
      }
      #expect(unseen.code == .k3Unauthorized && unseen.object == "SEOutStock")
      #expect(await destination.save([bill("1")]).map(\.label) == ["written"])
      #expect(await destination.save([other]).map(\.label) == ["nothing k3_unauthorized"])
      #expect(server.count(listPath) == 1)
    }
  }

  @Test("a K/3 that refuses the question too, or is away by then, is an outage", arguments: [true, false])
  func lockedOut(isThere: Bool) async throws {
    try await withK3 { request in
      request.path == listPath && !isThere ? .drop : .ok(Self.refusal)
    } test: { destination, server in
      #expect(await destination.save([bill("1"), bill("2")]).allSatisfy { $0.label == "outage k3_unauthorized" })
      #expect(server.count(listPath) == 1 || !isThere)
      #expect(server.count(tokenPath) == 2)
    }
  }
}
