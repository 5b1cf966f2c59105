import Ledger
import Orders
import Pipeline
import PostgreSQL
import Testing

@Suite("What is published again", .timeLimit(.minutes(2)))
struct RepublishingTests {
  /// A message as the archive has it; of a bill with its stream, those beside it, and its place.
  private enum Message {
    case order, removal, unread
    case bill(_ stream: String, beside: [String]?, made: [String]? = nil, part: Int = 1, of: Int = 0)

    var stage: StageName { if case .order = self { .transform } else { .load } }

    var properties: String {
      switch self {
      case .order: #"{"type":"order","headers":{"ferry-order-number":"订单"}}"#
      case .removal: #"{"type":"removal","headers":{}}"#
      case .unread: #"{"type":"bill","headers":{"ferry-stream":"SO\u0000","ferry-beside":""}}"#
      case .bill(let stream, let beside, let made, let part, let parts):
        #"{"type":"bill","headers":{"ferry-stream":"\#(stream)""#
          + (beside.map { #","ferry-beside":"\#($0.joined(separator: ","))""# } ?? "")
          + (made.map { #","ferry-made":"\#($0.joined(separator: ","))""# } ?? "")
          + (parts > 0 ? #","ferry-part":\#(part),"ferry-parts":\#(parts)"# : "") + "}}"
      }
    }
  }

  private struct Case {
    let what: String
    let isLeftOut: Bool
    var discarded: [Message] = []
    var waiting: [Message] = []
    var replayed: [Message] = []
    /// Stream, part and cut of bills in the ledger.
    var written: [(String, Int, Int)] = []
    /// The same of the revision before.
    var older: [(String, Int, Int)] = []
    var revision: Int64 = 2
    var claimed = false
  }

  private static let cases = [
    Case(what: "no letter", isLeftOut: false),
    Case(what: "the order's only letter", isLeftOut: true, discarded: [.order]),
    Case(what: "the only bill's letter", isLeftOut: true, discarded: [.bill("SO", beside: [])]),
    Case(what: "two copies of it", isLeftOut: true, discarded: [.bill("SO", beside: []), .bill("SO", beside: ["SO"])]),
    Case(what: "a deletion's", isLeftOut: true, discarded: [.removal]),
    Case(what: "of an older revision", isLeftOut: false, discarded: [.order], revision: 1),
    Case(what: "of a newer one than is published", isLeftOut: false, discarded: [.order], revision: 3),
    Case(
      what: "a copy of the order was claimed, so that a bill may be lost", isLeftOut: false, discarded: [.order],
      claimed: true),
    Case(what: "one waits", isLeftOut: false, discarded: [.order], waiting: [.bill("SO", beside: [])]),
    Case(
      what: "a copy was sent again", isLeftOut: false, discarded: [.bill("SO", beside: [])],
      replayed: [.bill("SO", beside: [])]),
    Case(what: "the bill of another stream is lost", isLeftOut: false, discarded: [.bill("SO", beside: ["SO", "D"])]),
    Case(
      what: "the bill of another stream is written", isLeftOut: true, discarded: [.bill("SO", beside: ["SO", "D"])],
      written: [("D", 1, 0)]),
    Case(
      what: "the bill of another stream is discarded too", isLeftOut: true,
      discarded: [.bill("SO", beside: ["D"]), .bill("D", beside: ["SO"])]),
    Case(
      what: "one of the other stream's two bills is lost", isLeftOut: false, discarded: [.bill("SO", beside: ["D"])],
      written: [("D", 1, 2)]),
    Case(
      what: "the second of two parts is lost", isLeftOut: false, discarded: [.bill("SO", beside: [], part: 1, of: 2)]),
    Case(
      what: "the second of two parts is written", isLeftOut: true,
      discarded: [.bill("SO", beside: [], part: 1, of: 2)], written: [("SO", 2, 2)]),
    Case(
      what: "the bill that it follows is of an older revision, and this one has none in that stream", isLeftOut: true,
      discarded: [.bill("R", beside: ["SO"], made: [])], older: [("SO", 1, 0)]),
    Case(
      what: "that stream's bill of this revision is lost, and an older one's is there", isLeftOut: false,
      discarded: [.bill("R", beside: ["SO"], made: ["SO"])], older: [("SO", 1, 0)]),
    Case(
      what: "that stream's bill of this revision is written", isLeftOut: true,
      discarded: [.bill("R", beside: ["SO"], made: ["SO"])], written: [("SO", 1, 0)]),
    Case(
      what: "it follows one stream, and another one's bill is lost", isLeftOut: false,
      discarded: [.bill("R", beside: ["D", "SO"], made: ["D"])], older: [("SO", 1, 0)]),
    Case(
      what: "its own second part is lost, beside the bill that it follows", isLeftOut: false,
      discarded: [.bill("R", beside: ["SO"], made: [], part: 1, of: 2)], written: [("SO", 1, 0)]),
    Case(
      what: "an older program's message does not tell whether there is one of this revision", isLeftOut: false,
      discarded: [.bill("R", beside: ["SO"])], older: [("SO", 1, 0)]),
    Case(
      what: "nor does one of two copies", isLeftOut: false,
      discarded: [.bill("R", beside: ["SO"], made: []), .bill("R", beside: ["SO"])], older: [("SO", 1, 0)]),
    Case(what: "it does not tell its streams", isLeftOut: false, discarded: [.bill("SO", beside: nil)]),
    Case(what: "it cannot be read", isLeftOut: false, discarded: [.unread]),
  ]

  @Test("all that was lost, but for orders of which every letter is discarded and nothing else can be missing")
  func discarded() async throws {
    try await withSchema { schema, one, other in
      let (sweeps, archive) = (PostgresPollLedger(one), PostgresDeadLetters(other))
      var letters: [DeadLetter] = []
      var states: [FiledLetter.State] = []
      for (index, item) in Self.cases.enumerated() {
        let id = index + 1
        try await schema.run("INSERT INTO order_revisions VALUES (\(id), 2, 150, 5, true, false)")
        let bills = item.written + (item.claimed ? [("SO", 1, 2)] : [])
        for (bill, revision) in bills.map({ ($0, 2) }) + item.older.map({ ($0, 1) }) {
          let (stream, part, parts) = bill
          try await schema.run(
            """
            INSERT INTO order_ledger (
              order_id, stream, part, parts, state, revision, payload_hash, token, due, doubt, object, external_key)
            VALUES (\(id), '\(stream)', \(part), \(parts), 'written', \(revision), 1, 1, now(), false, '\(stream)', '\(id)-\(part)')
            """)
        }
        let all = [
          (item.discarded, FiledLetter.State.discarded), (item.waiting, .waiting), (item.replayed, .replayed),
        ]
        for (messages, state) in all {
          for message in messages {
            var letter = DeadLetter(
              stage: message.stage, reason: "k3_rejected", sentence: "no", parkedAt: 1, properties: message.properties,
              body: [UInt8(letters.count)])
            (letter.orderID, letter.revision) = (OrderID(rawValue: Int64(id)), item.revision)
            letters.append(letter)
            states.append(state)
          }
        }
      }
      #expect(try await archive.file(letters).new == letters.count)
      let filed = try await archive.letters(LetterFilter(), after: 0, limit: 100, withBodies: true)
      for state in [FiledLetter.State.discarded, .replayed] {
        let meant = filed.filter { states[Int($0.letter.body[0])] == state }.map(\.id)
        #expect(try await archive.mark(meant, state, by: "ann").count == meant.count)
      }
      let window = try #require(
        TimeWindow(from: BeijingTime(epochSeconds: 100), to: BeijingTime(epochSeconds: 200)))
      _ = try await sweeps.startRepublishing(window)
      let client = schema.client()
      let rows = try await client.run(
        PostgresStatement("SELECT order_id FROM order_revisions WHERE published ORDER BY order_id"))
      await client.close()
      let leftOut = Set((0..<rows.count).compactMap { rows.int($0, 0) })
      for (index, item) in Self.cases.enumerated() {
        #expect(leftOut.contains(Int64(index + 1)) == item.isLeftOut, "\(item.what)")
      }
    }
  }
}
