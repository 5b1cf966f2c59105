import Foundation
import JSON
import Ledger
import Orders
import Pipeline
import PostgreSQL

/// What lookups cost in a collection of many records, in a schema of its own that is removed at the end. Wall-clock times:
/// the server's work counts.
struct LookupBench {
  private static let collection = "materials"
  private let records: Int
  private let collections: PostgresCollections

  static func run(records: Int) async throws {
    guard let url = ProcessInfo.processInfo.environment["FERRY_POSTGRES_URL"] else {
      throw BenchProblem("FERRY_POSTGRES_URL is missing")
    }
    var options = LedgerOptions(url: url)
    options.schema = "bench_\(UInt32.random(in: 0...UInt32.max))"
    let database = try LedgerDatabase(options)
    let result: Result<Void, any Error>
    do {
      _ = try await Migrator(database).migrate()
      let bench = LookupBench(records: records, collections: PostgresCollections(database))
      result = .success(try await bench.run())
    } catch { result = .failure(error) }
    await database.close()
    let client = PostgresClient(PostgresOptions(url: url))
    _ = try await client.run(PostgresStatement("DROP SCHEMA IF EXISTS \"\(options.schema)\" CASCADE"))
    await client.close()
    try result.get()
  }

  private func run() async throws {
    try await fill()
    try await measure("one lookup, cold", rounds: 3_000) { _ in try await expect([key(random)]) }
    try await measure("128 lookups, cold", rounds: 300) { _ in
      try await expect((0..<128).map { _ in key(random) })
    }
    try await measure("one lookup without a record, cold", rounds: 3_000) { round in
      _ = try await collections.find([key(records + round + 1)])
    }
    try await measure("one lookup by two fields, cold", rounds: 3_000) { _ in
      let number = random
      try await expect([
        LookupKey(
          collection: Self.collection,
          conditions: key(number).conditions + [LookupKey.Condition(field: "FTypeID", value: "T\(number % 50)")])
      ])
    }
    try await measure("one $regex, record 1,000 of the collection", rounds: 20) { _ in
      try await expect([query(1_000)])
    }
    try await measure("one $regex, given up", rounds: 3) { _ in _ = try await collections.find([query(0)]) }
    let cached = CachedCollections(collections, clock: clock)
    try await measure("one lookup from the cache, 1,000 in a row", rounds: 300, per: 1_000) { round in
      let key = key(round % 16 + 1)
      for _ in 0..<1_000 { guard try await cached.find([key])[0].record != nil else { throw BenchProblem("missing") } }
    }
    try await change(cached)
  }

  // MARK: The collection

  private func fill() async throws {
    let start = ContinuousClock.now
    let fill = try await collections.filling(Self.collection)
    var bytes = 0
    for first in stride(from: 1, through: records, by: 2_000) {
      let batch = (first..<min(first + 2_000, records + 1)).map { record($0, "PCS") }
      bytes += batch.reduce(0) { $0 + $1.content.count }
      try await fill.add(batch)
    }
    let outcome = try await fill.finish(replaces: true)
    let seconds = Self.seconds(ContinuousClock.now - start)
    print(
      "stored \(outcome.changed) records of 12 fields, \(bytes / records) bytes each, in "
        + String(format: "%.1f s (%.0f a second)", seconds, Double(records) / seconds))
  }

  private func record(_ number: Int, _ unit: String) -> CollectionRecord {
    let text = """
      {"id":\(number),"FItemID":\(number + 1000),"FNumber":"M.\(number)","FName":"示例物料 \(number)","FModel":"\(number % 997)x\(number % 89)",\
      "FTypeID":"T\(number % 50)","FUnitID":"\(unit)","FErpClsID":"1","FForbid":false,"FPrice":\(number % 10_000).50,\
      "parent":{"FNumber":"G\(number % 300)","FName":"组别"},"note":null}
      """
    return CollectionRecord(id: "\(number)", content: Array(text.utf8))
  }

  private var random: Int { Int.random(in: 1...records) }

  private func key(_ number: Int) -> LookupKey {
    LookupKey(
      collection: Self.collection, conditions: [LookupKey.Condition(field: "FNumber", value: "M.\(number)")])
  }

  private func query(_ number: Int) -> LookupKey {
    LookupKey(
      collection: Self.collection, conditions: [],
      filter: .compare(field: "FName", .matches, values: ["料 \(number)$"]))
  }

  private func expect(_ keys: [LookupKey]) async throws {
    for answer in try await collections.find(keys) where answer.record == nil {
      throw BenchProblem("a record was not found")
    }
  }

  // MARK: Measuring

  private func change(_ cached: CachedCollections) async throws {
    var times: [Double] = []
    for round in 1...10 {
      // One that is not remembered yet: it will be for the whole lifetime.
      let (key, unit) = (key(500 + round), "U\(round)")
      _ = try await cached.find([key])
      try await collections.store([record(500 + round, unit)], in: Self.collection)
      let start = ContinuousClock.now
      while try await cached.find([key])[0].record?.root["FUnitID"]?.text != unit {
        try await Task.sleep(for: .milliseconds(1))
      }
      times.append(Self.seconds(ContinuousClock.now - start) * 1000)
    }
    show("a change behind the cache is seen after", times, "ms")
  }

  private func measure(_ name: String, rounds: Int, per: Int = 1, _ body: (Int) async throws -> Void) async throws {
    var times: [Double] = []
    for round in 0..<rounds + rounds / 10 {
      let start = ContinuousClock.now
      try await body(round)
      // The first tenth warms up.
      if round >= rounds / 10 { times.append(Self.seconds(ContinuousClock.now - start) * 1000 / Double(per)) }
    }
    show(name, per > 1 ? times.map { $0 * 1000 } : times, per > 1 ? "µs" : "ms")
  }

  private func show(_ name: String, _ times: [Double], _ unit: String) {
    let sorted = times.sorted()
    let shown = [sorted[0], sorted[sorted.count / 2], sorted[sorted.count * 99 / 100], sorted[sorted.count - 1]]
    let figures = shown.map { String(format: "%9.3f", $0) }.joined(separator: " ")
    print("\(name): \(unit), min median p99 max \(figures) (\(sorted.count) times)")
  }

  private static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
  }

  private var clock: PipelineClock {
    PipelineClock(now: { ContinuousClock.now }, epochMilliseconds: { 0 }, sleep: { try? await Task.sleep(for: $0) })
  }
}

/// Why nothing can be measured.
struct BenchProblem: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
