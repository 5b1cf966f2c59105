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
}
