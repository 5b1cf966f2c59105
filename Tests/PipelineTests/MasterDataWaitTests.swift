import JSON
import Mapping
import Orders
import Pipeline
import PipelineTesting
import Testing

@Suite("Orders that wait for master data", .timeLimit(.minutes(2)))
struct MasterDataWaitTests {
  private let collections = MemoryCollections()

  /// Maps an order of company 8, which nobody knows, so many seconds after it was first seen.
  private func outcome(
    after age: Int64, seconds: Int = 3_600, content: String = #"{"order_no":"A","company_id":8}"#
  ) async throws -> Outcome? {
    let target = #"""
      {"api":"/SO/Save","ferry":{"key":"Page1.FBillNo"},"request":[{"field":"Page1","type":"array","children":[
        {"field":"FBillNo","type":"string","value":"{order_no}","is_required":true},
        {"field":"FCustID","type":"string","ferry":{"missing":"customer_unmapped"},
         "value":"_findCollection find serial_id from customers where company_id={company_id}"},
        {"field":"FDeptID","type":"string","value":"_findCollection find no from departments where id={company_id}"}]}]}
      """#
    let strategy = try Strategy(name: "test", source: Array("{}".utf8), target: Array(target.utf8))
    let order = Envelope.order(1, content: content)
    let clock = PipelineClock(
      now: { ContinuousClock.now }, epochMilliseconds: { order.firstSeen + age * 1_000 }, sleep: { _ in })
    let stage = TransformStage(
      strategies: try StrategySet([strategy]), collections: collections,
      waiting: MasterDataWait(seconds: seconds, ladder: [10, 60, 600], clock: clock))
    return await stage.handle([order]).first
  }

  @Test(
    "the waits grow with what was waited, end at the bound, and count as no attempt",
    arguments: [(-5, 10), (0, 10), (30, 30), (700, 700), (3_000, 600), (3_599, 10)] as [(Int64, Int)])
  func waits(_ age: Int64, _ seconds: Int) async throws {
    guard case .later(let reason, let wait)? = try await outcome(after: age) else {
      Issue.record("it does not wait")
      return
    }
    #expect(reason.code == .customerUnmapped && wait == seconds)
  }

  @Test("when the time is over it is parked; with 0 at once", arguments: [(3_600, 3_600), (0, 0)] as [(Int64, Int)])
  func over(_ age: Int64, _ bound: Int) async throws {
    guard case .dead(let burial)? = try await outcome(after: age, seconds: bound) else {
      Issue.record("it is not parked")
      return
    }
    #expect(burial.reason.code == .customerUnmapped)
  }

  @Test("an order with which something else is wrong too is parked at once")
  func somethingElse() async throws {
    guard case .dead? = try await outcome(after: 0, content: #"{"company_id":8}"#) else {
      Issue.record("it waits in vain")
      return
    }
  }

  @Test("a record that has arrived lets it go on")
  func arrived() async throws {
    let customer = CollectionRecord(id: "8", content: Array(#"{"company_id":8,"serial_id":"C8"}"#.utf8))
    let department = CollectionRecord(id: "8", content: Array(#"{"id":8,"no":"D"}"#.utf8))
    try await collections.store([customer], in: "customers")
    try await collections.store([department], in: "departments")
    guard case .forward? = try await outcome(after: 100) else {
      Issue.record("it does not go on")
      return
    }
  }
}
