import Orders
import Pipeline
import PipelineTesting
import PostgreSQL
import Testing

@testable import Ledger

@Suite("What a restored ledger may have lost", .timeLimit(.minutes(2)))
struct RestoreLostTests {
  private static let day: Int64 = 86_400
  private static let now: Int64 = 1_780_000_000

  /// A bill of the order, as the ledger has it or as its letter tells it.
  private struct Row {
    var stream = "SO"
    var part = 1
    var parts = 0
    var state = "written"
    var revision: Int64 = 2
  }

  private struct Letter {
    var row: Row?
    var state = "waiting"
    var revision: Int64 = 2

    var stage: String { row == nil ? "transform" : "load" }
    var properties: String {
      guard let row else { return #"{"type":"order","headers":{}}"# }
      return #"{"type":"bill","headers":{"ferry-stream":"\#(row.stream)""#
        + (row.parts > 0 ? #","ferry-part":\#(row.part),"ferry-parts":\#(row.parts)}}"# : "}}")
    }
  }

  private struct Case: CustomTestStringConvertible {
    let testDescription: String
    let isEnded: Bool
    var rows: [Row] = []
    var letters: [Letter] = []
    /// Streams that another order, carried to its end, has bills in.
    var others = ["SO"]

    init(
      _ what: String, isEnded: Bool, _ rows: [Row] = [], letters: [Letter] = [], others: [String] = ["SO"]
    ) {
      testDescription = what
      self.isEnded = isEnded
      (self.rows, self.letters, self.others) = (rows, letters, others)
    }
  }

  private static let cases = [
    Case("no trace", isEnded: false),
    Case("written", isEnded: true, [Row()]),
    Case("written in an older revision", isEnded: false, [Row(revision: 1)]),
    Case("one stream is written, the other is not", isEnded: false, [Row(), Row(stream: "D", state: "clean")]),
    Case("one stream is written, the other is in doubt", isEnded: false, [Row(), Row(stream: "D", state: "in_doubt")]),
    Case("one stream is written, and others have bills in another", isEnded: false, [Row()], others: ["SO", "D"]),
    Case("both streams are written", isEnded: true, [Row(), Row(stream: "D")], others: ["SO", "D"]),
    Case("the second part was not claimed", isEnded: false, [Row(part: 1, parts: 2)]),
    Case("both parts are written", isEnded: true, [Row(part: 1, parts: 2), Row(part: 2, parts: 2)]),
    Case("parked, and its letter not filed", isEnded: false, [Row(state: "parked")]),
    Case("parked, and its letter filed", isEnded: true, [Row(state: "parked")], letters: [Letter(row: Row())]),
    Case(
      "its letter was replayed", isEnded: false, [Row(state: "parked")],
      letters: [Letter(row: Row(), state: "replayed")]),
    Case(
      "its letter is of an older revision", isEnded: false, [Row(state: "parked")],
      letters: [Letter(row: Row(), revision: 1)]),
    Case(
      "one part has a letter, the other is open", isEnded: false,
      [Row(part: 1, parts: 2, state: "parked"), Row(part: 2, parts: 2, state: "clean")],
      letters: [Letter(row: Row(part: 1, parts: 2))]),
    Case(
      "one part has a letter, the other is written", isEnded: true,
      [Row(part: 1, parts: 2, state: "parked"), Row(part: 2, parts: 2)],
      letters: [Letter(row: Row(part: 1, parts: 2), state: "discarded")]),
    Case(
      "one stream has a letter, the other none", isEnded: false, [Row(state: "parked")], letters: [Letter(row: Row())],
      others: ["SO", "D"]),
    Case("held back after it was written", isEnded: true, [Row(revision: 1)], letters: [Letter(row: Row())]),
    Case("the order's own letter", isEnded: true, letters: [Letter()], others: ["SO", "D"]),
    Case("the same, with a bill of before", isEnded: true, [Row(revision: 1)], letters: [Letter()]),
    Case("the same, replayed", isEnded: false, letters: [Letter(state: "replayed")]),
    Case("the same, and a bill of a copy is open", isEnded: false, [Row(state: "clean")], letters: [Letter()]),
  ]

  private func add(_ order: Int64, _ row: Row, to schema: FreshSchema) async throws {
    try await schema.run(
      """
      INSERT INTO order_ledger
        (order_id, stream, part, parts, state, revision, payload_hash, token, due, doubt, object, external_key)
      VALUES (\(order), '\(row.stream)', \(row.part), \(row.parts), '\(row.state)', \(row.revision), 1, 1,
        clock_timestamp(), \(row.state == "in_doubt"), '\(row.stream)', '\(order)-\(row.part)')
      """)
  }

  private func see(_ order: Int64, _ at: Int64, hash: Int64 = 7, in schema: FreshSchema) async throws {
    try await schema.run("INSERT INTO order_revisions VALUES (\(order), 2, \(at), \(hash), true, false)")
  }

  private func poll(_ schema: FreshSchema) async throws {
    try await schema.run(
      "INSERT INTO poll_watermarks (stream, at) VALUES ('orders', \(Self.now)), ('removed', \(Self.now))")
  }

  @Test(
    "an order is searched for unless all its bills are written or among the letters", arguments: cases.indices)
  func orders(index: Int) async throws {
    let one = Self.cases[index]
    try await withSchema { schema, database, _ in
      try await poll(schema)
      try await see(1, Self.now - 20 * Self.day, in: schema)
      try await see(2, Self.now - Self.day, in: schema)
      for row in one.rows { try await add(1, row, to: schema) }
      for stream in one.others { try await add(2, Row(stream: stream), to: schema) }
      for (place, letter) in one.letters.enumerated() {
        try await schema.run(
          """
          INSERT INTO dead_letters
            (fingerprint, stage, reason, sentence, order_id, revision, parked_at, vendor_answer, properties, body, state)
          VALUES ('\(place)', '\(letter.stage)', 'k3_rejected', '', 1, \(letter.revision), 0, '',
            '\(letter.properties)', '', '\(letter.state)')
          """)
      }
      let sweep = try #require(try await LedgerRestore(database).acceptAll())
      #expect(
        sweep.window.from.epochSeconds == Self.now - (one.isEnded ? 7 : 20) * Self.day, "\(one.testDescription)")
      #expect(sweep.window.to.epochSeconds == Self.now)
      #expect(sweep.kind == .backfill && sweep.basis == .update && sweep.state == .running)
    }
  }

  @Test("no further back than 30 days, and nothing where nothing was polled")
  func reach() async throws {
    try await withSchema { schema, database, _ in
      let restore = LedgerRestore(database)
      #expect(try await restore.acceptAll() == nil)
      try await poll(schema)
      try await see(1, Self.now - 40 * Self.day, in: schema)
      #expect(try #require(try await restore.acceptAll()).window.from.epochSeconds == Self.now - 30 * Self.day)
    }
  }

  @Test(
    "deletions are listed again from the oldest that the loader had not done, no further back than 30 days",
    arguments: [
      (age: 20, rows: [String](), recorded: nil, isFiled: false, days: 20),
      (20, [], 2, false, 7),
      (20, [], 1, false, 20),
      (20, ["written"], 2, false, 20),
      (20, ["clean"], 2, false, 7),
      (20, ["written"], 2, true, 7),
      (20, [], nil, true, 7),
      (50, [], nil, false, 30),
    ] as [(age: Int64, rows: [String], recorded: Int64?, isFiled: Bool, days: Int64)])
  func deletions(
    _ given: (age: Int64, rows: [String], recorded: Int64?, isFiled: Bool, days: Int64)
  ) async throws {
    try await withSchema { schema, database, _ in
      try await poll(schema)
      let age = given.age * Self.day
      try await see(1, Self.now - age, hash: FetchedRevision.removalHash, in: schema)
      for state in given.rows { try await add(1, Row(state: state, revision: 1), to: schema) }
      if let revision = given.recorded {
        try await schema.run("INSERT INTO order_removals (order_id, revision) VALUES (1, \(revision))")
      }
      if given.isFiled {
        try await schema.run(
          """
          INSERT INTO dead_letters
            (fingerprint, stage, reason, sentence, order_id, revision, parked_at, vendor_answer, properties, body)
          VALUES ('a', 'load', 'removed_after_written', '', 1, 2, 0, '', '{"type":"removal"}', '')
          """)
      }
      let sweep = try #require(try await LedgerRestore(database).acceptAll())
      #expect(sweep.window.from.epochSeconds == Self.now - 7 * Self.day)
      let watermark = try await PostgresPollLedger(database).watermark(of: .removed)
      #expect(watermark?.epochSeconds == Self.now - given.days * Self.day)
      // They are published again when they are listed.
      let shown = OrderHeadline(id: OrderID(rawValue: 1), updateTime: BeijingTime(epochSeconds: Self.now))
      #expect(try await PostgresPollLedger(database).unremoved(among: [shown]).count == 1)
    }
  }
}
