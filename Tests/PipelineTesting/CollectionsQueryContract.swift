import JSON
import Orders
public import Pipeline
import Testing

private let stored = [
  #"{"n":5,"s":"5","t":"abc","flag":true,"a":{"b":"x","c":{"d":7}},"serial_id":"R1"}"#,
  #"{"n":"10","t":"ABD","a":{"b":"y"},"serial_id":"R2"}"#,
  #"{"n":5.0,"t":"示例 乙","x.y":"flat","serial_id":"R3"}"#,
  #"{"n":null,"t":["abc"],"serial_id":"R4"}"#,
  #"{"n":-3,"t":"","n":7,"serial_id":"R5"}"#,
]

private func field(_ name: String, _ comparison: LookupFilter.Comparison, _ values: String...) -> LookupFilter {
  .compare(field: name, comparison, values: values)
}

/// Queries, and the records for which they hold.
private let queries: [(name: String, filter: LookupFilter, holds: Set<String>)] = [
  ("a number is found by its text", field("n", .equal, "5"), ["R1"]),
  ("a text is found by a number's text", field("s", .equal, "5"), ["R1"]),
  ("5.0 is another text than 5", field("n", .equal, "5.0"), ["R3"]),
  ("a truth value is true or false", field("flag", .equal, "true"), ["R1"]),
  ("dots lead into objects", field("a.b", .equal, "x"), ["R1"]),
  ("also far in", field("a.c.d", .equal, "7"), ["R1"]),
  ("a key with a dot is read under its whole name", field("x.y", .equal, "flat"), ["R3"]),
  ("of a repeated key the last counts", field("n", .equal, "7"), ["R5"]),
  ("and no other", field("n", .equal, "-3"), []),
  ("an empty text is a text", field("t", .equal, ""), ["R5"]),
  ("a field that is not there is no text", field("none", .equal, ""), []),
  ("$ne: what is missing or null is another one", field("n", .notEqual, "5"), ["R2", "R3", "R4", "R5"]),
  ("$gt: numbers by value, written as they may be", field("n", .greater, "5"), ["R2", "R5"]),
  ("$gte", field("n", .notLess, "5.00"), ["R1", "R2", "R3", "R5"]),
  ("$lt", field("n", .less, "10"), ["R1", "R3", "R5"]),
  ("$lte", field("n", .notGreater, "5"), ["R1", "R3"]),
  ("$gt: texts by their bytes", field("t", .greater, "abc"), ["R3"]),
  ("$gt: a number and a text as texts", field("t", .greater, "5"), ["R1", "R2", "R3"]),
  ("$lt: a number and a text as texts", field("n", .less, "abc"), ["R1", "R2", "R3", "R5"]),
  ("$in", field("n", .oneOf, "5", "10", "8"), ["R1", "R2"]),
  ("$in with dots", field("a.b", .oneOf, "y", "x", "x"), ["R1", "R2"]),
  ("$regex tells case", field("t", .matches, "^ab"), ["R1"]),
  ("$regex anywhere", field("t", .matches, "乙|B"), ["R2", "R3"]),
  ("$regex on numbers", field("n", .matches, #"^\d+$"#), ["R1", "R2", "R5"]),
  ("$regex with dots", field("a.b", .matches, "."), ["R1", "R2"]),
  ("$and", .all([field("n", .notLess, "5"), field("t", .matches, "^$")]), ["R5"]),
  ("$and with an equality and $in", .all([field("n", .oneOf, "5", "10"), field("t", .equal, "ABD")]), ["R2"]),
  ("$or of equalities", .any([field("n", .equal, "10"), field("t", .equal, "abc")]), ["R1", "R2"]),
  ("$or with something else", .any([field("n", .equal, "5"), field("n", .greater, "6")]), ["R1", "R2", "R5"]),
  ("nothing to hold", .all([]), ["R1", "R2", "R3", "R4", "R5"]),
  ("nothing that could hold", .any([]), []),
]

extension Collections {
  fileprivate func fill(_ texts: [String], from id: Int = 1) async throws {
    let records = texts.enumerated().map { CollectionRecord(id: "\(id + $0.offset)", content: Array($0.element.utf8)) }
    try await store(records, in: "c")
  }

  fileprivate func answer(_ filter: LookupFilter?, _ conditions: (String, String)...) async throws -> LookupAnswer {
    let conditions = conditions.map { LookupKey.Condition(field: $0.0, value: $0.1) }
    let answers = try await find([LookupKey(collection: "c", conditions: conditions, filter: filter)])
    return try #require(answers.first)
  }

  fileprivate func serial(_ filter: LookupFilter?, _ conditions: (String, String)...) async throws -> String? {
    let conditions = conditions.map { LookupKey.Condition(field: $0.0, value: $0.1) }
    let answers = try await find([LookupKey(collection: "c", conditions: conditions, filter: filter)])
    return answers.first?.record?.root["serial_id"]?.text
  }
}

/// What every `Collections` does with queries that say more than equality (mapping-language.md §6.5).
public let collectionsQueryContract: [ContractCase<any Collections>] =
  queries.map { query in
    ContractCase("a query: \(query.name)") { collections async throws in
      try await collections.fill(stored)
      // By itself it finds the first of those records; beside an equality it holds for these and no others.
      #expect(try await collections.serial(query.filter) == query.holds.min())
      for serial in (1...5).map({ "R\($0)" }) {
        let found = try await collections.serial(query.filter, ("serial_id", serial))
        #expect(found == (query.holds.contains(serial) ? serial : nil), "\(serial)")
      }
    }
  } + [
    ContractCase("conditions read texts, numbers, truth values and dots as queries do") { collections async throws in
      try await collections.fill(stored)
      let rows = [
        ("n", "5", "R1"), ("n", "5.0", "R3"), ("n", "7", "R5"), ("n", "-3", nil), ("s", "5", "R1"),
        ("flag", "true", "R1"), ("a.b", "y", "R2"), ("a.c.d", "7", "R1"), ("x.y", "flat", "R3"), ("t", "", "R5"),
        ("a", "x", nil), ("a.", "x", nil), ("n", "null", nil), ("t", "abc", "R1"),
      ]
      for (field, value, serial) in rows {
        #expect(try await collections.serial(nil, (field, value)) == serial, "\(field)=\(value)")
      }
    },
    ContractCase("of several records that $in finds the one with the smallest id is the answer") {
      collections async throws in
      try await collections.fill((9...120).map { #"{"a":"\#($0 % 3)","b":\#($0),"serial_id":"S\#($0)"}"# }, from: 9)
      #expect(try await collections.serial(field("a", .oneOf, "2", "1")) == "S10")
      #expect(
        try await collections.serial(.all([field("a", .oneOf, "2", "1"), field("b", .greater, "100")])) == "S101")
      #expect(try await collections.serial(field("b", .greater, "110"), ("a", "1")) == "S112")
      // Of the one value there are many before the one that holds, of the other a single one behind it.
      try await collections.fill((201...220).map { #"{"d":"many","e":\#($0),"serial_id":"S\#($0)"}"# }, from: 201)
      try await collections.fill([#"{"d":"one","e":230,"serial_id":"S230"}"#], from: 230)
      #expect(
        try await collections.serial(.all([field("d", .oneOf, "one", "many"), field("e", .greater, "217")])) == "S218")
    },
    ContractCase("records that a repeated key hides do not keep others from being found") { collections async throws in
      try await collections.fill((1...20).map { #"{"a":"x","a":"y","serial_id":"S\#($0)"}"# })
      try await collections.fill([#"{"a":"x","serial_id":"X"}"#], from: 300)
      #expect(try await collections.serial(nil, ("a", "x")) == "X")
      #expect(try await collections.serial(nil, ("a", "y")) == "S1")
    },
    ContractCase("what is no regular expression, or takes too many steps, is unanswered, not absent") {
      collections async throws in
      let long = String(repeating: "a", count: 60)
      try await collections.fill([#"{"t":"\#(long)!","k":1}"#])
      for (pattern, word) in [("(", "cannot be read"), ("(a+)+$", "too many steps")] {
        for answer in [
          try await collections.answer(field("t", .matches, pattern)),
          try await collections.answer(field("t", .matches, pattern), ("k", "1")),
        ] {
          guard case .unanswered(let why) = answer else {
            Issue.record("\(pattern) is not answered, but \(answer)")
            continue
          }
          #expect(why.contains(word) && !why.contains(pattern) && !why.contains(long))
        }
      }
      // Where the pattern does not count it harms nobody.
      #expect(try await collections.answer(field("t", .matches, "("), ("k", "2")).record == nil)
    },
    ContractCase("questions of every kind are answered together, in their order") { collections async throws in
      try await collections.fill(stored)
      let one = LookupKey.Condition(field: "serial_id", value: "R2")
      let keys = [
        LookupKey(collection: "c", conditions: [], filter: field("n", .greater, "5")),
        LookupKey(collection: "c", conditions: [one]), LookupKey(collection: "none", conditions: [one]),
        LookupKey(collection: "c", conditions: [], filter: field("n", .oneOf, "7")),
        LookupKey(collection: "c", conditions: []),
        LookupKey(collection: "none", conditions: [], filter: field("n", .notEqual, "5")),
        LookupKey(collection: "c", conditions: [], filter: field("t", .matches, "乙")),
      ]
      let found = try await collections.find(keys).map { $0.record?.root["serial_id"]?.text }
      #expect(found == ["R2", "R2", nil, "R5", nil, nil, "R3"])
    },
  ]
