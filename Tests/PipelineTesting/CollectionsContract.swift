import JSON
import Orders
public import Pipeline
import Testing

private func record(_ id: String, _ json: String) -> CollectionRecord {
  CollectionRecord(id: id, content: Array(json.utf8))
}

private func key(_ collection: String, _ conditions: (String, String)...) -> LookupKey {
  LookupKey(
    collection: collection, conditions: conditions.map { LookupKey.Condition(field: $0.0, value: $0.1) })
}

extension Collections {
  fileprivate func text(_ key: LookupKey, _ field: String = "serial_id") async throws -> String? {
    try await find([key]).first?.record?.root[field]?.text
  }
}

/// What every `Collections` does.
public let collectionsContract: [ContractCase<any Collections>] = [
  ContractCase("a record is found by any of its scalar fields") { collections async throws in
    try await collections.store(
      [record("1", #"{"company_id":1,"serial_id":"C001","name":"甲 \"公司\"","rate":1.50}"#)], in: "customers")
    #expect(try await collections.text(key("customers", ("company_id", "1"))) == "C001")
    #expect(try await collections.text(key("customers", ("serial_id", "C001"))) == "C001")
    #expect(try await collections.text(key("customers", ("name", "甲 \"公司\""))) == "C001")
    #expect(try await collections.text(key("customers", ("rate", "1.50"))) == "C001")
    #expect(try await collections.text(key("customers", ("rate", "1.5"))) == nil)
    #expect(try await collections.text(key("customers", ("company_id", "2"))) == nil)
    #expect(try await collections.text(key("suppliers", ("company_id", "1"))) == nil)
    #expect(try await collections.text(key("customers")) == nil)
  },
  ContractCase("a number and a string with the same text are the same value") { collections async throws in
    try await collections.store(
      [record("1", #"{"company_id":5,"serial_id":"A"}"#), record("2", #"{"company_id":"6","serial_id":"B"}"#)],
      in: "customers")
    #expect(try await collections.text(key("customers", ("company_id", "5"))) == "A")
    #expect(try await collections.text(key("customers", ("company_id", "6"))) == "B")
  },
  ContractCase("all conditions must hold") { collections async throws in
    try await collections.store(
      [
        record("1", #"{"a":"x","b":1,"serial_id":"A"}"#), record("2", #"{"a":"x","b":2,"serial_id":"B"}"#),
      ], in: "customers")
    #expect(try await collections.text(key("customers", ("a", "x"), ("b", "2"))) == "B")
    #expect(try await collections.text(key("customers", ("a", "x"), ("b", "3"))) == nil)
  },
  ContractCase("of several records the one with the smallest id is found, ids counted as numbers are") {
    collections async throws in
    try await collections.store(
      ["10", "9", "100"].map { record($0, #"{"a":"x","serial_id":"S\#($0)"}"#) }, in: "customers")
    #expect(try await collections.text(key("customers", ("a", "x"))) == "S9")
  },
  ContractCase("a record with a known id replaces the former") { collections async throws in
    try await collections.store([record("1", #"{"a":"old","serial_id":"A"}"#)], in: "customers")
    try await collections.store(
      [record("1", #"{"a":"mid","serial_id":"M"}"#), record("1", #"{"a":"new","serial_id":"B"}"#)], in: "customers")
    #expect(try await collections.text(key("customers", ("a", "old"))) == nil)
    #expect(try await collections.text(key("customers", ("a", "mid"))) == nil)
    #expect(try await collections.text(key("customers", ("a", "new"))) == "B")
  },
  ContractCase("content stays as the vendor wrote it, NUL escapes and repeated keys included") {
    collections async throws in
    let odd = #"{"a":"n\u0000l", "serial_id":"A","serial_id":"B","price":1.10e0}"#
    try await collections.store([record("1", odd), record("2", #"{"a":"fine","serial_id":"C"}"#)], in: "customers")
    let found = try await collections.find([key("customers", ("serial_id", "B")), key("customers", ("a", "n\u{0}l"))])
    #expect(found.count == 2)
    for document in found { #expect(document.record.map { String(decoding: $0.root.rawBytes, as: UTF8.self) } == odd) }
    #expect(try await collections.text(key("customers", ("serial_id", "A"))) == nil)
    #expect(try await collections.text(key("customers", ("a", "fine"))) == "C")
  },
  ContractCase("what is no JSON object harms nobody and is not found") { collections async throws in
    try await collections.store(
      [record("1", "[1,2]"), record("2", #"{"a":"#), record("3", #"{"a":"x","serial_id":"C"}"#)], in: "customers")
    #expect(try await collections.text(key("customers", ("a", "x"))) == "C")
  },
  ContractCase("questions are answered in their order, repeated ones too") { collections async throws in
    try await collections.store(
      (1...300).map { record("\($0)", #"{"company_id":\#($0),"serial_id":"S\#($0)"}"#) }, in: "customers")
    let numbers = [250, 1, 9_999, 250, 300, 17]
    let found = try await collections.find(numbers.map { key("customers", ("company_id", "\($0)")) })
    #expect(found.map { $0.record?.root["serial_id"]?.text } == ["S250", "S1", nil, "S250", "S300", "S17"])
    #expect(try await collections.find([]).isEmpty)
  },
]
