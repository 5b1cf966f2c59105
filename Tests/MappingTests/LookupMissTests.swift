import JSON
import Mapping
import Orders
import Testing

@Suite("A lookup that finds nothing, in formulas, with its reason and what mends it (mapping-language.md §6.4)")
struct LookupMissTests {
  private static let lookup = "_findCollection find name from col where id={{b}} _endFind"
  private static let full = key("col", ("id", "5"))
  private static let addRecord =
    "Add the record to the collection, or declare the lookup optional; then replay the order."
  private static let correct = "Correct the formula in the strategy: it has nothing to do with the order's values."

  private func found(
    _ value: String, _ order: String = #"{"b":"5"}"#, _ more: String = "", _ record: String? = nil
  ) throws -> String {
    let records = try record.map { [Self.full: try MappingTests.record($0)] } ?? [:]
    let strategy = try strategy(field("X", value, more))
    let failures = try failures(strategy, order, records)
    if let failure = failures.first {
      #expect(failures.count == 1)
      return "\(failure.code.rawValue): \(failure.sentence)"
    }
    return try data(strategy, order, records)["X"]?.text ?? "–"
  }

  @Test(
    "a formula that makes nothing of it holds the order back, required or not",
    arguments: ["UPPER(\(lookup))", "CONCAT('a',\(lookup))", "\(lookup)*2", "NULLIF(\(lookup),'x')"])
  func formula(formula: String) throws {
    for more in ["", #""is_required":true"#] {
      #expect(try found("_function \(formula)", #"{"b":"5"}"#, more) == "lookup_failed: col has no record by b")
    }
    let customer = #""ferry":{"missing":"customer_unmapped"}"#
    #expect(
      try found("_function \(formula)", #"{"b":"5"}"#, customer) == "customer_unmapped: col has no record by b")
  }

  @Test("what a formula says instead of it stays, and a lookup that was not read has nothing to do with it")
  func instead() throws {
    #expect(try found("_function IFNULL(\(Self.lookup),'–')") == "–")
    #expect(try found("_function IFNULL(\(Self.lookup),'')") == "–")
    #expect(try found("_function CASE \(Self.lookup) WHEN 'x' THEN 1 ELSE 2 END") == "2")
    #expect(try found("_function IF({{c}}='1',\(Self.lookup),NULL)", #"{"b":"5","c":"2"}"#) == "–")
    #expect(
      try found("_function IF({{c}}='1',\(Self.lookup),NULL)", #"{"b":"5","c":"1"}"#)
        == "lookup_failed: col has no record by b")
    // An operand of its own that is empty.
    let more = #""is_required":true"#
    #expect(
      try found("_function CONCAT({{c}},\(Self.lookup))", #"{"b":"5"}"#, more, #"{"name":"n"}"#)
        == "field_missing: c is empty")
    #expect(
      try found("_function {{c}}+IFNULL(\(Self.lookup),0)", #"{"b":"5"}"#, more) == "field_missing: c is empty")
  }

  @Test(
    "a record whose field is an empty text is a lookup in vain as well, however it is wrapped",
    arguments: [
      "\(lookup)", "TRIM(\(lookup))", "UPPER(\(lookup))", "CONCAT(\(lookup),'')", "CONCAT('',\(lookup))",
      "IFNULL(\(lookup),'x')", "\(lookup)*2",
    ])
  func emptyText(formula: String) throws {
    for name in [#""""#, #""  ""#] where name == #""""# || formula.contains("TRIM") || formula.contains("*") {
      let record = #"{"name":\#(name)}"#
      #expect(
        try found("_function \(formula)", #"{"b":"5"}"#, "", record)
          == "lookup_failed: name is empty in the record of col by b")
      #expect(
        try found("_function \(formula)", #"{"b":"5"}"#, #""ferry":{"missing":"customer_unmapped"}"#, record)
          == "customer_unmapped: name is empty in the record of col by b")
      #expect(try found("_function \(formula)", #"{"b":"5"}"#, #""ferry":{"optional":true}"#, record) == "–")
      #expect(
        try found("_function \(formula)", #"{"b":"5"}"#, #""ferry":{"optional":true,"default":"d"}"#, record) == "d")
    }
    // What a formula says of no record stays.
    #expect(try found("_function IF(\(Self.lookup) IS NULL,'','x')") == "–")
    #expect(try found("_function CONCAT(\(Self.lookup),'-')", #"{"b":"5"}"#, "", #"{"name":""}"#) == "-")
  }

  @Test("of fields that share a lookup each is told")
  func shared() throws {
    let both = try strategy(
      [field("X", "_function UPPER(\(Self.lookup))"), field("Y", "_function UPPER(\(Self.lookup))")].joined(
        separator: ","))
    #expect(try failures(both, #"{"b":"5"}"#).map(\.target) == ["X", "Y"])
  }

  @Test("an optional one may find nothing in a formula, too, and takes the default")
  func optional() throws {
    for formula in ["UPPER(\(Self.lookup))", "\(Self.lookup)*2"] {
      #expect(try found("_function \(formula)", #"{"b":"5"}"#, #""ferry":{"optional":true}"#) == "–")
      #expect(try found("_function \(formula)", #"{"b":"5"}"#, #""ferry":{"optional":true,"default":"d"}"#) == "d")
      #expect(
        try found("_function \(formula)", #"{"b":"5"}"#, #""is_required":true,"ferry":{"optional":true}"#)
          == "lookup_failed: col has no record by b")
    }
  }

  @Test(
    "what mends it depends on what lacks: the order's field, the record, or the record's field",
    arguments: [
      (#"{"b":""}"#, nil, "Fill the field in OKKI, or declare the lookup optional."),
      (#"{"b":"5"}"#, nil, addRecord),
      (
        #"{"b":"5"}"#, #"{"name":""}"#,
        "Fill the field in the record of the collection, or declare the lookup optional; then replay the order."
      ),
    ] as [(String, String?, String)])
  func remedy(order: String, record: String?, expected: String) throws {
    let records = try record.map { [Self.full: try MappingTests.record($0)] } ?? [:]
    for value in [Self.lookup.replacing(" _endFind", with: ""), "_function UPPER(NULLIF(\(Self.lookup),''))"] {
      #expect(try failures(strategy(field(value)), order, records).map(\.remedy) == [expected])
    }
  }

  @Test("a formula that is wrong whatever the order has is to be corrected itself, not the order")
  func constants() throws {
    for formula in ["NULL+1", "CAST('12abc' AS SIGNED)", "{{b}}%0", "{{b}}/0"] {
      #expect(try failure("_function \(formula)", #"{"b":"5"}"#).remedy == Self.correct, "\(formula)")
    }
    let nothing = try failure("_function NULL", "{}", #""is_required":true"#)
    #expect(nothing.sentence == "the formula makes nothing, whatever the order has")
    #expect(nothing.remedy == Self.correct)
  }

  @Test("what nobody can ask is not nothing, also under original")
  func unanswered() throws {
    let value = Self.lookup.replacing(" _endFind", with: "")
    let strategy = try strategy(field("X", value, #""ferry":{"original":true}"#))
    let answers = LookupTable([Self.full], answers: [.unanswered("it is away")])
    let order = try parsed(#"{"b":"5"}"#)
    let error = #expect(throws: MappingFailures.self) { try Mapper(strategy).map(order, lookups: answers) }
    #expect(error?.failures.map(\.code) == [.lookupFailed])
    #expect(try data(strategy, #"{"b":"5"}"#)["X"] == nil)
  }
}

@Suite("Lists and objects where a text is wanted")
struct StructureInTextTests {
  private static let order = #"{"o":{"a":1},"l":["x"],"e":[],"m":[["x"]],"b":[true,1,"y"]}"#

  private func sentence(_ value: String, source: String = "{}") throws -> String? {
    let strategy = try strategy(field("X", value), source: source)
    let failures = try failures(strategy, Self.order)
    #expect(failures.allSatisfy { $0.code == .valueInvalid })
    return failures.first?.sentence
  }

  @Test("they fail in a text and in a lookup's key, and say what they are")
  func texts() throws {
    for value in [
      "A{{o}}B", "_findCollection find a from c where id={{o}}", "_findCollection find a from c where id=x{{o}}",
    ] {
      #expect(try sentence(value) == "o should be a single value but is an object")
      #expect(try sentence(value.replacing("{{o}}", with: "{{l}}")) == "l should be a single value but is a list")
    }
    let query = #"_mongoQuery c findField=content.a where={"content.b":"{{o}}"}"#
    #expect(try sentence(query) == "o should be a single value but is an object")
    // OKKI writes nothing as [].
    #expect(try head("A{{e}}B", Self.order)?.text == "AB")
  }

  @Test("they fail in the formats that make a text, which name the field that the order has")
  func formats() throws {
    func source(_ old: String, _ format: String) -> String {
      #"{"formatResponse":[{"old":"\#(old)","new":"n","format":"\#(format)"}]}"#
    }
    let object = "n (made of o) should be a single value but is an object"
    for format in ["string", "longText", "implode"] {
      #expect(try sentence("{{n}}", source: source("o", format)) == object)
    }
    #expect(
      try sentence("{{n}}", source: source("m", "implode"))
        == "an element of n (made of m) should be a single value but is a list")
    #expect(try data(strategy(field("{{n}}"), source: source("b", "implode")), Self.order)["X"]?.text == "true,1,y")
    #expect(
      try failures(strategy(field("{{n}}"), source: source("o", "string")), Self.order).map(\.sources) == [["n", "o"]])
  }
}

@Suite("Slips of who writes formulas")
struct FormulaSlipTests {
  @Test(
    "characters of a Chinese keyboard are named, with what stands there instead",
    arguments: [
      ("ROUND（{{a}},2)", "«（» is a full-width character; an expression has «(» there, at character 7"),
      ("{{a}}＋1", "«＋» is a full-width character; an expression has «+» there, at character 7"),
      ("CONCAT('x'，'y')", "«，» is a full-width character; an expression has «,» there, at character 12"),
      ("IF({{a}}=１,1,2)", "«１» is a full-width character; an expression has «1» there, at character 11"),
      ("CONCAT(“x”)", "«“» is a full-width character; an expression has «'» there, at character 9"),
    ])
  func fullWidth(formula: String, expected: String) {
    #expect(problem("_function \(formula)")?.contains(expected) == true, "\(problem("_function \(formula)") ?? "")")
    // Between quotes and in a field's name it is what it is.
    #expect(problem("_function CONCAT('（＋，','{{单（价）}}')") == nil)
  }

  @Test("a query cannot stand in a formula, and is told so")
  func query() {
    let found = problem(#"_function UPPER(_mongoQuery c findField=content.a where={"content.b":"1"} _endFind)"#)
    #expect(found?.contains("a _mongoQuery cannot stand in a formula; a _findCollection … _endFind can") == true)
  }

  @Test("a function takes 64 arguments, and says so of more")
  func arguments() {
    func call(_ name: String, _ count: Int) -> String {
      "_function \(name)(\(Array(repeating: "'a'", count: count).joined(separator: ",")))"
    }
    #expect(problem(call("CONCAT", 64)) == nil)
    for name in ["CONCAT", "COALESCE", "FIELD"] {
      #expect(problem(call(name, 65))?.contains("\(name) takes at most 64 arguments") == true)
    }
    #expect(problem("_function CONCAT()")?.contains("CONCAT is written CONCAT(x, …)") == true)
  }
}
