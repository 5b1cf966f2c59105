import JSON
import Mapping
import Orders
import Testing

@Suite("Lookups")
struct LookupTests {
  static let value = "_findCollection find serial_id from customers where company_id={new_customerid}"
  static let byID = key("customers", ("company_id", "3448551934"))

  @Test("the questions of an order are asked beforehand, once for each row")
  func questions() throws {
    let rows =
      #"{"field":"Rows","type":"array","value":"lines","children":[{"field":"O","type":"object","children":["#
      + field("_findCollection find unit from materials where no={{lines.no}} site={site}") + "]}]}"
    let both = try strategy(field(Self.value) + "," + rows)
    let order = #"{"new_customerid":3448551934,"site":"S","lines":[{"no":"a"},{"no":7},{"no":""},{}]}"#
    #expect(
      try Mapper(both).lookups(of: parsed(order)) == [
        Self.byID, key("materials", ("no", "a"), ("site", "S")), key("materials", ("no", "7"), ("site", "S")),
      ])
  }

  @Test("an answer is the record's field, by its name or its path, whatever its type")
  func answers() throws {
    let records = [Self.byID: try record(#"{"serial_id":2023670,"a":{"b":"deep"},"x":null}"#)]
    let order = #"{"new_customerid":"3448551934"}"#
    #expect(try data(strategy(field(Self.value)), order, records)["X"]?.string == "2023670")
    let deep = Self.value.replacing("serial_id", with: "a.b")
    #expect(try data(strategy(field(deep)), order, records)["X"]?.string == "deep")
    // A field that the record does not have is found as little as a record that is not there.
    for name in ["x", "y", "a.c", "serial_id.z"] {
      let value = Self.value.replacing("serial_id", with: name)
      let found = try failures(strategy(field(value)), order, records)
      #expect(found.map(\.code) == [.lookupFailed])
      #expect(found.first?.sentence == "\(name) is empty in the record of customers by new_customerid")
      let optional = field("X", value, #""ferry":{"optional":true}"#)
      #expect(try data(strategy(optional), order, records)["X"] == nil)
    }
  }

  @Test("without a record the order is held back, with the field's own reason when it has one")
  func miss() throws {
    let order = #"{"new_customerid":3448551934}"#
    #expect(
      try failures(strategy(field(Self.value)), order) == [
        MappingFailure(
          .lookupFailed, target: "X", sources: ["new_customerid"], "customers has no record by new_customerid")
      ])
    let required = try strategy(field("X", Self.value, #""ferry":{"missing":"customer_unmapped"}"#))
    #expect(
      try failures(required, order) == [
        MappingFailure(
          .customerUnmapped, target: "X", sources: ["new_customerid"], "customers has no record by new_customerid")
      ])
    let empty = [Self.byID: try record(#"{"serial_id":" "}"#)]
    #expect(
      try failures(required, order, empty) == [
        MappingFailure(
          .customerUnmapped, target: "X", sources: ["new_customerid"],
          "serial_id is empty in the record of customers by new_customerid")
      ])
  }

  @Test(
    "an empty key asks nothing",
    arguments: ["{}", #"{"new_customerid":""}"#, #"{"new_customerid":null}"#, #"{"new_customerid":[]}"#])
  func emptyKey(order: String) throws {
    let required = try strategy(field("X", Self.value, #""is_required":true"#))
    #expect(try Mapper(required).lookups(of: parsed(order)) == [])
    #expect(
      try failures(required, order) == [
        MappingFailure(
          .fieldMissing, target: "X", sources: ["new_customerid"], "new_customerid is empty",
          remedy: "Fill the field in OKKI, or declare the lookup optional.")
      ])
  }

  @Test("a value with spaces stays one value, and is no further condition")
  func spacesInValues() throws {
    let order = #"{"new_customerid":"a b=c where"}"#
    let asked = try Mapper(strategy(field(Self.value))).lookups(of: parsed(order))
    #expect(asked == [key("customers", ("company_id", "a b=c where"))])
  }

  @Test("a key that cannot be built fails when the field is mapped, and not before")
  func brokenKey() throws {
    let dated = try strategy(field("_findCollection find a from b where d={x|date}"))
    let order = #"{"x":"soon"}"#
    #expect(try Mapper(dated).lookups(of: parsed(order)) == [])
    #expect(try failures(dated, order).map(\.code) == [.valueInvalid])
  }

  @Test(
    "lookups that cannot be read are told when the strategy is read",
    arguments: [
      "_findCollection", "_findCollection find a from b", "_findCollection find a from b where",
      "_findCollection find a from b where c", "_findCollection find a from b where =c",
      "_findCollection find a from b where c={x", "_findCollection find a from b where c = d",
      "_findCollection get a from b where c=d", "_findCollectionX find a from b where c=d",
      "_findCollection find . from b where c=d",
    ])
  func malformed(value: String) {
    #expect(problem(value) != nil)
  }
}

@Suite("Lookups that may find nothing, and other forms (§6.4, §6.5)")
struct LookupFormTests {
  @Test("an optional lookup leaves its field out or takes its default; a record without the field does the same")
  func optional() throws {
    let order = #"{"new_customerid":1}"#
    func value(_ rules: String, _ records: [LookupKey: JSONDocument] = [:]) throws -> String? {
      try data(strategy(field("X", LookupTests.value, #""ferry":{\#(rules)}"#)), order, records)["X"]?.string
    }
    let empty = [key("customers", ("company_id", "1")): try record(#"{"serial_id":""}"#)]
    let full = [key("customers", ("company_id", "1")): try record(#"{"serial_id":"C"}"#)]
    for records in [[:], empty] {
      #expect(try value(#""optional":true"#, records) == nil)
      #expect(try value(#""optional":true,"default":"none""#, records) == "none")
    }
    #expect(try value(#""optional":true,"default":"none""#, full) == "C")
    #expect(try data(strategy(field("X", LookupTests.value, #""ferry":{"optional":true}"#)), "{}")["X"] == nil)
  }

  @Test("a lookup that must find something fails by an empty key, too")
  func emptyKey() throws {
    #expect(
      try failures(strategy(field(LookupTests.value)), "{}") == [
        MappingFailure(
          .lookupFailed, target: "X", sources: ["new_customerid"], "new_customerid is empty",
          remedy: "Fill the field in OKKI, or declare the lookup optional.")
      ])
  }

  @Test(
    "optional is true or false, and for lookups alone",
    arguments: [
      ("{x}", #""optional":true"#, "«optional» is only for a lookup"),
      (LookupTests.value, #""optional":"yes""#, "optional is true or false, of a field with a lookup"),
      (LookupTests.value, #""default":"x""#, "miss and default need a table"),
    ])
  func optionalRules(value: String, rules: String, sentence: String) {
    #expect(problem(value, #""ferry":{\#(rules)}"#) == sentence)
  }

  @Test("quotes around a constant are not part of it, and may hold spaces; a placeholder may have spaces, too")
  func constants() throws {
    let value = #"_findCollection find a from c where FStatus='A B' k={{ x }} q="C" s=D e='{{x}}'"#
    #expect(
      try Mapper(strategy(field(value))).lookups(of: parsed(#"{"x":"it's"}"#)) == [
        key("c", ("FStatus", "A B"), ("k", "it's"), ("q", "C"), ("s", "D"), ("e", "it's"))
      ])
  }

  @Test("a number asks for the same text as a string")
  func types() throws {
    let mapper = Mapper(try strategy(field(LookupTests.value)))
    #expect(
      try mapper.lookups(of: parsed(#"{"new_customerid":5}"#))
        == mapper.lookups(of: parsed(#"{"new_customerid":"5"}"#)))
  }

  @Test("a lookup inside a formula is asked beforehand, per row, and is NULL when it finds nothing")
  func nested() throws {
    let value = "_function IFNULL(_findCollection find rate from units where no={{lines.no}} _endFind,1)*{{lines.n}}"
    let mapper = Mapper(try strategy(array("R", "lines", field(value))))
    let order = #"{"lines":[{"no":"a","n":2},{"no":"b","n":3}]}"#
    let keys = [key("units", ("no", "a")), key("units", ("no", "b"))]
    #expect(try mapper.lookups(of: parsed(order)) == keys)
    let records = [keys[0]: try record(#"{"rate":"2.5"}"#)]
    let found = try mapper.map(parsed(order), lookups: LookupTable(records)).body
    #expect(String(decoding: found, as: UTF8.self) == #"{"Data":{"N":"no-1","R":[{"X":"5.0"},{"X":"3"}]}}"#)
  }

  @Test("a record's flattened key is found before an object of that name")
  func flattened() throws {
    let value = "_findCollection find a.b from c where k=1"
    let answers = [key("c", ("k", "1")): try record(#"{"a":{"b":"deep"},"a.b":"flat"}"#)]
    #expect(try data(strategy(field(value)), "{}", answers)["X"]?.string == "flat")
  }
}

@Suite("_mongoQuery (§6.5)")
struct MongoQueryTests {
  private func keys(_ filter: String, _ order: String = "{}") throws -> [LookupKey] {
    try target(field("_mongoQuery u-1 findField=content.FNumber where=\(filter)")).lookups(of: parsed(order))
  }

  @Test("equality alone becomes plain conditions, which the index answers")
  func equality() throws {
    let order = #"{"shop_name":"a b\"}}","n":5}"#
    #expect(
      try keys(#"{"content.FName":{"$eq":"{{shop_name}}"}}"#, order) == [key("u-1", ("FName", "a b\"}}"))])
    #expect(
      try keys(#"{"content.a":"{shop_name}","content.b":{"$eq":{{n}}},"content.c":7}"#, order)
        == [key("u-1", ("a", "a b\"}}"), ("b", "5"), ("c", "7"))])
    #expect(try keys(#"{"$and":[{"content.a":"x"},{"content.b":"y"}]}"#) == [key("u-1", ("a", "x"), ("b", "y"))])
    #expect(try keys(#"{"content.FName":"{{shop_name}}"}"#) == [])
  }

  @Test("the answer is the record's field")
  func answer() throws {
    let document = try target(field(#"_mongoQuery u findField=content.FNumber where={"content.a":{"$eq":"{{x}}"}}"#))
    #expect(
      try body(document, #"{"x":"1"}"#, [key("u", ("a", "1")): record(#"{"FNumber":"F"}"#)]) == #"{"X":"F"}"#)
  }

  @Test("other operators go with the key as a filter")
  func filters() throws {
    let found = try keys(
      #"{"content.a":"x","content.n":{"$gte":{n},"$lt":10},"$or":[{"content.b":{"$in":["p","{{q}}"]}},{"content.c":{"$regex":"^z"}}]}"#,
      #"{"n":3,"q":"Q"}"#)
    #expect(
      found == [
        LookupKey(
          collection: "u-1", conditions: [LookupKey.Condition(field: "a", value: "x")],
          filter: .all([
            .compare(field: "n", .notLess, values: ["3"]), .compare(field: "n", .less, values: ["10"]),
            .any([
              .all([.compare(field: "b", .oneOf, values: ["p", "Q"])]),
              .all([.compare(field: "c", .matches, values: ["^z"])]),
            ]),
          ]))
      ])
  }

  @Test("a filter holds for the records that it means")
  func holds() throws {
    let stored = try parsed(#"{"n":5,"s":"5","t":"abc","a":{"b":true},"x.y":"flat"}"#)
    func holds(_ field: String, _ comparison: LookupFilter.Comparison, _ values: String...) -> Bool {
      LookupFilter.compare(field: field, comparison, values: values).holds(for: stored) { $1.contains($0) }
    }
    #expect(holds("n", .equal, "5") && holds("s", .equal, "5") && !holds("n", .equal, "6"))
    #expect(holds("a.b", .equal, "true") && holds("x.y", .equal, "flat") && !holds("none", .equal, "5"))
    #expect(holds("none", .notEqual, "5") && holds("n", .notEqual, "4") && !holds("n", .notEqual, "5"))
    #expect(holds("n", .greater, "4.9") && holds("s", .greater, "-10") && !holds("n", .greater, "5"))
    #expect(holds("n", .notLess, "5.0") && holds("n", .less, "10") && !holds("n", .less, "5"))
    #expect(holds("n", .notGreater, "5") && !holds("n", .notGreater, "4") && holds("t", .greater, "abb"))
    #expect(holds("n", .oneOf, "1", "5") && !holds("n", .oneOf, "1") && holds("t", .matches, "b"))
    let both: [LookupFilter] = [
      .compare(field: "n", .equal, values: ["5"]), .compare(field: "n", .equal, values: ["6"]),
    ]
    #expect(LookupFilter.any(both).holds(for: stored) { _, _ in false })
    #expect(!LookupFilter.all(both).holds(for: stored) { _, _ in false })
    #expect(LookupFilter.all([]).holds(for: stored) { _, _ in false })
  }

  @Test("a question that nobody can answer is a failure with its reason, where a default or IFNULL stands, too")
  func unanswered() throws {
    let keys = [
      LookupKey(collection: "u", conditions: [], filter: .compare(field: "a", .greater, values: ["1"])),
      key("u", ("a", "1")),
    ]
    let query = #"_mongoQuery u findField=content.b where={"content.a":{"$gt":1}}"#
    let rows = [
      (query, ""), (query, #""ferry":{"optional":true,"default":"D"}"#),
      ("_function IFNULL(_findCollection find b from u where a=1 _endFind, 'D')", ""),
    ]
    for (value, more) in rows {
      let mapper = Mapper(try strategy(field("X", value, more)))
      let table = LookupTable(keys, answers: keys.map { _ in .unanswered("it takes too much") })
      let failures = try #require(throws: MappingFailures.self) { _ = try mapper.map(parsed("{}"), lookups: table) }
      let failure = try #require(failures.failures.first)
      #expect(failure.code == .lookupFailed && "\(failure)".contains("u cannot be asked: it takes too much"))
      if (value, more) != rows[0] {
        let nothing = LookupTable(keys, answers: keys.map { _ in .nothing })
        #expect(String(decoding: try mapper.map(parsed("{}"), lookups: nothing).body, as: UTF8.self).contains("\"D\""))
      }
    }
  }

  @Test("a strategy tells the collections that it asks")
  func collections() throws {
    let nested = field("_function IF(1=1, _findCollection find a from b where c={x} _endFind, 1)")
    let query = field("Y", #"_mongoQuery u-1 findField=content.b where={"content.a":{"$gt":1}}"#)
    let strategy = try strategy("\(nested),\(query)")
    #expect(strategy.collections == ["b", "u-1"])
  }

  @Test(
    "queries that cannot be read are told",
    arguments: [
      ("_mongoQuery", "a query is written"), ("_mongoQuery b findField=content.a", "a query is written"),
      ("_mongoQuery b where={} findField=content.a", "a query is written"),
      ("_mongoQuery b findField=number where={}", "«number» is not kept"),
      (#"_mongoQuery b findField=content.a where={"x":1}"#, "«x» is not kept"),
      ("_mongoQuery b findField=content.a where={", "filter is not JSON"),
      ("_mongoQuery b findField=content.a where={}", "an object with a member"),
      (#"_mongoQuery b findField=content.a where={"$nor":[]}"#, "the query's operator «$nor» is unknown"),
      (
        #"_mongoQuery b findField=content.a where={"content.c":{"$size":1}}"#, "the query's operator «$size» is unknown"
      ),
      (#"_mongoQuery b findField=content.a where={"$or":[]}"#, "«$or» is a list with an element"),
      (#"_mongoQuery b findField=content.a where={"content.c":{"$in":"x"}}"#, "«$in» is a list with an element"),
      (#"_mongoQuery b findField=content.a where={"content.c":null}"#, "compares with a text"),
      (#"_mongoQuery b findField=content.a where={"content.c":"{x"}"#, "a placeholder is not closed"),
    ])
  func malformed(value: String, sentence: String) throws {
    #expect(try #require(problem(value)).contains(sentence))
  }
}
