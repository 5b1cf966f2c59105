import JSON
import Orders
import Pipeline
import PostgreSQL
import Testing

@testable import Ledger

@Suite("Queries that cost much", .timeLimit(.minutes(3)))
struct CollectionLimitTests {
  private func records(_ numbers: ClosedRange<Int>, _ text: (Int) -> String) -> [CollectionRecord] {
    numbers.map { CollectionRecord(id: "\($0)", content: Array(text($0).utf8)) }
  }

  private func answer(_ collections: PostgresCollections, _ key: LookupKey) async throws -> String {
    switch try await collections.find([key])[0] {
    case .found(let record): record.root["id"]?.text ?? "?"
    case .nothing: "nothing"
    case .unanswered(let why): why
    }
  }

  private func query(_ comparison: LookupFilter.Comparison, _ value: String) -> LookupKey {
    LookupKey(collection: "c", conditions: [], filter: .compare(field: "id", comparison, values: [value]))
  }

  @Test("a collection is read in the order of its ids, page by page, to its end")
  func pages() async throws {
    try await withSchema { _, one, _ in
      let collections = PostgresCollections(one)
      try await collections.store(records(1...2_500) { #"{"id":\#($0)}"# }, in: "c")
      try await collections.store(records(1...2_500) { #"{"id":\#(-$0)}"# }, in: "d")
      for number in [1, 99, 100, 101, 2_499, 2_500] {
        #expect(try await answer(collections, query(.notLess, "\(number)")) == "\(number)")
      }
      #expect(try await answer(collections, query(.less, "0")) == "nothing")
    }
  }

  @Test("beyond so many records a query is given up with its reason, and one that is answered before is not")
  func records() async throws {
    try await withSchema { _, one, _ in
      var limits = PostgresCollections.Limits()
      limits.scannedRecords = 150
      let collections = PostgresCollections(one, limits: limits)
      try await collections.store(records(1...150) { #"{"id":\#($0)}"# }, in: "c")
      #expect(try await answer(collections, query(.greater, "149")) == "150")
      #expect(try await answer(collections, query(.greater, "150")) == "nothing")
      try await collections.store(records(151...151) { #"{"id":\#($0)}"# }, in: "c")
      #expect(try await answer(collections, query(.greater, "149")) == "150")
      let sentence = "the query has no equality to look up, and the first 150 records do not answer it"
      #expect(try await answer(collections, query(.greater, "150")) == sentence)
      #expect(try await answer(collections, query(.equal, "151")) == "151")
    }
  }

  @Test("a query that takes too long is given up with its reason")
  func time() async throws {
    try await withSchema { _, one, _ in
      var limits = PostgresCollections.Limits()
      limits.scanTime = .zero
      let collections = PostgresCollections(one, limits: limits)
      try await collections.store(records(1...2) { #"{"id":\#($0)}"# }, in: "c")
      #expect(try await answer(collections, query(.greater, "1")).contains("takes longer than"))
      #expect(try await answer(collections, query(.equal, "2")) == "2")
    }
  }

  @Test("of records with equal fields so many are looked at, in order")
  func candidates() async throws {
    try await withSchema { _, one, _ in
      var limits = PostgresCollections.Limits()
      limits.candidates = 500
      let collections = PostgresCollections(one, limits: limits)
      try await collections.store(records(1...600) { #"{"id":\#($0),"a":"x"}"# }, in: "c")
      func key(_ number: Int) -> LookupKey {
        LookupKey(
          collection: "c", conditions: [LookupKey.Condition(field: "a", value: "x")],
          filter: .compare(field: "id", .notLess, values: ["\(number)"]))
      }
      for number in [1, 4, 5, 256, 257, 500] { #expect(try await answer(collections, key(number)) == "\(number)") }
      #expect(try await answer(collections, key(501)) == "501")
    }
  }

  private func common(_ filter: LookupFilter? = nil) -> LookupKey {
    LookupKey(collection: "c", conditions: [LookupKey.Condition(field: "a", value: "x")], filter: filter)
  }

  @Test("what more records have than can be put in order is looked for in the order of ids, within limits")
  func common() async throws {
    try await withSchema { _, one, _ in
      var limits = PostgresCollections.Limits()
      limits.candidates = 10
      limits.scannedRecords = 60
      let collections = PostgresCollections(one, limits: limits)
      let isCommon = { (number: Int) in number < 41 || number > 70 }
      try await collections.store(records(1...80) { #"{"id":\#($0),"a":"\#(isCommon($0) ? "x" : "y")"}"# }, in: "c")
      #expect(try await answer(collections, common()) == "1")
      #expect(try await answer(collections, common(.compare(field: "id", .notLess, values: ["40"]))) == "40")
      let sentence = "the query's equalities hold for more than 10 records, and the first 60 records do not answer it"
      #expect(try await answer(collections, common(.compare(field: "id", .notLess, values: ["41"]))) == sentence)
      // Without further operators there is always an answer: here behind all that is read in the order of ids.
      limits.scannedRecords = 3
      let hasty = PostgresCollections(one, limits: limits)
      let late = LookupKey(collection: "c", conditions: [LookupKey.Condition(field: "a", value: "y")])
      #expect(try await answer(hasty, late) == "41")
    }
  }

  @Test("the server neither compiles a lookup nor plans it anew")
  func plans() async throws {
    try await withSchema { _, one, _ in
      let rows = try await one.run(
        PostgresStatement("SELECT current_setting('jit'), current_setting('plan_cache_mode')"))
      #expect([rows[0, 0], rows[0, 1]] == ["off", "force_generic_plan"])
    }
  }

  private func equal(_ field: String, _ value: String = "1") -> LookupFilter {
    .compare(field: field, .equal, values: [value])
  }

  @Test("which equalities lead to a query's answer")
  func probes() {
    let some = LookupFilter.compare(field: "s", .greater, values: ["1"])
    let list = LookupFilter.compare(field: "l", .oneOf, values: ["1", "2", "3", "3"])
    let long = LookupFilter.compare(field: "l", .oneOf, values: (1...1_001).map { "\($0)" })
    let rows: [(LookupFilter, [[String]]?)] = [
      (some, nil), (equal("a"), [["a=1"]]), (list, [["l=1"], ["l=2"], ["l=3"]]), (long, nil),
      (.all([some, equal("a"), equal("b")]), [["a=1", "b=1"]]), (.all([some]), nil), (.all([]), nil),
      (.all([list, equal("a")]), [["a=1", "l=1"], ["a=1", "l=2"], ["a=1", "l=3"]]),
      (.all([list, .any([equal("a"), equal("b")])]), [["a=1"], ["b=1"]]), (.all([long, equal("a")]), [["a=1"]]),
      (.any([equal("a"), equal("b")]), [["a=1"], ["b=1"]]), (.any([equal("a"), some]), nil), (.any([]), []),
      (.any([.all([equal("a"), some]), list]), [["a=1"], ["l=1"], ["l=2"], ["l=3"]]),
    ]
    for (filter, expected) in rows {
      let probes = LookupProbes.of(LookupKey(collection: "c", conditions: [], filter: filter))
      let told = probes?.map { $0.map { "\($0.field)=\($0.value)" }.sorted() }.sorted { $0.joined() < $1.joined() }
      #expect(told == expected, "\(filter)")
    }
    let condition = LookupKey.Condition(field: "k", value: "1")
    #expect(LookupProbes.of(LookupKey(collection: "c", conditions: [condition], filter: some)) == [[condition]])
    #expect(LookupProbes.of(LookupKey(collection: "c", conditions: [condition])) == [[condition]])
  }
}
