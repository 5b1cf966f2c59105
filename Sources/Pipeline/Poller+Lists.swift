import CoreMetrics
import Orders
import ServiceLifecycle

/// A page of a list that may be put together from smaller ones.
protocol ListPage: Sendable {
  /// Rows in the whole list, as this page tells it.
  var total: Int { get }
  /// The vendor's clock.
  var now: BeijingTime { get }
  /// Rows that cannot be read.
  var unreadable: [[UInt8]] { get }
  /// Rows on this page, also those that cannot be read.
  var rows: Int { get }
  /// One with which it cannot be known whether the same row was seen before.
  var bareRow: [UInt8]? { get }
  /// This page's total and clock, and the rows of other pages, newest first; a row that two of them show alike counts once.
  func holding(_ pieces: [Self]) -> Self
  /// This page's total and clock, and one row that cannot be read.
  func holding(unreadable row: [UInt8]) -> Self
}

/// Asks for a page of a list: its number from 1, and its size.
typealias PageQuestion<Page> = (_ index: Int, _ size: Int) async throws(SourceFailure) -> Page

/// The first rows of a list may be bad, one after the other: they are an order's, of which a customer is bad, or were changed
/// together.
private let rowsToTry = [1, 2, 3, 5, 9, 17, 33, 65, 129, 1_000, 100_000]

/// A page of one row, or of none behind the last row: for what every page of a list tells. The row that it asks for first may be
/// the one with which no page can be read; so it is another one then, a few times, ever farther from the first.
///
/// Behind the end of a list OKKI may tell no number of rows, or 0. A row that makes its page unreadable is there, so that an answer
/// that tells fewer rows than that is not believed: the slice would pass for empty.
/// - Parameter known: the number of a row of which it is known that the list has it; 0: of none.
/// - Throws: `.malformed` where no answer can be believed.
/// - Parameter first: the row that is asked for before the others; then the one that answered.
func anyPage<Page: ListPage>(
  atLeast known: Int = 0, first: inout Int, _ ask: PageQuestion<Page>
) async throws(SourceFailure) -> Page {
  var known = known
  if first > 1 {
    do throws(SourceFailure) {
      let page = try await ask(first, 1)
      if page.total >= max(known, first), page.rows > 0 { return page }
    } catch { guard case .unframed = error else { throw error } }
  }
  var failure = SourceFailure.unframed("no page of OKKI's list can be read", rows: nil)
  for index in rowsToTry {
    do throws(SourceFailure) {
      let page = try await ask(index, 1)
      if page.total >= known, page.rows > 0 || page.total < index {
        if page.rows > 0 { first = index }
        return page
      }
      failure = .malformed("page \(index) of size 1 of OKKI's list tells \(page.total) rows, and others are there")
    } catch {
      guard case .unframed = error else { throw error }
      known = max(known, index)
      failure = error
    }
  }
  throw failure
}

func anyPage<Page: ListPage>(atLeast known: Int = 0, _ ask: PageQuestion<Page>) async throws(SourceFailure) -> Page {
  var first = 1
  return try await anyPage(atLeast: known, first: &first, ask)
}

extension OrderSource {
  /// How many orders a list has, though its newest one may make its page unreadable.
  public func count(of query: OrderQuery) async throws(SourceFailure) -> Int {
    try await anyPage { index, size throws(SourceFailure) in try await orders(query, page: index, size: size) }.total
  }

  /// Looks whether the list of all customers can be read, whichever of them make their pages unreadable.
  public func checkCustomers() async throws(SourceFailure) {
    let page = try await anyPage { index, size throws(SourceFailure) in
      try await customers(updatedIn: nil, page: index, size: size)
    }
    if page.total > 0, page.rows == 0 { throw .unframed("no row of OKKI's list of customers can be read", rows: nil) }
  }
}

/// How lists are asked for. One row with a stray quote, or one that is larger than all the answer may be, makes its page
/// unreadable, but no other row: the page is read in smaller ones, down to that row alone. It is then a row that cannot be read
/// like others (`park(unreadable:)`, `tell(unreadableCustomers:)`).
extension Poller {
  func count(of slice: OrderQuery) async throws(PollInterruption) -> Int {
    try await fromSource { () async throws(SourceFailure) in try await source.count(of: slice) }
  }

  /// A page of orders.
  /// - Parameter places: whether its unreadable rows are to tell their places, which takes questions.
  func page(
    _ index: Int, of slice: OrderQuery, size: Int, places: Bool = true
  ) async throws(PollInterruption) -> OrderPage {
    let list = List<OrderPage> { [source, pages] index, size throws(SourceFailure) in
      let page = try await source.orders(slice, page: index, size: size)
      pages.increment()
      return page
    } isSound: { [self] now throws(PollInterruption) in
      try await hasReadableOrder(like: slice, until: now)
    } second: { [self] index throws(PollInterruption) in
      try await place(ofRow: index, in: slice).second
    } naming: { [self] index, why, row throws(PollInterruption) in
      if let row, !places || !Self.isBare(row) { return row }
      if !places { return [] }
      let (second, page) = try await place(ofRow: index, in: slice)
      let place = "OKKI's list of \(slice.listName), from \(second) to \(second), page \(page) of size 1"
      return Array("\(place) cannot be taken: \(why)\(row == nil ? "" : ": ")".utf8) + (row ?? [])
    }
    return try await page(index, size: size, list)
  }

  /// A page of customers.
  func customers(
    _ index: Int, of window: TimeWindow?, size: Int = Poller.customersPage
  ) async throws(PollInterruption) -> CustomerPage {
    let list = List<CustomerPage> { [source, pages] index, size throws(SourceFailure) in
      let page = try await source.customers(updatedIn: window, page: index, size: size)
      pages.increment()
      return page
    } isSound: { [self] _ throws(PollInterruption) in
      try await hasReadableRow { index, size throws(SourceFailure) -> CustomerPage in
        try await source.customers(updatedIn: nil, page: index, size: size)
      }
    } second: { _ in
      nil
    } naming: { _, _, row in
      row ?? Self.largeCustomer
    }
    return try await page(index, size: size, list)
  }

  /// Whether any order of a list can be read, of whatever time: else the list has another shape than ever.
  func hasReadableOrder(like slice: OrderQuery, until now: BeijingTime) async throws(PollInterruption) -> Bool {
    guard let all = TimeWindow(from: BeijingTime(epochSeconds: 0), to: now) else { return false }
    return try await hasReadableRow { index, size throws(SourceFailure) -> OrderPage in
      try await source.orders(slice.over(all), page: index, size: size)
    }
  }

  private func hasReadableRow<Page: ListPage>(_ ask: PageQuestion<Page>) async throws(PollInterruption) -> Bool {
    for index in rowsToTry {
      if Task.isShuttingDownGracefully || Task.isCancelled { throw .stopped }
      guard case .page(let page) = try await answer(to: ask, index, 1) else { continue }
      if page.rows == 0 { return false }
      if page.rows > page.unreadable.count { return true }
    }
    return false
  }

  /// With more on a page none of them is passed: each is asked for by itself in each cycle, and is a letter.
  private static let mostBadRows = 100
  /// Customers on a page.
  static let customersPage = 500
  /// What stands for a customer of whom nothing is known but that he is larger than is taken.
  static let largeCustomer = Array("a customer that is larger than is taken".utf8)

  /// What stands for a row: given its number in the list, why it cannot be read, and what is there of it.
  private typealias Naming = (_ index: Int, _ why: String, _ row: [UInt8]?) async throws(PollInterruption) -> [UInt8]

  /// How a list is asked for.
  private struct List<Page: ListPage> {
    let ask: PageQuestion<Page>
    /// Whether any row of all that OKKI has can be read.
    let isSound: (_ now: BeijingTime) async throws(PollInterruption) -> Bool
    /// The time of a row that cannot be read, by its number in the list; nil where nobody can tell.
    let second: (_ index: Int) async throws(PollInterruption) -> BeijingTime?
    let naming: Naming
  }

  /// A page, read whole or in pieces.
  private func page<Page: ListPage>(
    _ index: Int, size: Int, _ list: List<Page>
  ) async throws(PollInterruption) -> Page {
    switch try await answer(to: list.ask, index, size) {
    case .page(let page): return page
    case .unframed(let why, let rows):
      // Before the pieces: its clock is not later than theirs.
      let any = try await fromSource { () async throws(SourceFailure) in
        try await anyPage(atLeast: (index - 1) * size + 1, list.ask)
      }
      var bad: [Int] = []
      return try await pieces(of: index, size: size, Unframed(why: why, rows: rows, any: any), &bad, list)
    }
  }

  /// A page that cannot be read whole.
  private struct Unframed<Page: ListPage> {
    let why: String
    /// What stands where its rows should; nil where nothing of them is there.
    let rows: [UInt8]?
    /// One that can be read.
    let any: Page
  }

  /// Page `index` of a size is pages `(index - 1) * part + 1 ... index * part` of a `part`th of the size.
  ///
  /// From the last to the first, as pages are read: an order that leaves the list meanwhile moves those behind it towards what is still
  /// to be read.
  /// - Parameter bad: the numbers in the list of this page's rows that could not be read, the last one first.
  private func pieces<Page: ListPage>(
    of index: Int, size: Int, _ unframed: Unframed<Page>, _ bad: inout [Int], _ list: List<Page>
  ) async throws(PollInterruption) -> Page {
    let any = unframed.any
    if size <= 1 {
      bad.append(index)
      try await check(bad, unframed, list)
      return any.holding(unreadable: try await list.naming(index, unframed.why, unframed.rows))
    }
    let parts = Self.smallestFactor(of: size)
    let part = size / parts
    var pieces: [Page] = []
    for piece in stride(from: index * parts, to: (index - 1) * parts, by: -1) where (piece - 1) * part < any.total {
      if Task.isShuttingDownGracefully || Task.isCancelled { throw .stopped }
      switch try await answer(to: list.ask, piece, part) {
      case .page(let page): pieces.append(page)
      case .unframed(let why, let rows):
        let inner = Unframed(why: why, rows: rows, any: any)
        pieces.append(try await self.pieces(of: piece, size: part, inner, &bad, list))
      }
    }
    return any.holding(pieces.reversed())
  }

  /// Some bad rows are their own matter, also many of one customer's; where none of the list can be read it has another shape than
  /// ever, and nothing of it may be passed over.
  private func check<Page: ListPage>(
    _ bad: [Int], _ unframed: Unframed<Page>, _ list: List<Page>
  ) async throws(PollInterruption) {
    // At the first one: to search for the places of several takes many questions.
    if bad.count == 1, try await !list.isSound(unframed.any.now) {
      throw .source(.unframed(unframed.why, rows: nil))
    }
    guard bad.count > Self.mostBadRows, let last = bad.first, let first = bad.last else { return }
    var why = "more than \(Self.mostBadRows) rows of a page cannot be read"
    if let from = try await list.second(last), let to = try await list.second(first) {
      why += ", from \(from) to \(to)"
    }
    throw .source(.unframed("\(why): \(unframed.why)", rows: nil))
  }

  private enum Answer<Page: Sendable>: Sendable {
    case page(Page)
    case unframed(String, [UInt8]?)
  }

  private func answer<Page: ListPage>(
    to ask: PageQuestion<Page>, _ index: Int, _ size: Int
  ) async throws(PollInterruption) -> Answer<Page> {
    defer { progress.mark() }
    do throws(SourceFailure) {
      let page = try await ask(index, size)
      hasAnswered(.okki)
      // Only alone does it tell its place.
      if let row = page.bareRow { return .unframed("its row does not tell its order", row) }
      return .page(page)
    } catch {
      guard case .unframed(let why, let rows) = error else { throw .source(error.bare) }
      return .unframed(why, rows)
    }
  }

  /// Says where a row is that does not tell it: in which second, and at which place there. It stays the same from cycle to
  /// cycle, whatever window shows the row, and is what somebody needs to find its order.
  /// - Parameter index: its place in the whole list, from 1.
  private func place(
    ofRow index: Int, in slice: OrderQuery
  ) async throws(PollInterruption) -> (second: BeijingTime, page: Int) {
    let end = slice.window.to
    // The rows before it may be as bad as it is.
    var first = 1
    func count(from second: Int64) async throws(PollInterruption) -> Int {
      guard let window = TimeWindow(from: BeijingTime(epochSeconds: second), to: end) else { return 0 }
      return try await fromSource { () async throws(SourceFailure) in
        try await anyPage(first: &first) { index, size throws(SourceFailure) in
          try await source.orders(slice.over(window), page: index, size: size)
        }.total
      }
    }
    // The latest second from which on there are so many.
    var (low, high) = (slice.window.from.epochSeconds, end.epochSeconds)
    while low < high {
      let middle = high - (high - low) / 2
      if try await count(from: middle) >= index { low = middle } else { high = middle - 1 }
    }
    return (BeijingTime(epochSeconds: low), max(index - (try await count(from: low + 1)), 1))
  }

  private static func smallestFactor(of size: Int) -> Int {
    var factor = 2
    while factor * factor <= size {
      if size % factor == 0 { return factor }
      factor += 1
    }
    return size
  }

  /// Rows of several pages; those that two of them show alike are taken for one.
  fileprivate static func joined(_ pages: [[[UInt8]]]) -> [[UInt8]] {
    var keyed: [Int64: [UInt8]] = [:]
    for page in pages { keyed.merge(Self.keyed(page)) { first, _ in first } }
    return Array(keyed.values)
  }
}

extension OrderPage: ListPage {
  var rows: Int { headlines.count + unreadable.count }
  var bareRow: [UInt8]? { unreadable.first(where: Poller.isBare) }

  func holding(_ pieces: [OrderPage]) -> OrderPage {
    // The first ones were read last.
    var seen: Set<OrderID> = []
    let headlines = pieces.flatMap(\.headlines).filter { seen.insert($0.id).inserted }
    var page = OrderPage(
      total: total, headlines: headlines, now: now,
      unreadable: Poller.joined(pieces.map(\.unreadable)))
    page.isOfPieces = true
    return page
  }

  func holding(unreadable row: [UInt8]) -> OrderPage {
    OrderPage(total: total, headlines: [], now: now, unreadable: [row])
  }
}

extension CustomerPage: ListPage {
  var rows: Int { records.count + unreadable.count }
  var bareRow: [UInt8]? { nil }

  /// Of those that are too large each counts by itself: nothing is known of them.
  func holding(_ pieces: [CustomerPage]) -> CustomerPage {
    let rows = pieces.map { $0.unreadable.filter { $0 != Poller.largeCustomer } }
    let large = pieces.flatMap { $0.unreadable.filter { $0 == Poller.largeCustomer } }
    var page = CustomerPage(
      total: total, records: pieces.flatMap(\.records), now: now, unreadable: Poller.joined(rows) + large)
    page.mostAtOnce = pieces.map { $0.mostAtOnce ?? $0.rows }.max()
    return page
  }

  func holding(unreadable row: [UInt8]) -> CustomerPage {
    CustomerPage(total: total, records: [], now: now, unreadable: [row])
  }
}

extension OrderQuery {
  /// The list in words.
  fileprivate var listName: String {
    switch self {
    case .updated: "orders by their change"
    case .created: "orders by their entry"
    case .removed: "deleted orders by their deletion"
    }
  }
}
