import JSON
import Mapping
import Orders
import Testing

@Suite("Fields")
struct FieldTests {
  @Test("types are known in any case of their names and decide how a value is written")
  func types() throws {
    let order = #"{"n":"12.50","b":1,"w":"10.0"}"#
    for (type, value, json) in [
      ("string", "{n}", #""12.50""#), ("String", "{w}", #""10.0""#),
      ("float", "{n}", "12.50"), ("Number", "{n}", "12.50"), ("int", "{w}", "10"), ("INTEGER", "7", "7"),
      ("bool", "{b}", "true"), ("boolean", "false", "false"), ("bool", "True", "true"), ("bool", "0", "false"),
    ] {
      let found = try #require(try head(value, order, type: type))
      #expect(String(decoding: found.rawBytes, as: UTF8.self) == json, "\(type) \(value)")
    }
  }

  @Test(
    "a value that does not fit its type is refused with what it should be",
    arguments: [
      ("int", "10.5", "a number without decimals"), ("int", #""ten""#, "a number"), ("float", "[1]", "a number"),
      ("bool", "2", "a boolean"), ("bool", #""yes""#, "a boolean"), ("string", "[1]", "a text"),
      ("string", #"{"a":1}"#, "a text"),
    ])
  func unfit(type: String, value: String, wanted: String) throws {
    let failure = try failure("{x}", #"{"x":\#(value)}"#, type: type)
    #expect(failure.code == .valueInvalid)
    #expect(failure.sentence.hasPrefix("x should be \(wanted) but is a"))
  }

  @Test("rounded values that are written as numbers stay numbers")
  func roundedNumber() throws {
    let found = try head("_function 2/3", "{}", type: "float", #""ferry":{"decimals":3}"#)
    #expect(found?.numberText == "0.667")
  }

  @Test("an object without any field that has a value is left out")
  func emptyObject() throws {
    let object = #"{"field":"O","type":"object","children":[\#(field("{a}")),\#(field("Y", "{b}"))]}"#
    #expect(try data(strategy(object), "{}")["O"] == nil)
    #expect(try data(strategy(object), #"{"b":1}"#)["O"].map { $0.members.map(\.key) } == ["Y"])
  }

  @Test("a required object without any field fails once, unless a field of it has told why")
  func requiredObject() throws {
    func object(_ child: String) -> String {
      #"{"field":"O","type":"object","is_required":true,"children":[\#(child)]}"#
    }
    let silent = try failures(strategy(object(field("{a}"))), "{}")
    #expect(silent == [MappingFailure(.fieldMissing, target: "O", "O has no fields")])
    let told = try failures(strategy(object(field("X", "{a}", #""is_required":true"#))), "{}")
    #expect(told == [MappingFailure(.fieldMissing, target: "O.X", sources: ["a"], "a is empty")])
  }

  @Test("of a field that stands twice at one level the last one counts, at its own place")
  func duplicates() throws {
    let fields = [field("A", "1"), field("B", "2"), field("A", "3"), field("C", "4"), field("A", "5")]
    let found = try data(strategy(fields.joined(separator: ",")), "{}")
    #expect(found.members.map(\.key) == ["N", "B", "C", "A"])
    #expect(found["A"]?.string == "5")
  }

  @Test("the bill holds the fields in the order of the strategy, under Data, and nothing else")
  func body() throws {
    let fields = field("B", "{x}") + "," + field("A", "é\"\\\u{1}𠮷") + "," + field("C", "{none}")
    let bill = try Mapper(strategy(fields)).map(parsed(#"{"x":"1"}"#), lookups: LookupTable())
    #expect(String(decoding: bill.body, as: UTF8.self) == #"{"Data":{"N":"no-1","B":"1","A":"é\"\\\u0001𠮷"}}"#)
    #expect(bill.object == "SO")
    #expect(bill.number == "no-1")
  }

  @Test("labels, descriptions, parents and parked copies of keys change nothing")
  func ignoredKeys() throws {
    let noise =
      #""id":"other","parent":"x","parent_id":null,"label":"标签","describe":"{{","condition_bk":[1],"parser":null"#
    #expect(try head("1", "{}", noise)?.string == "1")
  }
}

@Suite("Mapping tables")
struct MappingTableTests {
  private func table(_ rest: String = "") -> String {
    #""ferry":{"table":{"CNY":"RMB","":"none","7":"seven"}\#(rest)}"#
  }

  @Test("what is in the table is replaced, the empty text too")
  func hits() throws {
    #expect(try headText("{x}", #"{"x":"CNY"}"#, table()) == "RMB")
    #expect(try headText("{x}", #"{"x":7}"#, table()) == "seven")
    for order in ["{}", #"{"x":""}"#, #"{"x":null}"#, #"{"x":[]}"#] {
      #expect(try headText("{x}", order, table()) == "none")
    }
  }

  @Test("what is not in the table fails, unless the strategy says otherwise")
  func missFails() throws {
    for rest in ["", #","miss":"fail""#] {
      let failure = try failure("{x}", #"{"x":"EUR"}"#, table(rest))
      #expect(failure.code == .valueUnmapped)
      #expect(failure.sentence == "the table has no entry for x, which is a text of 3 characters")
    }
  }

  @Test("with keep it stays as it is, with default it becomes the default")
  func otherPolicies() throws {
    #expect(try headText("{x}", #"{"x":"EUR"}"#, table(#","miss":"keep""#)) == "EUR")
    #expect(try headText("{x}", #"{"x":"EUR"}"#, table(#","miss":"default","default":"USD""#)) == "USD")
    #expect(try headText("{x}", #"{"x":"EUR"}"#, table(#","miss":"default","default":""# + "\"")) == nil)
  }

  @Test("upper and lower case are two entries, and a list is not the empty text")
  func exact() throws {
    #expect(try failure("{x}", #"{"x":"cny"}"#, table()).code == .valueUnmapped)
    #expect(try failure("{x}", #"{"x":{"a":1}}"#, table()).code == .valueUnmapped)
    #expect(try failure("{x}", #"{"x":["CNY"]}"#, table(#","miss":"keep""#)).code == .valueInvalid)
  }

  @Test("a required field counts as empty after the table")
  func requiredAfterTable() throws {
    let rules = #""is_required":true,"ferry":{"table":{"none":""},"miss":"keep"}"#
    #expect(try failure("{x}", #"{"x":"none"}"#, rules).code == .fieldMissing)
  }

  @Test("a field may be the number of its row, of the innermost list")
  func rowNumber() throws {
    let number = #"{"field":"E","type":"int","ferry":{"row":true}}"#
    let rows = array("R", "l", number + "," + array("S", "l.m", number))
    let found = try data(strategy(number + "," + rows), #"{"l":[{"m":[{},{}]},{"m":[{}]}]}"#)
    #expect(
      String(decoding: found.rawBytes, as: UTF8.self)
        == #"{"N":"no-1","E":1,"R":[{"E":1,"S":[{"E":1},{"E":2}]},{"E":2,"S":[{"E":1}]}]}"#)
    #expect(problem("1", #""ferry":{"row":"yes"}"#) == "row is true or false")
    #expect(problem("{x}", #""ferry":{"row":true}"#) == "a field with «row» has no value of its own")
  }
}
