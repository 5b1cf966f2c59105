import FoundationEssentials
import JSON
import Logging
import Mapping
import Telemetry
import Testing

@testable import ferry

@Suite("The folder of strategies")
struct StrategyFolderTests {
  /// Calls `body` with a folder that holds one strategy.
  private func withStrategy(key: String, page: String = "array", _ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "strategies-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try add("one", to: folder, key: key, page: page)
    try body(folder)
  }

  private func add(
    _ name: String, to folder: String, key: String = "Page1.FBillNo", page: String = "array", object: String = "SO",
    condition: String = "[]"
  ) throws {
    try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
    let names = ["FBillNo", "FNote", "fBillNo", "F-x"]
    let field =
      names.map { #"{"field":"\#($0)","value":"{order_no}"}"# }.joined(separator: ",")
      + #",{"field":"FNo","type":"object","children":[{"field":"FNumber","value":"{order_no}"}]}"#
    let target =
      #"{"api":"/\#(object)/Save","ferry":{"key":"\#(key)"},"#
      + #""request":[{"field":"Page1","type":"\#(page)","children":[\#(field)]},{"field":"FRoot","value":"{order_no}"}]}"#
    try Data(target.utf8).write(to: URL(filePath: "\(folder)/\(name)/target.json"))
    let source = #"{"api":"/v1/invoices/order/list","condition":\#(condition)}"#
    try Data(source.utf8).write(to: URL(filePath: "\(folder)/\(name)/source.json"))
  }

  private func problems(_ folder: String) throws -> [StrategyProblem] {
    try #require(throws: StrategyFolderProblems.self) { _ = try StrategyFolder(folder) }.problems
  }

  @Test("a bill's number stands where K/3 is asked for it, or the program does not start")
  func key() throws {
    try withStrategy(key: "Page1.FBillNo") { folder throws in
      #expect(try StrategyFolder(folder).set.strategies.map(\.key) == ["Page1.FBillNo"])
    }
    try withStrategy(key: "Page1.FNote") { folder throws in
      #expect(try StrategyFolder(folder).set.strategies.map(\.keyField) == ["FNote"])
    }
    for key in ["Page1.fBillNo", "Page1.F-x", "Page1.FNo.FNumber", "FRoot"] {
      try withStrategy(key: key) { folder throws in
        let problem = try #require(try problems(folder).first)
        #expect(problem.path == "ferry.key" && problem.sentence.contains("Page1.FBillNo"), "\(key)")
      }
    }
  }

  @Test("a file that is no JSON is named with its folder, and all strategies' problems come together")
  func broken() throws {
    try withStrategy(key: "Page1.FBillNo") { folder throws in
      try Data("{\n}}".utf8).write(to: URL(filePath: "\(folder)/one/target.json"))
      try add("two", to: folder, key: "Page1.F-x")
      let error = try #require(throws: StrategyFolderProblems.self) { _ = try StrategyFolder(folder) }
      #expect(error.description.hasPrefix("\(folder)/one/target.json:2:"), "\(error)")
      #expect(error.description.contains("\n\(folder)/two/target.json: ferry.key: "), "\(error)")
      #expect(Startup.exit(for: [error]) == Startup.configurationExit)
    }
  }

  @Test("a folder without a strategy, and one whose strategies are all off, are refused")
  func nothing() throws {
    #expect(try problems("/nowhere").map(\.sentence) == ["is not a folder that can be read"])
    try withStrategy(key: "Page1.FBillNo") { folder throws in
      try add("one", to: folder, condition: #"[[{"field":"status","logic":"eq","value":null}]]"#)
      #expect(try problems(folder).map(\.sentence) == ["holds no strategy that takes orders: all are off"])
      // A half strategy passed over in silence would leave its orders to others.
      try add("two", to: folder)
      try FileManager.default.moveItem(atPath: "\(folder)/two/target.json", toPath: "\(folder)/two/Target.json")
      #expect(try problems(folder).map(\.file) == ["\(folder)/two/target.json"])
    }
  }

  @Test("several strategies stand side by side; two that take everything into one stream do not")
  func several() throws {
    try withStrategy(key: "Page1.FBillNo") { folder throws in
      try add("two", to: folder, object: "Goods_Return_Notice")
      #expect(try StrategyFolder(folder).set.strategies.map(\.name) == ["one", "two"])
      try add("two", to: folder)
      #expect(try problems(folder).map(\.sentence).first?.contains("one and two both take every order") == true)
      try add("two", to: folder, condition: #"[[{"field":"status","logic":"eq","value":5}]]"#)
      #expect(try StrategyFolder(folder).set.strategies.count == 2)
    }
  }

  @Test("a calendar beside the target is read with it, and what is wrong in it is named with its file")
  func calendar() throws {
    try withStrategy(key: "Page1.FBillNo") { folder throws in
      let file = URL(filePath: "\(folder)/one/calendar.json")
      try Data(#"{"date":"Page1.FNote","closedThrough":"2024-01-31"}"#.utf8).write(to: file)
      let mapper = Mapper(try #require(try StrategyFolder(folder).set.strategies.first))
      let order = try JSONDocument(Array(#"{"order_no":"2024-01-29"}"#.utf8)).root
      let failures = try #require(throws: MappingFailures.self) { _ = try mapper.map(order, lookups: LookupTable()) }
      #expect(failures.failures.map(\.code) == [.periodClosed])

      try Data(#"{"date":"Page1.FNote","closedThrough":"2024-01"}"#.utf8).write(to: file)
      let error = try #require(throws: StrategyFolderProblems.self) { _ = try StrategyFolder(folder) }
      #expect(error.description.hasPrefix("\(folder)/one/calendar.json:1:39: closedThrough: "), "\(error)")
    }
  }

  @Test("ferry check asks K/3 for the objects that the strategies write which are on, by the fields of their keys")
  func object() throws {
    try withStrategy(key: "Page1.FBillNo") { folder throws in
      try add("two", to: folder, object: "Sales_Delivery")
      try add(
        "four", to: folder, key: "Page1.FNote", object: "Sales_Delivery",
        condition: #"[[{"field":"status","logic":"eq","value":"7"}]]"#)
      try add(
        "three", to: folder, object: "Goods_Return_Notice",
        condition: #"[[{"field":"status","logic":"eq","value":null}]]"#)
      func keys(_ folder: String) throws -> [String: Set<String>] {
        let environment = SettingsTests.complete.merging(["FERRY_STRATEGIES": folder]) { $1 }
        let settings = try Settings(environment: environment, roles: Role.all)
        return Wiring(settings: settings, logger: Logger(label: "test"), registry: MetricsRegistry()).keys
      }
      #expect(try keys(folder) == ["SO": ["FBillNo"], "Sales_Delivery": ["FBillNo", "FNote"]])
      #expect(try keys("/nowhere") == ["SO": ["FBillNo"]])
    }
  }

  @Test("a header that is no row of Page1 is refused: K/3 would take none of the bills")
  func header() throws {
    try withStrategy(key: "Page1.FBillNo", page: "object") { folder throws in
      #expect(try problems(folder).map(\.path) == ["request.Page1"])
    }
  }
}
