import JSON
public import Orders
public import Pipeline
import Testing

/// What every `OrderSource` must do. Run it against the double and against the adapter.
public struct OrderSourceContract {
  /// The source under test.
  public let source: any OrderSource
  /// A window with at least five orders and no movement.
  public let window: TimeWindow
  /// An order that does not exist.
  public let missing: OrderID
  /// An order that was deleted within the window or the hour after it, and no other was.
  public let removed: OrderID

  /// A contract for this source.
  public init(_ source: any OrderSource, window: TimeWindow, missing: OrderID, removed: OrderID) {
    self.source = source
    self.window = window
    self.missing = missing
    self.removed = removed
  }

  /// Every rule.
  public func check() async throws {
    let all = try await allHeadlines()
    try await pagesAddUp(all)
    try await windowIsClosed(all)
    try await detailsComeInOrder(all)
    try await listsByOtherTimes(all)
    try await customersCanBePaged()
    #expect(try await source.now() <= source.now())
  }

  private func allHeadlines() async throws -> [OrderHeadline] {
    let first = try await source.orders(updatedIn: window, page: 1, size: 500)
    try #require(first.total >= 5)
    #expect(first.headlines.count == min(first.total, 500))
    return first.headlines
  }

  private func pagesAddUp(_ all: [OrderHeadline]) async throws {
    var paged: [OrderHeadline] = []
    var index = 1
    while paged.count < all.count {
      let page = try await source.orders(updatedIn: window, page: index, size: 2)
      try #require(!page.headlines.isEmpty && page.headlines.count <= 2)
      paged += page.headlines
      index += 1
    }
    #expect(Array(paged.prefix(all.count)) == all)
    #expect(Set(paged.map(\.id)).count == paged.count)
    // Newest first (vendor-apis.md [B-9]): the poller counts on it when it reads the last page first.
    #expect(zip(paged, paged.dropFirst()).allSatisfy { $0.updateTime >= $1.updateTime })
    let beyond = try await source.orders(updatedIn: window, page: all.count + 100_000, size: 2)
    #expect(beyond.headlines.isEmpty)
  }

  private func windowIsClosed(_ all: [OrderHeadline]) async throws {
    let time = all[all.count / 2].updateTime
    let second = try #require(TimeWindow(from: time, to: time))
    let page = try await source.orders(updatedIn: second, page: 1, size: 500)
    #expect(Set(page.headlines) == Set(all.filter { $0.updateTime == time }))
    let past = BeijingTime(epochSeconds: 0)
    let empty = try await source.orders(updatedIn: try #require(TimeWindow(from: past, to: past)), page: 1, size: 10)
    #expect(empty.total == 0 && empty.headlines.isEmpty)
  }

  private func listsByOtherTimes(_ all: [OrderHeadline]) async throws {
    let created = try await source.orders(.created(window), page: 1, size: 500)
    #expect(!created.headlines.isEmpty && Set(created.headlines.map(\.id)).isSubset(of: all.map(\.id)))
    let later = try #require(TimeWindow(from: window.from, to: window.to.advanced(bySeconds: 3600)))
    let removed = try await source.orders(.removed(later), page: 1, size: 500)
    #expect(removed.total == 1 && removed.headlines.map(\.id) == [self.removed])
    #expect(!all.contains { $0.id == self.removed })
    guard case .failure(.absent)? = await source.details(of: [self.removed]).first else {
      Issue.record("a deleted order must be absent")
      return
    }
    let past = BeijingTime(epochSeconds: 0)
    let long = try #require(TimeWindow(from: past, to: past))
    #expect(try await source.orders(.removed(long), page: 1, size: 10).headlines.isEmpty)
  }

  private func detailsComeInOrder(_ all: [OrderHeadline]) async throws {
    #expect(await source.details(of: []).isEmpty)
    let ids = all.prefix(50).map(\.id) + [missing, all[0].id]
    let details = await source.details(of: ids)
    try #require(details.count == ids.count)
    for (id, detail) in zip(ids, details) {
      if id == missing {
        guard case .failure(.absent) = detail else {
          Issue.record("an unknown order must be absent")
          continue
        }
      } else {
        let order = try detail.get()
        let content = try JSONDocument(order.content).root
        #expect(order.id == id)
        #expect(content.kind == .object && content["order_id"]?.text == id.description)
        #expect(content["order_no"]?.text ?? "" == order.number)
        if let headline = all.first(where: { $0.id == id }) { #expect(order.updateTime >= headline.updateTime) }
      }
    }
  }

  private func customersCanBePaged() async throws {
    let first = try await source.customers(updatedIn: nil, page: 1, size: 3)
    try #require(first.total > 3 && first.records.count == 3)
    let second = try await source.customers(updatedIn: nil, page: 2, size: 3)
    #expect(Set(first.records.map(\.id)).isDisjoint(with: second.records.map(\.id)))
    for record in first.records {
      #expect(try JSONDocument(record.content).root["company_id"]?.text == record.id)
    }
    let past = BeijingTime(epochSeconds: 0)
    let long: TimeWindow = try #require(TimeWindow(from: past, to: past))
    let none = try await source.customers(updatedIn: long, page: 1, size: 3)
    #expect(none.records.isEmpty)
  }
}
