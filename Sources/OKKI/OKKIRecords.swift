internal import JSON
internal import Orders
internal import Pipeline

/// Takes orders and customers out of answers. Types are dirty: ids come as number or string, counts as number or text,
/// dates with or without a time (vendor-apis.md B.11).
enum OKKIRecords {
  /// A page of `order/list` (B.5.2).
  static func orderPage(
    _ answer: OKKIAnswer, window: TimeWindow, page: Int, size: Int
  ) throws(SourceFailure) -> OrderPage {
    let (total, rows, now) = try list(answer, totals: ["count"])
    // A page shorter than it must be is a page size that the vendor has cut down silently (B.5.1 [B-5]), or rows that
    // it kept back: with the pages counted wrongly, orders would be skipped.
    let expected = min(size, total - before(page, size))
    guard rows.count >= expected else {
      if !answer.unreadable.isEmpty { throw .unframed(swallowed, rows: nil) }
      throw .malformed("page \(page) of OKKI's order list holds \(rows.count) rows where its count wants \(expected)")
    }
    var headlines: [OrderHeadline] = []
    headlines.reserveCapacity(rows.count)
    var unreadable: [[UInt8]] = []
    for (place, row) in rows.enumerated() {
      guard let id = row["order_id"]?.text.flatMap({ OrderID($0) }) else {
        unreadable.append(answer.unreadable[place] ?? Array(row.rawBytes))
        continue
      }
      // Without a readable time the order counts as changed at the window's end: it is fetched once more than needed
      // rather than never.
      let time = row["update_time"]?.string.flatMap { BeijingTime($0) } ?? window.to
      headlines.append(OrderHeadline(id: id, updateTime: time))
    }
    return OrderPage(total: total, headlines: headlines, now: now, unreadable: unreadable)
  }

  /// Two rows with a stray quote each look like one, with all that stands between them.
  private static let swallowed = "OKKI's list holds fewer rows than its count wants, and some of them are no JSON"

  /// A page of `company/list` (B.8).
  static func customerPage(_ answer: OKKIAnswer, page: Int, size: Int) throws(SourceFailure) -> CustomerPage {
    let (total, rows, now) = try list(answer, totals: ["totalItem", "count"])
    // Customers are read until all are shown, by pages of as many as come, so a shorter page is no fault; an empty one is.
    // One that OKKI keeps back may be the only one of a page of one row.
    guard !rows.isEmpty || before(page, size) >= total || (size == 1 && page > 1) else {
      throw .malformed("page \(page) of OKKI's customer list is empty, of \(total) customers")
    }
    // Not by the number of rows: OKKI may have cut the page.
    if size > 1, answer.unreadable.values.contains(where: isOfSeveralCustomers) {
      throw .unframed("OKKI's list has a row that is no JSON and looks like several", rows: nil)
    }
    var records: [CollectionRecord] = []
    records.reserveCapacity(rows.count)
    var unreadable: [[UInt8]] = []
    for (place, row) in rows.enumerated() {
      let came = answer.unreadable[place]
      guard came == nil, let id = row["company_id"]?.text, !id.isEmpty else {
        unreadable.append(came ?? Array(row.rawBytes))
        continue
      }
      records.append(CollectionRecord(id: id, content: Array(row.rawBytes)))
    }
    return CustomerPage(total: total, records: records, now: now, unreadable: unreadable)
  }

  private static func isOfSeveralCustomers(_ row: [UInt8]) -> Bool {
    row.ranges(of: Array(#""company_id""#.utf8)).count > 1
  }

  /// The order in an answer of `order/info` (B.6).
  static func order(_ answer: OKKIAnswer, id: OrderID) throws(SourceFailure) -> SourceOrder {
    guard let data = answer.data, data.kind == .object else {
      throw .malformed("OKKI's answer for order \(id) holds \(answer.data?.kind.rawValue ?? "nothing"), not an object")
    }
    guard let shown = data["order_id"]?.text.flatMap({ OrderID($0) }), shown == id else {
      throw .malformed("OKKI's answer for order \(id) is not of that order")
    }
    guard let time = data["update_time"]?.string.flatMap({ BeijingTime($0) }) else {
      throw .malformed("order \(id) has no readable update_time")
    }
    return SourceOrder(
      id: id, number: data["order_no"]?.text ?? "", updateTime: time, content: Array(data.rawBytes))
  }

  /// The vendor's clock in an answer.
  static func now(_ answer: OKKIAnswer) throws(SourceFailure) -> BeijingTime {
    guard let now = answer.now else { throw .malformed("OKKI's answer does not tell its time") }
    return now
  }

  /// Total, rows and clock of a list.
  ///
  /// An answer that is not plainly a list is malformed, not empty: an empty page moves the watermark on. The one
  /// exception is `[]`, PHP's way of writing an object without members.
  private static func list(
    _ answer: OKKIAnswer, totals: [String]
  ) throws(SourceFailure) -> (total: Int, rows: [JSONValue], now: BeijingTime) {
    let now = try self.now(answer)
    guard let data = answer.data, data.kind == .object || (data.kind == .array && data.count == 0) else {
      throw .malformed("OKKI's list answer holds \(answer.data?.kind.rawValue ?? "nothing"), not a list")
    }
    if data.kind == .array { return (0, [], now) }
    guard let total = totals.lazy.compactMap({ data[$0]?.text.flatMap { Int($0) } }).first, total >= 0 else {
      throw .malformed("OKKI's list answer has no count")
    }
    let list = data["list"]
    guard list == nil || list?.isNull == true || list?.kind == .array else {
      throw .malformed("OKKI's list answer has a list that is no array")
    }
    let rows = list.map { Array($0.elements) } ?? []
    return (total, rows, now)
  }

  /// How many rows stand on the pages before this one.
  private static func before(_ page: Int, _ size: Int) -> Int {
    let product = (page - 1).multipliedReportingOverflow(by: size)
    return product.overflow ? Int.max : product.partialValue
  }
}
