import Pipeline
import PipelineTesting
import Testing

@testable import K3

@Suite("A site's own texts of K/3's messages", .timeLimit(.minutes(2)))
struct MessageFileTests {
  private func messages(_ text: String) throws(SetupProblem) -> K3Messages { try K3Messages(adding: Array(text.utf8)) }

  private func problem(_ text: String) -> String {
    do throws(SetupProblem) {
      _ = try messages(text)
      return ""
    } catch { return "\(error)" }
  }

  @Test("each class's texts stand beside the built-in ones, in any case")
  func added() throws {
    let own = try messages(
      #"""
      {"busy":["数据库忙"],"unsettled":["提交超限"],"overloaded":["数据库忙"],"duplicate":[["Bill","exists"],"单号占用"],
      "unauthorized":["License"],"token":["session"],"unrelated":["license plate"],"aboutField":["column"],
      "unchangeable":["Locked"],"gone":["No such bill"],"generic":["Done1"]}
      """#)
    func kind(_ message: String, isFresh: Bool = true) -> K3Messages.Kind { own.kind(of: message, isFresh: isFresh) }
    #expect(kind("数据库忙") == .busy && kind("系统繁忙") == .busy)
    #expect(own.isOverload("数据库忙") && own.isUnsettled("提交超限"))
    #expect(kind("the bill 7 EXISTS") == .duplicate && kind("单号占用") == .duplicate && kind("the bill 7") == .other)
    #expect(kind("编号已存在") == .duplicate)
    #expect(kind("no license") == .unauthorized && kind("no license plate") == .other)
    #expect(kind("Session over", isFresh: false) == .token && kind("column license") == .other)
    #expect(own.isUnchangeable("is LOCKED") && own.isGone("no such bill") && own.isGeneric("DONE1"))
    #expect(K3Messages().kind(of: "数据库忙", isFresh: true) == .other)
    #expect(try messages("{}").busy == K3Messages().busy)
  }

  @Test("what a file cannot say is told with its place")
  func refused() {
    #expect(problem("{").contains("not acceptable JSON"))
    #expect(problem("[]").contains("no JSON object"))
    #expect(problem(#"{"transient":["x y"]}"#).contains("unknown class «transient»; known are aboutField, busy, dup"))
    #expect(problem(#"{"busy":"忙着"}"#).contains("no list of at most 200 entries under «busy»"))
    #expect(problem(#"{"busy":["忙着","忙"]}"#).contains("no text of 2 to 200 characters at busy[1]"))
    #expect(problem(#"{"busy":[["忙着"]]}"#).contains("at busy[0]"))
    #expect(problem(#"{"duplicate":[[]]}"#).contains("an entry without texts at duplicate[0]"))
    #expect(problem(#"{"duplicate":[["编号",7]]}"#).contains("at duplicate[0]"))
    #expect(problem(#"{"gone":["单据[SO]不存在"]}"#).contains("a bracket at gone[0]"))
    #expect(problem(#"{"gone":["  "]}"#).contains("at gone[0]"))
    #expect(problem(#"{"busy":["忙着"]}"#).isEmpty)
  }

  @Test("the loader goes by them: a text of the site's is tried again instead of parked")
  func used() async throws {
    let refusal = #"{"StatusCode":201,"Message":"Faild","Data":"数据库忙"}"#
    for (file, label) in [("{}", "rejected k3_rejected"), (#"{"busy":["数据库忙"]}"#, "nothing k3_busy")] {
      let own = try messages(file)
      try await withK3(change: { $0.messages = own }) { _ in
        .ok(refusal)
      } test: { destination, _ in
        #expect(await destination.save([bill("SO-1")]).map(\.label) == [label])
      }
    }
  }

  @Test(
    "a text of one class alone does what its row in the runbook says",
    arguments: [
      ("unsettled", "uncertain in_doubt"), ("overloaded", "nothing k3_busy"), ("token", "outage k3_unauthorized"),
      ("unauthorized", "outage k3_unauthorized"), ("duplicate", "uncertain in_doubt"),
    ])
  func alone(name: String, label: String) async throws {
    let refusal = #"{"StatusCode":201,"Message":"Faild","Data":"连接中断"}"#
    let own = try messages(#"{"\#(name)":["连接中断"]}"#)
    try await withK3(change: { $0.messages = own }) { _ in
      .ok(refusal)
    } test: { destination, server in
      #expect(await destination.save([bill("SO-1")]).map(\.label) == [label])
      #expect(server.requests.count { $0.path == tokenPath } == (name == "token" ? 2 : 1))
    }
  }
}
