import Foundation
import JSON
import Mapping
import Orders
import Testing

@testable import Workbench

/// The examples beside the shipped strategies.
enum ExampleFiles {
  static let folder = "\(checkout)/deploy/strategies"

  static func shipped() throws -> [String] {
    let strategy = "\(folder)/sales-order"
    return try FileManager.default.contentsOfDirectory(atPath: strategy).sorted()
      .filter { $0.hasSuffix(".example.json") }.map { "\(strategy)/\($0)" }
  }

  static func parts(_ file: String) throws -> (JSONValue, FileCollections, MappingInputs) {
    let root = try Files.json(file).root
    var collections = FileCollections()
    for (name, records) in root["collections"].map({ Array($0.members) }) ?? [] {
      try collections.add(records, as: name, name)
    }
    let now = root["now"]?.string.flatMap { BeijingTime($0) }
    return (try #require(root["order"]), collections, MappingInputs(now: now, randomSeed: 0))
  }
}

@Suite("Examples of a strategy")
struct ExampleTests {
  private static let field = #"{"field":"Q","value":"_function {q}*2","ferry":{"decimals":2}}"#

  private func run(_ example: String, updates: Bool = false) throws -> ExampleRun.Outcome {
    var outcome: ExampleRun.Outcome?
    let files = strategyFiles(Self.field).merging(["s/a.example.json": example]) { $1 }
    try withFolder(files) { folder in
      outcome = try ExampleRun(folder: folder, updates: updates).outcomes.first
      if updates {
        #expect(try ExampleRun(folder: "\(folder)/s", updates: false).isGood)
        let written = try Files.json("\(folder)/s/a.example.json").root
        #expect(written["order"]?["q"]?.numberText == "1.50")
        #expect(written["note"]?.string == "kept")
      }
    }
    return try #require(outcome)
  }

  @Test("an example that says what the strategy does agrees, whatever the order of its members")
  func agrees() throws {
    let document = #"{"Data":{"Page1":[{"Q":"3","FBillNo":"1"}]}}"#
    #expect(try run(#"{"order":{"order_no":"1","q":1.5},"document":\#(document)}"#).differences == [])
    let failures =
      #"[{"code":"value_invalid","target":"Page1[0].Q","sentence":"q should be a number but is a text"}]"#
    #expect(try run(#"{"order":{"order_no":"1","q":"x"},"failures":\#(failures)}"#).differences == [])
  }

  @Test("differences are told field by field")
  func differs() throws {
    let document = #"{"Data":{"Page1":[{"Q":"4","FNote":"n"},{}]}}"#
    #expect(
      try run(#"{"order":{"order_no":"1","q":1.5},"document":\#(document)}"#).differences == [
        #"Data.Page1[0].Q: expected "4", got "3""#, #"Data.Page1[0].FNote: expected "n", got nothing"#,
        #"Data.Page1[0].FBillNo: expected nothing, got "1""#, "Data.Page1: expected 2 rows, got 1",
      ])
    #expect(
      try run(#"{"order":{"order_no":"1","q":1.5},"failures":[]}"#).differences.first?.hasPrefix("expected failures")
        == true)
    #expect(try run(#"{"order":{"q":1.5},"document":{}}"#).differences.first?.hasPrefix("expected a document") == true)
    #expect(try run(#"{"order":{"q":1.5}}"#).differences == ["expects nothing; run with --update"])
    #expect(
      try run(#"{"order":{"q":1.5},"document":{},"failures":[]}"#).differences == [
        "expects both «document» and «failures»; only one can come true"
      ])
  }

  private static let moved =
    #"[{"kind":"moved_date","place":"Page1[0].D","text":"moved from 2024-01-29 to 2024-02-01: closed is all through "#
    + #"2024-01-31"}]"#

  /// An example's differences, and the notes that an update writes.
  private func notes(_ notes: String, day: String = "2024-01-29") throws -> (differences: [String], written: String?) {
    var files = strategyFiles(#"{"field":"D","value":"{day}"}"#)
    files["s/calendar.json"] = #"{"date":"Page1.D","closedThrough":"2024-01-31","closed":"move"}"#
    let bill = #"{"Data":{"Page1":[{"FBillNo":"1","D":"\#(day == "2024-01-29" ? "2024-02-01" : day)"}]}}"#
    files["s/a.example.json"] = #"{"order":{"order_no":"1","day":"\#(day)"},"document":\#(bill)\#(notes)}"#
    var found: (differences: [String], written: String?) = ([], nil)
    try withFolder(files) { folder in
      let example = try StrategyExample(file: "\(folder)/s/a.example.json")
      let strategy = try WorkStrategy(target: "\(folder)/s/target.json")
      let written = try JSONDocument(example.updated(strategy)).root["notes"]
      found = (example.differences(strategy), written.map { String(decoding: $0.rawBytes, as: UTF8.self) })
    }
    return found
  }

  @Test("notes are held against those that an example expects, and written where there are any")
  func notes() throws {
    let written = try #require(try notes("").written)
    #expect(try parsed(written)[0]?["text"]?.string?.hasPrefix("moved from 2024-01-29") == true)
    #expect(try notes("").differences == [])
    #expect(try notes(#","notes":\#(Self.moved)"#).differences == [])
    #expect(try notes(#","notes":[]"#).differences == ["notes: expected 0 rows, got 1"])
    let other = Self.moved.replacing("2024-02-01", with: "2024-02-02")
    #expect(try notes(#","notes":\#(other)"#).differences.first?.hasPrefix("notes[0].text: expected") == true)
    // «No notes» stays said; where nothing was said nothing is written.
    #expect(try notes(#","notes":[]"#, day: "2024-03-01") == ([], "[]"))
    #expect(try notes("", day: "2024-03-01") == ([], nil))
    #expect(try notes(#","notes":\#(Self.moved)"#, day: "2024-03-01").differences == ["notes: expected 1 rows, got 0"])
  }

  @Test("of a strategy that takes orders apart an example expects documents; of one that makes one, it alone will do")
  func documents() throws {
    var files = strategyFiles(Self.field)
    files["s/source.json"] = #"{"id":"order_id","beatFlat":["l"]}"#
    files["s/target.json"] = files["s/target.json"]?.replacing("{q}", with: "{l_q}")
    func run(_ example: String, updates: Bool = false) throws -> [String] {
      var differences: [String] = []
      try withFolder(files.merging(["s/a.example.json": example]) { $1 }) { folder in
        differences = try ExampleRun(folder: folder, updates: updates).outcomes.flatMap(\.differences)
        if updates {
          #expect(try ExampleRun(folder: folder, updates: false).isGood)
          #expect(try Files.json("\(folder)/s/a.example.json").root["documents"]?.count == 2)
          #expect(try Files.json("\(folder)/s/a.example.json").root["document"] == nil)
        }
      }
      return differences
    }
    let order = #""order":{"order_no":"1","l":[{"q":1},{"q":2}]}"#
    func bill(_ number: String, _ quantity: String) -> String {
      #"{"Data":{"Page1":[{"FBillNo":"\#(number)","Q":"\#(quantity)"}]}}"#
    }
    #expect(try run(#"{\#(order),"documents":[\#(bill("1", "2")),\#(bill("1-2", "4"))]}"#) == [])
    #expect(
      try run(#"{\#(order),"documents":[\#(bill("1", "2")),\#(bill("1-2", "5"))]}"#)
        == [#"[1].Data.Page1[0].Q: expected "5", got "4""#])
    #expect(
      try run(#"{\#(order),"documents":[\#(bill("1", "2"))]}"#) == ["the document: expected 1 rows, got 2"])
    #expect(
      try run(#"{\#(order),"document":\#(bill("1", "2"))}"#).first?.hasPrefix("expected a document, got [") == true)
    #expect(try run(#"{\#(order),"document":{}}"#, updates: true).count == 1)
    let one = #""order":{"order_no":"1","l":[{"q":1}]}"#
    #expect(try run(#"{\#(one),"document":\#(bill("1", "2"))}"#) == [])
    #expect(try run(#"{\#(one),"documents":[\#(bill("1", "2"))]}"#) == [])
    let failing =
      #"{"order":{"order_no":"1","l":[{"q":1},{"q":"x"}]},"failures":[{"code":"value_invalid","#
      + #""target":"document 2: Page1[0].Q","sentence":"l_q should be a number but is a text"}]}"#
    #expect(try run(failing) == [])
  }

  @Test("--update writes what the strategy makes, and keeps the rest as it was written")
  func update() throws {
    let outcome = try run(#"{"note":"kept","order":{"order_no":"1","q":1.50},"document":{"old":1}}"#, updates: true)
    #expect(outcome.isUpdated)
    #expect(outcome.differences.count == 2)
  }

  @Test(
    "what is no example is told",
    arguments: [
      (#"{"ordr":{}}"#, "«ordr» is unknown"), ("{}", "has no «order»"), ("[", "is not JSON (line 1)"),
      (#"{"order":{},"now":"soon"}"#, "now is a time"),
      (#"{"order":{},"collections":{"c":5}}"#, "collections.c is not"),
    ])
  func malformed(text: String, sentence: String) throws {
    let files = strategyFiles(Self.field).merging(["s/a.example.json": text]) { $1 }
    try withFolder(files) { folder in
      let error = try #require(throws: UnusableFile.self) { _ = try ExampleRun(folder: folder, updates: false) }
      #expect(error.description.contains(sentence), "\(error)")
    }
  }

  @Test("a folder without examples is told, so that nobody believes in tests that are not there")
  func none() throws {
    try withFolder(strategyFiles(Self.field)) { folder in
      #expect(throws: UnusableFile.self) { _ = try ExampleRun(folder: folder, updates: true) }
    }
  }

  @Test("the shipped strategies do what the examples beside them say")
  func shipped() throws {
    let run = try ExampleRun(folder: ExampleFiles.folder, updates: false)
    #expect(run.outcomes.count >= 10)
    for outcome in run.outcomes { #expect(outcome.differences == [], "\(outcome.file)") }
  }

  @Test("an example may try what a site may change: members laid over the files', fields by their names")
  func overlay() throws {
    let over =
      #""target":{"request":[{"field":"Page1","children":[{"field":"Q","ferry":{"decimals":0}},{"field":"S","value":"9"}]}]}"#
    let document = #"{"Data":{"Page1":[{"FBillNo":"1","Q":"3","S":"9"}]}}"#
    #expect(try run(#"{\#(over),"order":{"order_no":"1","q":1.4},"document":\#(document)}"#).differences == [])
    let refusal =
      #"[{"code":"no_strategy","target":"","sentence":"the strategy's condition does not take the order"}]"#
    let condition = #""source":{"condition":[[{"field":"q","logic":"gt","value":"2"}]]}"#
    #expect(try run(#"{\#(condition),"order":{"order_no":"1","q":1.4},"failures":\#(refusal)}"#).differences == [])
    let written = try run(
      #"{"note":"kept",\#(over),"order":{"order_no":"1","q":1.50},"document":{}}"#, updates: true)
    #expect(written.isUpdated)
    #expect(throws: UnusableFile.self) { try run(#"{"target":[],"order":{}}"#) }
    #expect(throws: StrategyProblems.self) { try run(#"{"target":{"ferry":{"keys":1}},"order":{}}"#) }
  }
}
