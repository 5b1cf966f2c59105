internal import Curl
internal import JSON
public import Orders
public import Pipeline

/// OKKI as the poller sees it (vendor-apis.md part B).
///
/// Without `OKKIOptions.rateLedger` make one per installation: it keeps the rate limit, so two of them would ask twice as
/// fast.
public final class OKKIOrderSource: OrderSource {
  let client: OKKIClient

  /// Connects nothing yet.
  /// - Throws: `SetupProblem` when an option is out of its range or the CA file cannot be read.
  public convenience init(_ options: OKKIOptions) throws(SetupProblem) {
    try self.init(options, time: Timekeeper(ContinuousClock()))
  }

  init(_ options: OKKIOptions, time: Timekeeper) throws(SetupProblem) {
    client = try OKKIClient(options, time: time)
  }

  /// Requests that the rate limit lets this process send at once now: with `OKKIOptions.rateLedger` what it has leased and not
  /// used yet. 0 in a pause.
  public var freeRequests: Int { client.freeRequests }

  /// Ends the connections; calls under way end as `.transient`.
  public func close() async { await client.close() }

  /// A page of `order/list` (B.5). Full date-times, because a bare date's meaning is not known.
  public func orders(_ query: OrderQuery, page index: Int, size: Int) async throws(SourceFailure) -> OrderPage {
    let window = query.window
    let path = "/v1/invoices/order/list?\(Self.selection(query))\(Self.range(window))\(Self.paging(index, size))"
    return try await listed(path, keeping: ["order_id", "update_time"]) { answer throws(SourceFailure) in
      try OKKIRecords.orderPage(answer, window: window, page: index, size: size)
    }
  }

  private static func selection(_ query: OrderQuery) -> String {
    switch query {
    case .updated: "time_type=1"
    case .created: "time_type=2"
    case .removed: "time_type=4&removed=1"
    }
  }

  /// `order/info` of each order (B.6), as many at a time as `OKKIOptions.concurrency`.
  public func details(of ids: [OrderID]) async -> [Result<SourceOrder, SourceFailure>] {
    let paths = ids.map { "/v1/invoices/order/info?order_id=\($0)" }
    // The envelope around the order has its own few bytes.
    return await client.ask(paths, maxBytes: client.options.maxOrderBytes + 1024) {
      answer, index throws(SourceFailure) in try OKKIRecords.order(answer, id: ids[index])
    }
  }

  /// A page of `company/list` (B.8).
  public func customers(
    updatedIn window: TimeWindow?, page index: Int, size: Int
  ) async throws(SourceFailure) -> CustomerPage {
    let range = window.map { "&time_type=1\(Self.range($0))" } ?? ""
    return try await listed("/v1/company/list?all=1\(range)\(Self.paging(index, size))", keeping: []) {
      answer throws(SourceFailure) in try OKKIRecords.customerPage(answer, page: index, size: size)
    }
  }

  /// The `now` of an order list that has no orders.
  public func now() async throws(SourceFailure) -> BeijingTime {
    let start = BeijingTime(epochSeconds: 0)
    let nothing =
      "/v1/invoices/order/list?time_type=1&start_time=\(Self.encoded(start))&end_time=\(Self.encoded(start))"
    return try await listed(nothing + Self.paging(1, 1), keeping: [], OKKIRecords.now)
  }

  /// A list has no "no such thing": 404 then means that something is not allowed or not there for now (B.3).
  private func listed<Value: Sendable>(
    _ path: String, keeping names: [String],
    _ read: @escaping @Sendable (OKKIAnswer) throws(SourceFailure) -> Value
  ) async throws(SourceFailure) -> Value {
    do throws(SourceFailure) { return try await client.ask(path, keeping: names, read: read) } catch {
      if error == .absent { throw .transient("OKKI answered a list with code 404") }
      throw error
    }
  }

  private static func range(_ window: TimeWindow) -> String {
    "&start_time=\(encoded(window.from))&end_time=\(encoded(window.to))"
  }

  private static func paging(_ index: Int, _ size: Int) -> String { "&start_index=\(index)&count=\(size)" }

  private static func encoded(_ time: BeijingTime) -> String { percentEncoded(query: time.description) }
}
