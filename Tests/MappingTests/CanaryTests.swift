import JSON
import Mapping
import Orders
import Testing

/// No value of an order may stand in a text that goes to a log or a dead letter: orders hold prices, names, addresses.
@Suite("Failures tell no values")
struct CanaryTests {
  static let word = "KANARIE"
  static let digits = "918273645"

  /// What every value of the order becomes.
  static let canaries = [
    #""KANARIE 918273645""#, "918273645918273645.918273645", "-918273645", "918273645e300",
    "918273645918273645918273645918273645918273645", #""918273645,00""#, #"["KANARIE",918273645]"#,
    #"{"KANARIE":"KANARIE","918273645":918273645}"#, #""2024-13-45 KANARIE""#, #""{{KANARIE}}""#,
    #""_function KANARIE(918273645)""#, #""""#, "0", "null",
  ]

  private func check(_ mapper: Mapper, _ order: JSONValue, _ records: [LookupKey: JSONDocument]) -> Int {
    do throws(MappingFailures) {
      _ = try mapper.map(order, lookups: LookupTable(records))
      return 0
    } catch {
      let texts = error.failures.flatMap { ["\($0)", $0.sentence, $0.target, "\($0 as any Error)"] } + ["\(error)"]
      for text in texts where text.contains(Self.word) || text.contains(Self.digits) {
        Issue.record("a value of the order stands in: \(text)")
      }
      return error.failures.count
    }
  }

  /// Every scalar below the value by its place, such as `product_list.0.count`.
  private func places(_ value: JSONValue, _ place: [String] = []) -> [[String]] {
    switch value.kind {
    case .object: value.members.flatMap { places($0.value, place + [$0.key]) }
    case .array: value.elements.enumerated().flatMap { places($0.element, place + [String($0.offset)]) }
    default: [place]
    }
  }

  /// The order with a canary at one place, or everywhere.
  private func spoilt(_ value: JSONValue, at place: ArraySlice<String>?, _ canary: String) -> String {
    if let place, place.isEmpty { return canary }
    func next(_ step: String) -> ArraySlice<String>?? {
      guard let place else { return .some(nil) }
      return place.first == step ? .some(place.dropFirst()) : nil
    }
    func part(_ step: String, _ value: JSONValue) -> String {
      guard let rest = next(step) else { return String(decoding: value.rawBytes, as: UTF8.self) }
      return spoilt(value, at: rest, canary)
    }
    switch value.kind {
    case .object:
      return "{" + value.members.map { quoted($0.key) + ":" + part($0.key, $0.value) }.joined(separator: ",") + "}"
    case .array:
      return "[" + value.elements.enumerated().map { part(String($0.offset), $0.element) }.joined(separator: ",") + "]"
    default: return canary
    }
  }

  @Test("with a canary in every field of the order at once", arguments: canaries)
  func everywhere(canary: String) throws {
    let mapper = Mapper(try ShippedStrategy.load())
    let order = try parsed(spoilt(parsed(OKKIOrder.text()), at: nil, canary))
    #expect(check(mapper, order, [:]) > 0)
    let records = Dictionary(
      uniqueKeysWithValues: try mapper.lookups(of: order).prefix(1).map {
        ($0, try record(#"{"serial_id":\#(canary)}"#))
      })
    #expect(check(mapper, order, records) > 0)
  }

  @Test("with a canary in one field of the order after the other", arguments: canaries)
  func oneByOne(canary: String) throws {
    let mapper = Mapper(try ShippedStrategy.load())
    let order = try parsed(OKKIOrder.text())
    var failures = 0
    for place in places(order) {
      failures += check(mapper, try parsed(spoilt(order, at: place[...], canary)), try ShippedStrategy.records())
    }
    #expect(failures > 0)
  }

  @Test("from every form of value, type, table and filter", arguments: canaries)
  func everyForm(canary: String) throws {
    let forms = [
      "{x}", "a{x}", "{{x|date}}", "on {x|datetime}", "_function {x}*2", "_function 1/{x}", "_function 1%({x}-{x})",
      "_function ROUND({x},{x})", "_function ABS('{x}')", "_function DATE({x})", "_function '{x}'/2",
      "_function {x}*{x}*{x}", "_findCollection find x from {c} where k={x|date}", "{x.y}",
      "_function COALESCE({x},1)+{x}",
    ]
    let rules = [
      "", #""is_required":true"#, #""ferry":{"decimals":2}"#, #""ferry":{"table":{"a":"b"}}"#,
      #""ferry":{"table":{"a":"b"},"miss":"keep"}"#,
    ]
    var fields: [String] = []
    for form in forms {
      for rule in rules {
        for type in ["string", "int", "float", "bool"] {
          fields.append(field("F\(fields.count)", form, type: type, rule))
        }
      }
    }
    let amounts = #","amounts":{"order":"x","lines":"l","line":"x","additions":"y","tolerance":0}"#
    // In portions, since no more than 100 failures are kept.
    for start in stride(from: 0, to: fields.count, by: 50) {
      let part = fields[start..<min(start + 50, fields.count)]
      let strategy = try strategy(part.joined(separator: ","), rules: #""key":"N""# + amounts)
      for order in [
        #"{"x":\#(canary),"y":\#(canary),"l":[{"x":\#(canary)}]}"#, #"{"x":\#(canary),"l":[{"x":\#(canary)}]}"#,
      ] {
        _ = check(Mapper(strategy), try parsed(order), [:])
      }
    }
  }
}
