import JSON
import Mapping
import Orders
import Testing

@testable import Workbench

@Suite("A mapping explains itself")
struct ExplanationTests {
  private func explained(_ fields: String, _ order: String) throws -> Explanation {
    var result: Explanation?
    try withFolder(strategyFiles(fields)) { folder in
      var collections = FileCollections()
      try collections.add(parsed(#"[{"id":5,"code":"C5"}]"#), as: "customers", "customers")
      result = try WorkStrategy(target: "\(folder)/s/target.json").explain(
        parsed(order), collections: collections, inputs: MappingInputs(now: BeijingTime("2024-02-28 23:30:00")))
    }
    return try #require(result)
  }

  private func account(_ value: String, _ order: String, _ more: String = "") throws -> ExplainedField {
    let field = #"{"field":"X","value":"\#(value)"\#(more)}"#
    return try #require(try explained(field, #"{"order_no":"1",\#(order)}"#).fields.first { $0.target == "Page1[0].X" })
  }

  @Test("a formula tells what went in, each part in order, and what the rules made of it")
  func formula() throws {
    let account = try account("_function ({a}+1)/{b}", #""a":"9","b":3"#, #","ferry":{"decimals":2}"#)
    #expect(account.rule == "_function ({a}+1)/{b}")
    #expect(account.inputs.map { "\($0.name) \($0.value ?? "-")" } == [#"a "9""#, "b 3"])
    #expect(
      account.steps.map { "\($0.name) → \($0.value ?? "-")" } == [
        "{a}+1 → 10", "({a}+1)/{b} → 3.333333333333333333333333", #"with 2 decimals → "3.33""#,
      ])
    #expect(account.result == #""3.33""#)
    #expect(account.failure == nil)
  }

  @Test("a failure stands at its field, with the parts before it")
  func failure() throws {
    let account = try account("_function ({a}+1)/({b}-3)", #""a":"9","b":3"#)
    #expect(account.steps.map(\.name) == ["{a}+1", "{b}-3"])
    #expect(account.failure?.code == .divisionByZero)
    #expect(account.result == nil)
  }

  @Test(
    "a collection whose file is not in the folder is unknown, not empty: no default steps in, and the file is named")
  func missingFile() throws {
    let lookup = #"_findCollection find code from units where id={c}"#
    let field = #"{"field":"X","value":"\#(lookup)","ferry":{"optional":true,"default":"S01"}}"#
    var files = strategyFiles(field)
    files["records/customers.json"] = "[]"
    for (units, expected) in [(nil, nil), ("[]", "S01"), (#"[{"id":5,"code":"S05"}]"#, "S05")] as [(String?, String?)] {
      files["records/units.json"] = units
      try withFolder(files) { folder in
        let explanation = try WorkStrategy(target: "\(folder)/s/target.json").explain(
          parsed(#"{"order_no":"1","c":5}"#), collections: FileCollections(folder: "\(folder)/records"),
          inputs: MappingInputs())
        switch explanation.documents {
        case .success(let documents):
          let body = try JSONDocument(#require(documents.first)).root
          #expect(body["Data"]?["Page1"]?[0]?["X"]?.text == expected)
        case .failure(let failures):
          #expect(expected == nil)
          let failure = try #require(failures.failures.first)
          #expect(failure.code == .lookupFailed)
          #expect(failure.sentence.contains("/records has no file units.json"))
          #expect(failure.remedy.hasPrefix("See that the collection can be asked"))
        }
      }
    }
  }

  @Test(
    "a lookup tells its question and its record; a table what it made; a literal itself; nothing that it is left out")
  func forms() throws {
    let lookup = try account("_findCollection find code from customers where id={c}", #""c":"5""#)
    #expect(lookup.steps.map { "\($0.name) → \($0.value ?? "-")" } == [#"customers where id=5: a record, code → "C5""#])
    #expect(lookup.result == #""C5""#)
    let missing = try account("_findCollection find code from customers where id={c}", #""c":"6""#)
    #expect(missing.steps.map(\.name) == ["customers where id=6: no record, code"])
    #expect(missing.failure?.code == .lookupFailed)
    let table = try account("{c}", #""c":"kg""#, #","ferry":{"table":{"kg":"S05"}}"#)
    #expect(table.steps.map { "\($0.name) → \($0.value ?? "-")" } == [#"by its table → "S05""#])
    #expect(try account("MTS", #""c":1"#).result == #""MTS""#)
    #expect(try account("{none}", #""c":1"#).result == nil)
  }

  @Test("the default of a lookup is a step of its own")
  func defaultOfLookup() throws {
    for value in [
      "_findCollection find a from c where k={x}",
      "_function UPPER(_findCollection find a from c where k={x} _endFind)",
    ] {
      let own = try account(value, #""x":"""#, #","ferry":{"optional":true,"default":"S01"}"#)
      #expect(own.steps.last?.name == "its default", "\(value)")
      #expect(own.steps.last?.value == #""S01""#)
      #expect(own.result == #""S01""#)
    }
  }

  @Test("rows are explained one by one, and the text names every field")
  func rows() throws {
    let rows = #"{"field":"R","type":"array","value":"l","children":[{"field":"Q","value":"{{l.q}}"}]}"#
    let explanation = try explained(rows, #"{"order_no":"1","l":[{"q":1},{"q":"2"}]}"#)
    #expect(explanation.fields.map(\.target) == ["Page1[0].FBillNo", "Page1[0].R[0].Q", "Page1[0].R[1].Q"])
    let text = explanation.text
    #expect(text.contains("Page1[0].R[1].Q\n  rule    {{l.q}}\n  read    l.q = \"2\"\n  gives   \"2\"\n"))
  }

  @Test("what was done to the document besides its fields stands at the end")
  func notes() throws {
    var files = strategyFiles(#"{"field":"Fdate","value":"{day}"}"#)
    files["s/calendar.json"] = #"{"date":"Page1.Fdate","closedThrough":"2024-01-31","closed":"move"}"#
    try withFolder(files) { folder in
      let work = try WorkStrategy(target: "\(folder)/s/target.json")
      let order = try parsed(#"{"order_no":"1","day":"2024-01-29"}"#)
      let explanation = work.explain(order, collections: FileCollections(), inputs: MappingInputs())
      #expect(explanation.notes.map(\.kind) == [.movedDate])
      // The field is told as it was mapped, the note what became of it.
      #expect(explanation.fields.last?.result == #""2024-01-29""#)
      let note = "moved from 2024-01-29 to 2024-02-01: closed is all through 2024-01-31"
      #expect(explanation.text.hasSuffix("Page1[0].Fdate\n  NOTE    moved_date: \(note)\n"))
    }
  }

  @Test("what the source's condition or the rules do to the lines is done before, and a refused order is told")
  func selection() throws {
    let rows = #"{"field":"R","type":"array","value":"l","children":[{"field":"Q","value":"{{l.q}}"}]}"#
    var files = strategyFiles(rows)
    files["s/source.json"] =
      #"{"condition":[[{"field":"s","logic":"eq","value":"1"},{"field":"l.q","logic":"gt","value":"1"}]]}"#
    try withFolder(files) { folder in
      let work = try WorkStrategy(target: "\(folder)/s/target.json")
      func fields(_ order: String) throws -> [String] {
        let explanation = work.explain(try parsed(order), collections: FileCollections(), inputs: MappingInputs())
        if case .failure(let failures) = explanation.result { return failures.failures.map(\.code.rawValue) }
        return explanation.fields.map { "\($0.target)=\($0.result ?? "-")" }
      }
      #expect(
        try fields(#"{"order_no":"1","s":1,"l":[{"q":1},{"q":2}]}"#) == [
          #"Page1[0].FBillNo="1""#, #"Page1[0].R[0].Q="2""#,
        ])
      #expect(try fields(#"{"order_no":"1","s":2,"l":[]}"#) == ["no_strategy"])
    }
  }

  @Test("each document of an order that is taken apart is explained, of K/3's bills as of another platform's")
  func documents() throws {
    var files = strategyFiles(#"{"field":"Q","value":"_findCollection find q from stock where no={{l_no}}"}"#)
    files["s/source.json"] = #"{"condition":[[{"field":"s","logic":"eq","value":"1"}]],"beatFlat":["l"]}"#
    files["t/source.json"] = files["s/source.json"]
    files["t/target.json"] = files["s/target.json"]?.replacing("/SO/Save", with: "batchSave")
    try withFolder(files) { folder in
      for (strategy, second) in [("s", "1-2"), ("t", "1")] {
        let work = try WorkStrategy(target: "\(folder)/\(strategy)/target.json")
        var collections = FileCollections()
        try collections.add(parsed(#"[{"no":"a","q":7},{"no":"b","q":8}]"#), as: "stock", "stock")
        let order = try parsed(#"{"s":1,"order_no":"1","l":[{"no":"a"},{"no":"b"}]}"#)
        let explanation = work.explain(order, collections: collections, inputs: MappingInputs())
        let bodies = try explanation.documents.get().map { try JSONDocument($0).root }
        let pages = bodies.map { ($0["Data"] ?? $0)["Page1"]?[0] }
        #expect(pages.map { $0?["Q"]?.text } == ["7", "8"])
        #expect(pages.map { $0?["FBillNo"]?.text } == ["1", second])
        #expect(
          explanation.fields.map(\.target) == [
            "document 1: Page1[0].FBillNo", "document 1: Page1[0].Q",
            "document 2: Page1[0].FBillNo", "document 2: Page1[0].Q",
          ])
        let refused = work.explain(
          try parsed(#"{"s":2,"l":[]}"#), collections: collections, inputs: MappingInputs())
        guard case .failure(let failures) = refused.documents else {
          Issue.record("taken")
          continue
        }
        #expect(failures.failures.map(\.code) == [.noStrategy])
      }
    }
  }

  @Test("an order that cannot be taken apart is told")
  func apart() throws {
    var files = strategyFiles(#"{"field":"Q","value":"{{l.q}}"}"#)
    files["s/source.json"] = #"{"operation":{"method":"splitArray","arrayKey":"l"}}"#
    try withFolder(files) { folder in
      let work = try WorkStrategy(target: "\(folder)/s/target.json")
      let explanation = work.explain(try parsed("{}"), collections: FileCollections(), inputs: MappingInputs())
      #expect(throws: MappingFailures.self) { try explanation.documents.get() }
    }
  }

  @Test(
    "a target is for K/3 by its api, however that is written, and for another platform otherwise",
    arguments: [
      ("\"/SO/Save\"", "", true), ("\"SO/Save\"", "", true), ("\"SO/Save\"", #","metadata":null"#, true),
      ("\"/SO/Query\"", "", false), ("\"/a/SO/Save\"", "", false), ("null", "", false),
    ])
  func kinds(api: String, more: String, isBill: Bool) {
    let text = #"{"api":\#(api),"request":[{"field":"N","value":"1"}]\#(more)}"#
    #expect(WorkStrategy.isBill(Array(text.utf8)) == isBill)
  }

  @Test("an explained mapping makes the same bytes as one that is not")
  func same() throws {
    let target = "\(checkout)/deploy/strategies/sales-order/target.json"
    let work = try WorkStrategy(target: target)
    guard case .bill(let strategy) = work else {
      Issue.record("the shipped strategy makes bills")
      return
    }
    for example in try ExampleFiles.shipped() {
      let (order, collections, inputs) = try ExampleFiles.parts(example)
      let mapper = Mapper(strategy)
      let selected: JSONValue
      // What cannot even be selected is told before it is mapped.
      guard let selection = try? mapper.selection(of: order) else { continue }
      switch selection {
      case .changed(let documents): selected = documents[0].root
      case .refused: continue
      default: selected = order
      }
      let table = collections.answers(to: mapper.lookups(of: selected, inputs: inputs))
      let plain: Result<[UInt8], MappingFailures>
      do throws(MappingFailures) {
        plain = .success(try mapper.map(selected, lookups: table, inputs: inputs).body)
      } catch { plain = .failure(error) }
      switch (plain, work.explain(order, collections: collections, inputs: inputs).result) {
      case (.success(let one), .success(let other)): #expect(one == other)
      case (.failure(let one), .failure(let other)): #expect(one.failures == other.failures)
      default: Issue.record("\(example): explained otherwise than mapped")
      }
    }
  }
}
