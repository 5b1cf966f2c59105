import Orders
import Pipeline
import PipelineTesting
import Testing

@testable import OKKI

@Suite("OKKI's lists with rows that are no JSON", .timeLimit(.minutes(2)))
struct WireListTests {
  private func customers(
    _ data: String, page: Int = 1, size: Int
  ) async throws -> Result<CustomerPage, SourceFailure> {
    try await withOKKI(change: { $0.retries = 0 }) { _, _ in
      .ok(envelope(data))
    } test: { source, _ in
      do throws(SourceFailure) {
        return .success(try await source.customers(updatedIn: nil, page: page, size: size))
      } catch { return .failure(error) }
    }
  }

  @Test("a page of customers that OKKI cut is one, also with a row that cannot be read")
  func cut() async throws {
    let bad = #"{"company_id":2,"name":"\ud83d"}"#
    let data = #"{"totalItem":9,"count":2,"list":[{"company_id":1},\#(bad)]}"#
    let page = try await customers(data, size: 500).get()
    #expect(page.records.map(\.id) == ["1"])
    #expect(page.unreadable == [Array(bad.utf8)])
  }

  @Test("a row with the ids of two customers may be several; alone on its page it is one")
  func several() async throws {
    let bad = #"{"company_id":1,"n":"a"b"},{"company_id":2},{"company_id":3,"n":"c"d"}"#
    let data = #"{"totalItem":9,"list":[\#(bad)]}"#
    guard case .unframed = try await customers(data, size: 500).failure else {
      Issue.record("it was taken for a row")
      return
    }
    #expect(try await customers(data, size: 1).get().unreadable == [Array(bad.utf8)])
  }

  @Test("a customer whom OKKI keeps back leaves a page of one row empty; a larger page, or the first, is never so")
  func back() async throws {
    let data = #"{"totalItem":9,"list":[]}"#
    #expect(try await customers(data, page: 2, size: 1).get().records.isEmpty)
    for (page, size) in [(1, 1), (1, 500), (2, 2)] {
      guard case .malformed = try await customers(data, page: page, size: size).failure else {
        Issue.record("page \(page) of size \(size)")
        continue
      }
    }
  }

  /// How a list is answered, and how often it is asked for.
  private func asked(_ answer: ScriptedServer.Answer) async throws -> (failure: SourceFailure?, times: Int) {
    try await withOKKI(change: { $0.retries = 3 }) { _, _ in
      answer
    } test: { source, server in
      let times = { server.requests.count { $0.path == listPath } }
      do throws(SourceFailure) {
        _ = try await source.orders(updatedIn: window, page: 1, size: 10)
        return (nil, times())
      } catch { return (error, times()) }
    }
  }

  private static let rows = #"{"order_id":1,"name":"a"b","lines":[{"n":1}]},{"order_id":2}"#

  @Test("a page whose rows cannot be told apart is not asked for again: smaller ones are")
  func once() async throws {
    let found = try await asked(.ok(envelope(#"{"count":2,"list":[\#(Self.rows)]}"#)))
    guard case .unframed = found.failure else {
      Issue.record("it is \(String(describing: found.failure))")
      return
    }
    #expect(found.times == 1)
  }

  @Test(
    "what was cut off, or is a gateway's page, is no list with bad rows, and is asked for again",
    arguments: [
      #"{"code":200,"now":"2024-01-15 10:00:00","data":{"count":9,"list":[{"order_id":1},{"order_id":2}"#,
      #"{"code":200,"now":"2024-01-15 10:00:00","data":{"count":9,"list":[{"order_id":1},{"order_"#,
      #"{"code":200,"now":"2024-01-15 10:00:00","data":{"count":9,"list":[{"order_id":1,"lines":[{"n":1}]"#,
      #"<html><script>var page = {"list":[{"a":1}]}</script></html>"#, #"var page = {"list":[{"a":1}]}"#,
    ])
  func cutOff(text: String) async throws {
    let found = try await asked(.ok(text))
    guard case .transient = found.failure else {
      Issue.record("it is \(String(describing: found.failure))")
      return
    }
    #expect(found.times == 4)
  }

  @Test("what the answer has behind its rows is no part of them", arguments: ["[]", #"["a"]"#, "[1,2]"])
  func behind(errors: String) async throws {
    for now in ["10:00:00", "10:00:01"] {
      let text = #"{"code":200,"data":{"count":2,"list":[\#(Self.rows)]},"now":"\#(now)","errors":\#(errors)}"#
      guard case .unframed(_, let rows?) = try await asked(.ok(text)).failure else {
        Issue.record("it is a list, or none")
        continue
      }
      #expect(String(decoding: rows, as: UTF8.self) == Self.rows)
    }
  }

  @Test("no part of a secret stands where the rows are cut", arguments: [0, 1, 5, 9, 10, 4_096])
  func masked(before: Int) {
    let most = OKKIWire.mostOfRows
    let text = String(repeating: "x", count: most - before) + "top-secret" + String(repeating: "y", count: most)
    let kept = OKKIWire.beginning(of: Array(text.utf8), without: ["top-secret"])
    #expect(kept.count <= most && kept.count >= most - before - 10)
    #expect(!String(decoding: kept, as: UTF8.self).contains("t"))
  }

  @Test("nor does one where the mask has moved the cut")
  func shrunk() {
    let most = OKKIWire.mostOfRows
    let secret = String(repeating: "s", count: 40)
    let text = String(repeating: secret + ",", count: most / 20)
    for shift in 0..<41 {
      let kept = OKKIWire.beginning(of: Array(text.utf8.dropFirst(shift)), without: [secret])
      #expect(!kept.dropFirst(40).contains(UInt8(ascii: "s")))
    }
  }
}
