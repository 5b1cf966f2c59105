import JSON
@testable import Mapping
import Testing

@Suite("Lists in lists (§8)")
struct NestedListTests {
  static let order = #"""
    {"no":"H","lines":[
      {"a":1,"batches":[{"q":10,"deep":[{"z":"x"},{"z":"y"}]},{"q":11}]},
      {"a":2,"lines_batches":{"lines_batches_q":20}},{"a":3,"batches":[]}]}
    """#

  private func inner(_ list: String, _ value: String) throws -> String {
    try body(target(array("O", "lines", field("A", "{{lines.a}}"), array("I", list, field(value)))), Self.order)
  }

  @Test(
    "a list in a row is found by its path and by its bare name, with and without the outer list's prefix",
    arguments: ["lines.batches", "batches", "lines.lines_batches", "{{lines.batches}}"])
  func names(list: String) throws {
    let last = list.split(separator: ".").last.map { $0.filter { $0.isLetter || $0 == "_" } } ?? ""
    let values = ["{{lines.\(last).q}}", "{{\(last).q}}", "{{\(last).\(last)_q}}", "{{\(last).lines_batches_q}}"]
    let expected =
      #"{"O":[{"A":"1","I":[{"X":"10"},{"X":"11"}]},{"A":"2","I":[{"X":"20"}]},{"A":"3","I":[]}]}"#
    for value in values { #expect(try inner(list, value) == expected, "\(list) \(value)") }
  }

  @Test("inside, the head and the outer row are read as before")
  func outside() throws {
    #expect(
      try inner("lines.batches", "{{no}}/{{lines.a}}/{{batches.q}}")
        == #"{"O":[{"A":"1","I":[{"X":"H/1/10"},{"X":"H/1/11"}]},{"A":"2","I":[{"X":"H/2/20"}]},{"A":"3","I":[]}]}"#)
  }

  @Test("a third list lies in the second one's rows")
  func third() throws {
    let deep = array(
      "D", "lines.batches.deep", field("{{no}}{{lines.a}}{{batches.q}}{{deep.z}}{{lines.batches.deep.z}}"))
    let found = try body(target(array("O", "lines", array("I", "batches", deep))), Self.order)
    #expect(
      found == #"{"O":[{"I":[{"D":[{"X":"H110xx"},{"X":"H110yy"}]},{"D":[]}]},{"I":[{"D":[]}]},{"I":[]}]}"#)
  }

  @Test("of two lists with one name the order's own is meant by the bare name")
  func bareName() throws {
    let order = #"{"m":[{"q":"head"}],"l":[{"m":[{"q":"row"}]}]}"#
    #expect(
      try body(target(array("O", "l", array("I", "m", field("{{m.q}}")))), order)
        == #"{"O":[{"I":[{"X":"head"}]}]}"#)
    #expect(
      try body(target(array("O", "l", array("I", "l.m", field("{{m.q}}")))), order) == #"{"O":[{"I":[{"X":"row"}]}]}"#)
  }

  @Test("two arrays beside each other over one list, and over two, do not mix their rows")
  func siblings() throws {
    let both = [
      array("A", "l", field("{{l.x}}")), array("B", "l", field("{{l.x}}"), field("Y", "{{m.x}}")),
      array("C", "m", field("{{m.x}}"), field("Y", "{{l.x}}")),
    ].joined(separator: ",")
    #expect(
      try body(target(both), #"{"l":[{"x":1},{"x":2}],"m":[{"x":3}]}"#)
        == #"{"A":[{"X":"1"},{"X":"2"}],"B":[{"X":"1","Y":"3"},{"X":"2","Y":"3"}],"C":[{"X":"3","Y":"1"}]}"#)
  }

  @Test("rows that were flattened and regrouped keep the names of their lists and of the head")
  func regrouped() throws {
    let order = #"{"details":[{"goodsDetail_goodsNo":"g","goodsDetail_goodsDelivery_sendCount":3,"so_id":"s"}]}"#
    #expect(
      try body(
        target(
          array(
            "E", "details", field("A", "{{details.goodsDetail_goodsNo}}"),
            field("B", "{{details.goodsDetail_goodsDelivery_sendCount}}"), field("C", "{{details.so_id}}"))), order)
        == #"{"E":[{"A":"g","B":"3","C":"s"}]}"#)
    let flat = #"{"batch_details_spec_no":"b","details_list":[{"n":1},{"n":2}]}"#
    #expect(
      try body(target(array("E", "details_list", field("{{batch_details_spec_no}}"))), flat)
        == #"{"E":[{"X":"b"},{"X":"b"}]}"#)
  }

  @Test("objects and arrays nest both ways")
  func objects() throws {
    let object = #"{"field":"Sub","type":"object","children":[\#(array("E", "l", field("{{l.a}}")))]}"#
    #expect(try body(target(object), #"{"l":[{"a":1}]}"#) == #"{"Sub":{"E":[{"X":"1"}]}}"#)
  }

  @Test("sums read every row of a list, at the head and inside its rows, and of a list in a row those of that row")
  func allRows() throws {
    let document = try target(
      [
        field("H", "{{lines.batches.q}}"),
        array("O", "lines", field("{{lines.a}}"), array("I", "batches", field("{{batches.q}}"))),
      ].joined(separator: ","))
    let table = document.content.table
    let order = try parsed(Self.order)
    let reader = OrderReader(order, table, answers: LookupTable(), inputs: MappingInputs())
    func texts(_ name: String) throws -> [String] {
      let number = try #require(table.operands.firstIndex { $0.name == name })
      return try reader.values(of: number).values.map(\.text)
    }
    #expect(try texts("lines.batches.q") == ["10", "11"])
    #expect(try texts("lines.a") == ["1", "2", "3"])
    reader.enter(try #require(order["lines"]?[0]).place)
    #expect(try texts("batches.q") == ["10", "11"])
    #expect(try texts("lines.a") == ["1", "2", "3"])
  }
}

@Suite("Arrays that name no list (§8)")
struct ListInferenceTests {
  private func told(_ descriptors: String) throws -> [String] { try target(descriptors).warnings.map(\.sentence) }

  @Test("K/3's head stays one row, though half of its fields read a list")
  func head() throws {
    let head = array(
      "Page1", nil, field("FBillNo", "{no}"), field("Fdate", "{day}"), field("A", "{{users.id}}"),
      field("B", "{{users.name}}"))
    let order = #"{"no":"S","day":"2026-01-01","users":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#
    #expect(
      try body(target(head), order) == #"{"Page1":[{"FBillNo":"S","Fdate":"2026-01-01","A":"1","B":"a"}]}"#)
  }

  @Test("the list that the children read is taken, with a warning")
  func inferred() throws {
    let descriptors = array("E", nil, field("A", "{{shop_no}}"), field("B", "_function {{orders.qty}}*2"))
    #expect(
      try told(descriptors) == ["the array names no list; its children read «orders», so that list is taken"])
    #expect(
      try body(target(descriptors), #"{"shop_no":"S","orders":[{"qty":1},{"qty":2}]}"#)
        == #"{"E":[{"A":"S","B":"2"},{"A":"S","B":"4"}]}"#)
    #expect(try body(target(descriptors), #"{"shop_no":"S","orders":{"qty":1}}"#) == #"{"E":[{"A":"S","B":"2"}]}"#)
    #expect(try body(target(descriptors), #"{"shop_no":"S"}"#) == #"{"E":[]}"#)
  }

  @Test("a header with one field out of a list stays one row of the order, and so do flattened keys")
  func header() throws {
    let descriptors = array(
      "E", nil, field("A", "{{no}}"), field("B", "{{day}}"), field("C", "{{users.nickname}}"))
    #expect(
      try told(descriptors) == ["the array names no list and becomes one row; of «users» it reads the first row alone"])
    #expect(
      try body(target(descriptors), #"{"no":1,"day":2,"users":[{"nickname":"u"},{"nickname":"v"}]}"#)
        == #"{"E":[{"A":"1","B":"2","C":"u"}]}"#)
    let flat = array("E", nil, field("A", "{{items_sku_id}}"), field("B", "{{items_r_qty}}"))
    #expect(try told(flat) == [])
    #expect(try body(target(flat), #"{"items_sku_id":"s","items_r_qty":2}"#) == #"{"E":[{"A":"s","B":"2"}]}"#)
  }

  @Test("fields of two lists name none, and the list around an array is not taken again")
  func neither() throws {
    #expect(
      try told(array("E", nil, field("A", "{{l.a}}"), field("B", "{{m.b}}"))) == [
        "the array names no list and becomes one row; of «l» it reads the first row alone"
      ])
    let inner = array("O", "l", array("I", nil, field("{{l.a}}")))
    #expect(try told(inner) == [])
    #expect(try body(target(inner), #"{"l":[{"a":1},{"a":2}]}"#) == #"{"O":[{"I":[{"X":"1"}]},{"I":[{"X":"2"}]}]}"#)
    let deeper = array("O", "l", array("I", nil, field("{{l.m.a}}")))
    #expect(try body(target(deeper), #"{"l":[{"m":[{"a":1},{"a":2}]}]}"#) == #"{"O":[{"I":[{"X":"1"},{"X":"2"}]}]}"#)
  }

  @Test("an array without children is warned of")
  func withoutChildren() throws {
    #expect(
      try told(#"{"field":"E","type":"array","value":"1"}"#)
        == ["the array has no «children»: its elements are sent empty"])
    #expect(try body(target(#"{"field":"E","type":"array","value":"1"}"#)) == #"{"E":[]}"#)
  }
}
