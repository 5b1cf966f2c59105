import JSON
import Mapping
import Orders
import Testing

/// A text as JSON writes it.
func quoted(_ text: String) -> String {
  var writer = JSONWriter()
  writer.string(text)
  return String(decoding: writer.bytes, as: UTF8.self)
}

func parsed(_ text: String) throws -> JSONValue { try JSONDocument(Array(text.utf8)).root }

/// A strategy whose bill has the number `N` and these descriptors.
func strategy(_ descriptors: String, source: String = "{}", rules: String = #""key":"N""#) throws -> Strategy {
  let number = #"{"field":"N","value":"no-1"}"#
  let target = #"{"api":"/SO/Save","ferry":{\#(rules)},"request":[\#(number),\#(descriptors)]}"#
  return try Strategy(name: "test", source: Array(source.utf8), target: Array(target.utf8))
}

/// One descriptor.
func field(_ name: String, _ value: String, type: String = "string", _ more: String = "") -> String {
  #"{"field":\#(quoted(name)),"type":"\#(type)","value":\#(quoted(value))\#(more.isEmpty ? "" : ",\(more)")}"#
}

/// A text field `X`.
func field(_ value: String) -> String { field("X", value) }

/// The `Data` of the bill.
func data(
  _ strategy: Strategy, _ order: String, _ records: [LookupKey: JSONDocument] = [:],
  inputs: MappingInputs = MappingInputs()
) throws -> JSONValue {
  expectTheLongWay(strategy, try parsed(order), LookupTable(records), inputs: inputs)
  let bill = try Mapper(strategy).map(parsed(order), lookups: LookupTable(records), inputs: inputs)
  return try #require(try JSONDocument(bill.body).root["Data"])
}

/// What a value becomes at the head of an order; nil when the field is left out.
func head(
  _ value: String, _ order: String = "{}", type: String = "string", _ more: String = ""
) throws -> JSONValue? {
  try data(strategy(field("X", value, type: type, more)), order)["X"]
}

/// The same as text, with the field required to be a JSON string.
func headText(_ value: String, _ order: String = "{}", _ more: String = "") throws -> String? {
  guard let found = try head(value, order, more) else { return nil }
  #expect(found.kind == .string)
  return found.text
}

/// What a value becomes in each row of `lines`; "–" where the field is left out.
func rows(_ value: String, _ order: String, list: String = #""value":"lines""#) throws -> [String] {
  let array = #"{"field":"Rows","type":"array",\#(list),"children":[\#(field(value))]}"#
  let found = try #require(try data(strategy(array), order)["Rows"])
  return found.elements.map { $0["X"]?.text ?? "–" }
}

/// Why an order cannot be mapped.
func failures(
  _ strategy: Strategy, _ order: String, _ records: [LookupKey: JSONDocument] = [:],
  inputs: MappingInputs = MappingInputs()
) throws -> [MappingFailure] {
  let order = try parsed(order)
  expectTheLongWay(strategy, order, LookupTable(records), inputs: inputs)
  do throws(MappingFailures) {
    _ = try Mapper(strategy).map(order, lookups: LookupTable(records), inputs: inputs)
    return []
  } catch {
    return error.failures
  }
}

/// The one failure of a value at the head of an order.
func failure(_ value: String, _ order: String, type: String = "string", _ more: String = "") throws -> MappingFailure {
  let found = try failures(strategy(field("X", value, type: type, more)), order)
  #expect(found.count == 1)
  return try #require(found.first)
}

/// The problems of a strategy.
func problems(source: String = "{}", target: String) -> [StrategyProblem] {
  problems(source: Array(source.utf8), target: Array(target.utf8))
}

func problems(source: [UInt8], target: [UInt8]) -> [StrategyProblem] {
  do throws(StrategyProblems) {
    _ = try Strategy(name: "test", source: source, target: target)
    return []
  } catch {
    return error.problems
  }
}

/// What is wrong with a value, told when the strategy is read.
func problem(_ value: String, type: String = "string", _ more: String = "") -> String? {
  do {
    _ = try strategy(field("X", value, type: type, more))
    return nil
  } catch {
    return (error as? StrategyProblems)?.problems.map(\.sentence).joined(separator: "; ")
  }
}

func key(_ collection: String, _ conditions: (String, String)...) -> LookupKey {
  LookupKey(
    collection: collection, conditions: conditions.map { LookupKey.Condition(field: $0.0, value: $0.1) })
}

func record(_ text: String) throws -> JSONDocument { try JSONDocument(Array(text.utf8)) }

typealias Code = MappingFailure.Code

/// A document by itself; `pairs` are its top-level members.
func document(_ pairs: String, source: StrategyDocument? = nil) throws -> StrategyDocument {
  try StrategyDocument(file: "document.json", text: Array("{\(pairs)}".utf8), source: source)
}

/// A target by itself with these descriptors.
func target(_ descriptors: String, source: StrategyDocument? = nil) throws -> StrategyDocument {
  try document(#""effect":"EXECUTE","request":[\#(descriptors)]"#, source: source)
}

/// What a document makes of a record.
func body(
  _ document: StrategyDocument, _ record: String = "{}", inputs: MappingInputs = MappingInputs(),
  _ records: [LookupKey: JSONDocument] = [:]
) throws -> String {
  String(
    decoding: try document.body(of: parsed(record), lookups: LookupTable(records), inputs: inputs), as: UTF8.self)
}

/// An array with a list and children.
func array(_ name: String, _ list: String?, _ children: String...) -> String {
  let value = list.map { #""value":"\#($0)","# } ?? ""
  return #"{"field":"\#(name)","type":"array",\#(value)"children":[\#(children.joined(separator: ","))]}"#
}
