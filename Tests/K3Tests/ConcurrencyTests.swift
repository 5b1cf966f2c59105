import Dispatch
import Pipeline
import PipelineTesting
import Synchronization
import Testing
import VendorStage

@testable import K3

@Suite("K/3 with too much to do", .timeLimit(.minutes(1)))
struct ConcurrencyTests {
  private static let saved = #"{"StatusCode":200,"Data":{"BillNo":"SO"}}"#

  @Test(
    "each way of saying so halves the requests under way",
    arguments: [
      ScriptedServer.Answer.status(503), .status(429),
      .ok(#"{"StatusCode":201,"Message":"Faild","Data":"系统繁忙,请稍后再试"}"#),
    ])
  func overload(answer: ScriptedServer.Answer) async throws {
    try await withK3 { request in
      request.body.contains("SO-1") ? answer : .ok(Self.saved)
    } test: { destination, _ in
      #expect(destination.concurrencyLimit == 16)
      _ = await destination.save([bill("SO-1")])
      #expect(destination.concurrencyLimit == 8)
    }
  }

  @Test("a Save without an answer in time halves them too")
  func timeout() async throws {
    let release = DispatchSemaphore(value: 0)
    try await withK3(change: { $0.saveTimeoutMilliseconds = 50 }) { _ in
      release.wait()
      return .drop
    } test: { destination, _ in
      #expect(await destination.save([bill("SO-1")]).map(\.label) == ["uncertain in_doubt"])
      release.signal()
      #expect(destination.concurrencyLimit == 8)
    }
  }

  @Test("a refused bill, a bill that another user has open and a page of an error change nothing")
  func otherAnswers() async throws {
    try await withK3 { request in
      if request.body.contains("SO-1") { return .ok(#"{"StatusCode":201,"Message":"客户[繁忙 timeout]不存在"}"#) }
      if request.body.contains("SO-2") { return .ok(#"{"StatusCode":201,"Message":"单据正在使用"}"#) }
      return .status(500)
    } test: { destination, _ in
      _ = await destination.save([bill("SO-1"), bill("SO-2"), bill("SO-3")])
      #expect(destination.concurrencyLimit == 16)
    }
  }

  @Test(
    "a simulated K/3 with few places brings the limit down, and every bill is written once",
    arguments: ["busy", "http503"])
  func simulated(form: String) async throws {
    var plan = K3Plan()
    // Long enough that requests meet, also on a busy machine.
    plan.latencyMilliseconds = 20
    let simulator = try await Stage.k3(plan, host: "127.0.0.1", port: 0)
    let url = "http://127.0.0.1:\(simulator.port)"
    try await admin(url, "settings", #"{"concurrencyCap":3,"overload":"\#(form)"}"#)
    let destination = try K3BillDestination(options(url) { $0.concurrency = 32 })
    var open = (1...120).map { bill("SO-\($0)") }
    var turns = 0
    while !open.isEmpty, turns < 100 {
      turns += 1
      let answers = await destination.save(open)
      open = zip(open, answers).filter { $0.1.written == nil }.map(\.0)
      #expect(destination.concurrencyLimit <= 32)
    }
    #expect(open.isEmpty)
    #expect(try await stored(url) == 120)
    // A halving of 32 or more, and no way back up to what K/3 refuses.
    #expect(destination.concurrencyLimit <= 8)
    await destination.close()
    await simulator.stop()
  }
}
