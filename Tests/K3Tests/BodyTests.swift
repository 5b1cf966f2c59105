import JSON
import Orders
import Pipeline
import Testing

@testable import K3

@Suite("The number in a bill's body", .timeLimit(.minutes(2)))
struct BodyTests {
  private func sent(_ text: String, key: String) throws(Reason) -> String {
    let bytes = try K3BillDestination.body(of: bill("mapped", key: key, body: text))
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test("the key replaces the number, and every other byte stays as it was")
  func replaced() throws {
    let before = #" { "Data" : {"Page1":[{"x":1.50,"FBillNo" : "mapped" ,"y":"é\u00e9"}],"Page2":[{"Fauxqty":1e2}]} } "#
    let after = before.replacing(#""mapped""#, with: #""a\"b\\c""#)
    #expect(try sent(before, key: #"a"b\c"#) == after)
  }

  @Test("a body in another case, a number that is no text, and no number at all")
  func shapes() throws {
    #expect(try sent(#"{"data":{"page1":[{"fbillno":7}]}}"#, key: "K") == #"{"data":{"page1":[{"fbillno":"K"}]}}"#)
    #expect(try sent(#"{"Data":{"Page1":[{"FBillNo":null}]}}"#, key: "K") == #"{"Data":{"Page1":[{"FBillNo":"K"}]}}"#)
    #expect(try sent(#"{"Data":{"Page1":[{"a":1}]}}"#, key: "K") == #"{"Data":{"Page1":[{"FBillNo":"K","a":1}]}}"#)
    #expect(try sent(#"{"Data":{"Page1":[{}]}}"#, key: "K") == #"{"Data":{"Page1":[{"FBillNo":"K"}]}}"#)
  }

  @Test("a key in another field leaves the number as the strategy maps it; an Update names the number too")
  func otherField() throws {
    let text = #"{"Data":{"Page1":[{"FBillNo":"N","FOwn":"mapped"}]}}"#
    func keyed(_ key: String, _ field: String?, standing: String? = nil) -> KeyedBill {
      KeyedBill(
        Bill(object: "SO", number: "mapped", body: Array(text.utf8), keyField: "FOwn"), key: key, keyField: field,
        standing: standing, notAfter: .now)
    }
    func sent(_ bill: KeyedBill) throws(Reason) -> String {
      String(decoding: try K3BillDestination.body(of: bill), as: UTF8.self)
    }
    #expect(try sent(keyed("mapped", nil)) == text)
    #expect(try sent(keyed("K", nil)) == text.replacing("mapped", with: "K"))
    // What was begun under the number goes on under it, whatever the strategy says now.
    #expect(try sent(keyed("mapped", "FBillNo")) == text.replacing("\"N\"", with: "\"mapped\""))
    #expect(throws: Reason.self) { try sent(keyed("K", "F.x")) }
    let standing = keyed("K", nil, standing: "SEORD7")
    let update = K3BillBody(try K3BillDestination.body(of: standing))?.updating(try #require(standing.number))
    #expect(
      String(decoding: try #require(update), as: UTF8.self)
        == #"{"FBillNo":"SEORD7","Data":{"Page1":[{"FBillNo":"SEORD7","FOwn":"K"}]}}"#)
  }

  @Test("a body is told by its place or its shape, in any case of its names, and never by its values")
  func defects() async throws {
    let destination = try K3BillDestination(options("http://127.0.0.1:1"))
    func defect(_ text: String, _ number: String = "SO-1") -> String? {
      destination.defect(of: Bill(object: "SO", number: number, body: Array(text.utf8)))
    }
    #expect(defect(#"{"data":{"page1":[{"fbillno":"SO-1"}]}}"#) == nil)
    #expect(defect(#"{"Data":{"Page1":[{"FBillNo":17}]}}"#, "17") == nil)
    #expect(
      defect(body("SO-1").dropLast(2).description)
        == "body is not acceptable JSON: the text ends too early (byte 334)")
    #expect(defect(#"{"Data":{"Page1":[{"FBillNo":"x"},{}]}}"#) == "body is not Data with one header in Page1")
    #expect(defect(#"{"Data":{"Page1":[{"x":"SO-1"}]}}"#) == "body has no FBillNo")
    let other = Bill(object: "SO", number: "SO-1", body: Array(body("SO-1").utf8), keyField: "FOwn")
    #expect(destination.defect(of: other) == "body has no FOwn")
    let odd = Bill(object: "SO", number: "SO-1", body: Array(body("SO-1").utf8), keyField: "F]x")
    #expect(destination.defect(of: odd) == "key would stand in a field that K/3 cannot have")
    #expect(defect(body("SO-2")) == "FBillNo is not the number that the message has for it")
    // What a header shows otherwise than it is: control characters, and more than it may hold.
    #expect(defect(#"{"Data":{"Page1":[{"FBillNo":"A\tB"}]}}"#, "A␉B") == nil)
    #expect(defect(body(String(repeating: "9", count: 500)), String(repeating: "9", count: 400)) == nil)
    await destination.close()
  }

  @Test("a bill whose number is the key already is sent as it is, unread")
  func unread() throws {
    let bytes = try K3BillDestination.body(of: bill("K", key: "K", body: "not even JSON"))
    #expect(String(decoding: bytes, as: UTF8.self) == "not even JSON")
  }
}

@Suite("Filters", .timeLimit(.minutes(2)))
struct FilterTests {
  /// Reads a T-SQL string literal: what the database would take for the value, and what is left behind it.
  private func literal(_ text: Substring) -> (value: String, rest: Substring)? {
    guard text.first == "'" else { return nil }
    var value = String.UnicodeScalarView()
    var rest = text.unicodeScalars.dropFirst()
    while let scalar = rest.popFirst() {
      if scalar == "'" {
        guard rest.first == "'" else { return (String(value), Substring(rest)) }
        rest.removeFirst()
      }
      value.append(scalar)
    }
    return nil
  }

  @Test("10,000 hostile values: a filter is refused, or is one comparison with exactly that value")
  func fuzz() throws {
    let pieces = [
      "'", "''", "\"", "[", "]", "--", "/*", "*/", ";", "%", "_", "\\", "\n", "\r", "\0", "\t", " or 1=1", " and ",
      "N'", "(",
      ")", "=", "0", "A", "z", "订单", "é", "😀", "\u{2019}", "\u{02BC}", "\u{FF07}", "\u{2032}", "\u{200B}", "\u{202E}",
      "\u{0301}", "\u{7F}", "\u{85}", "（", "，", "０", "\u{B4}", "`",
    ]
    var generator = SystemRandomNumberGenerator()
    var accepted = 0
    for _ in 0..<10_000 {
      let value = (0..<Int.random(in: 0...9, using: &generator)).map { _ in
        pieces.randomElement(using: &generator) ?? ""
      }
      .joined()
      guard let filter = K3Filter.equals("FBillNo", value) else { continue }
      accepted += 1
      try #require(filter.hasPrefix("[FBillNo]="))
      let read = try #require(literal(filter.dropFirst(10)), "\(value.debugDescription)")
      try #require(Array(read.value.unicodeScalars) == Array(value.unicodeScalars) && read.rest.isEmpty)
      // A database that turns look-alikes into the plain quote would read the same.
      let folded = filter.unicodeScalars.map {
        "\u{2018}\u{2019}\u{201B}\u{02B9}\u{02BC}\u{02C8}\u{2032}\u{FF07}\u{B4}".unicodeScalars.contains($0)
          ? "'" : String($0)
      }
      try #require(folded.joined() == filter)
      try #require(value.unicodeScalars.allSatisfy { $0.value >= 32 && !(127...159 ~= $0.value) })
    }
    #expect(accepted > 500)
  }

  @Test(
    "order numbers of real life pass", arguments: ["SO240115001", "OK-2024/01#7", "订单2024（补）", "客户：A·1", "O'Neil 7"])
  func ordinary(number: String) { #expect(K3Filter.isUsable(number)) }

  @Test(
    "too long, empty, and signs that no order number has",
    arguments: ["", String(repeating: "x", count: 256), "a\u{0}", "😀", "a\u{2019}b", "＇"])
  func unusable(number: String) { #expect(!K3Filter.isUsable(number)) }
}
