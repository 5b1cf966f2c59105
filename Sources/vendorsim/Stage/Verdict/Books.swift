import JSON

/// An order of OKKI's book.
struct BookedOrder {
  var id: Int64
  var number: String
  var fate: Fate
  /// It is in the site's status of returned goods.
  var isReturned = false
  /// What its earlier contents, as OKKI showed them, would have become; the newest last.
  var earlier: [BillFacts] = []
}

/// A bill of K/3's book.
struct BookedBill {
  /// The external key as the Save carried it.
  var key: String
  var facts: BillFacts
  /// K/3's object.
  var object = "SO"
  /// How often it was changed after its Save.
  var updates = 0
}

/// Everything that the judge compares.
struct Books {
  var orders: [BookedOrder] = []
  var bills: [BookedBill] = []
  var saves = 0
  var refusedDuplicates = 0
  /// Parked orders by reason, summed over the workers; nil when no worker was asked.
  var parked: [String: Int]?

  /// Reads both servers' books and the workers' counters.
  static func read(okki: String, k3: String, workers: [String]) throws -> Books {
    var books = Books()
    try pages(okki, "/_sim/orders") { page in
      for row in page["orders"].map({ Array($0.elements) }) ?? [] { books.orders.append(try order(row)) }
    }
    try pages(k3, "/_sim/bills") { page in
      books.saves = page["saves"]?.int64.map { Int($0) } ?? 0
      books.refusedDuplicates = page["refused_duplicates"]?.int64.map { Int($0) } ?? 0
      for row in page["bills"].map({ Array($0.elements) }) ?? [] {
        guard let key = row["key"]?.string, let facts = row["bill"].flatMap({ BillFacts($0) }) else {
          throw LinkFailure("K/3's book has an entry that is not a bill")
        }
        books.bills.append(
          BookedBill(
            key: key, facts: facts, object: row["object"]?.string ?? "SO",
            updates: row["updates"]?.int64.map { Int($0) } ?? 0))
      }
    }
    if !workers.isEmpty {
      var sums: [String: Int] = [:]
      for worker in workers {
        let (link, base) = try HTTPLink.open(worker)
        let answer = try link.exchange("GET", base + "/metrics", headers: ["Connection: close"])
        guard answer.status == 200 else { throw LinkFailure("\(worker)/metrics answered \(answer.status)") }
        sums.merge(DeadLetterCounters.read(answer.text)) { $0 + $1 }
      }
      books.parked = sums
    }
    return books
  }

  private static func pages(_ server: String, _ path: String, _ take: (JSONValue) throws -> Void) throws {
    let (link, base) = try HTTPLink.open(server)
    var limits = JSONLimits()
    limits.maxBytes = 256 << 20
    limits.maxValues = 50_000_000
    var from = 0
    let size = 1_000
    while true {
      let answer = try link.exchange("GET", "\(base)\(path)?from=\(from)&count=\(size)")
      guard answer.status == 200, let page = (try? JSONDocument(answer.body, limits: limits))?.root,
        let total = page["total"]?.int64
      else { throw LinkFailure("\(server)\(path) shows no book") }
      try take(page)
      from += size
      if from >= total { return }
    }
  }

  private static func order(_ row: JSONValue) throws -> BookedOrder {
    guard let id = row["id"]?.int64, let number = row["number"]?.string else {
      throw LinkFailure("OKKI's book has an entry that is not an order")
    }
    guard let fate = fate(row) else {
      throw LinkFailure("OKKI's book does not say what must come of order \(number)")
    }
    return BookedOrder(
      id: id, number: number, fate: fate, isReturned: row["returned"]?.bool ?? false,
      earlier: row["earlier"].map { $0.elements.compactMap { BillFacts($0) } } ?? [])
  }

  private static func fate(_ row: JSONValue) -> Fate? {
    switch row["fate"]?.string {
    case "load": row["bill"].flatMap { BillFacts($0) }.map { .load($0) }
    case "park": row["reason"]?.string.flatMap { ParkReason(rawValue: $0) }.map { .park($0) }
    case "removed": .removed
    default: nil
    }
  }
}

/// `ferry_dead_letters_total{stage="…",reason="…"}` in a Prometheus text.
enum DeadLetterCounters {
  static func read(_ text: String) -> [String: Int] {
    var sums: [String: Int] = [:]
    for line in text.split(separator: "\n") where line.hasPrefix("ferry_dead_letters_total{") {
      guard let close = line.lastIndex(of: "}"), let mark = line.range(of: "reason=\"") else { continue }
      let reason = line[mark.upperBound...].prefix { $0 != "\"" }
      let value = line[line.index(after: close)...].split(separator: " ").first.flatMap { Double($0) } ?? 0
      sums[String(reason), default: 0] += Int(value)
    }
    return sums.filter { $0.value != 0 }
  }
}

extension Substring {
  /// The first place of a text in this one.
  fileprivate func range(of wanted: String) -> Range<Index>? {
    var at = startIndex
    while at < endIndex {
      if self[at...].hasPrefix(wanted) { return at..<index(at, offsetBy: wanted.count) }
      at = index(after: at)
    }
    return nil
  }
}
