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
    try FileManager.default.createDirectory(atPath: "\(folder)/one", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let field = #"{"field":"FBillNo","value":"{order_no}"},{"field":"FNote","value":"{order_no}"}"#
    let target =
      #"{"api":"/SO/Save","ferry":{"key":"\#(key)"},"request":[{"field":"Page1","type":"\#(page)","children":[\#(field)]}]}"#
    try Data(target.utf8).write(to: URL(filePath: "\(folder)/one/target.json"))
    try Data(#"{"api":"/v1/invoices/order/list"}"#.utf8).write(to: URL(filePath: "\(folder)/one/source.json"))
    try body(folder)
  }

  @Test("a bill's number stands where K/3 is asked for it, or the program does not start")
  func key() throws {
    try withStrategy(key: "Page1.FBillNo") { folder throws in
      #expect(try StrategyFolder.strategy(in: folder).key == "Page1.FBillNo")
    }
    try withStrategy(key: "Page1.FNote") { folder throws in
      let problem = try #require(throws: StrategyProblem.self) { _ = try StrategyFolder.strategy(in: folder) }
      #expect(problem.path == "ferry.key" && problem.sentence.contains("Page1.FBillNo"))
    }
  }

  @Test("a file that is no JSON is named with its folder")
  func broken() throws {
    try withStrategy(key: "Page1.FBillNo") { folder throws in
      try Data("{\n}}".utf8).write(to: URL(filePath: "\(folder)/one/target.json"))
      let error = try #require(throws: StrategyFolderProblems.self) { _ = try StrategyFolder.strategy(in: folder) }
      #expect(error.description.hasPrefix("\(folder)/one/target.json:2:"), "\(error)")
      #expect(Startup.exit(for: [error]) == Startup.configurationExit)
    }
  }

  @Test("a calendar beside the target is read with it, and what is wrong in it is named with its file")
  func calendar() throws {
    try withStrategy(key: "Page1.FBillNo") { folder throws in
      let file = URL(filePath: "\(folder)/one/calendar.json")
      try Data(#"{"date":"Page1.FNote","closedThrough":"2024-01-31"}"#.utf8).write(to: file)
      let mapper = Mapper(try StrategyFolder.strategy(in: folder))
      let order = try JSONDocument(Array(#"{"order_no":"2024-01-29"}"#.utf8)).root
      let failures = try #require(throws: MappingFailures.self) { _ = try mapper.map(order, lookups: LookupTable()) }
      #expect(failures.failures.map(\.code) == [.periodClosed])

      try Data(#"{"date":"Page1.FNote","closedThrough":"2024-01"}"#.utf8).write(to: file)
      let error = try #require(throws: StrategyFolderProblems.self) { _ = try StrategyFolder.strategy(in: folder) }
      #expect(error.description.hasPrefix("\(folder)/one/calendar.json:1:39: closedThrough: "), "\(error)")
    }
  }

  @Test("ferry check asks K/3 for the object that the strategy writes")
  func object() throws {
    try withStrategy(key: "Page1.FBillNo") { folder throws in
      let target = "\(folder)/one/target.json"
      let text = try String(contentsOf: URL(filePath: target), encoding: .utf8)
      try Data(text.replacing("/SO/Save", with: "/Sales_Delivery/Save").utf8).write(to: URL(filePath: target))
      func objects(_ folder: String) throws -> [String] {
        let environment = SettingsTests.complete.merging(["FERRY_STRATEGIES": folder]) { $1 }
        let settings = try Settings(environment: environment, roles: Role.all)
        return Wiring(settings: settings, logger: Logger(label: "test"), registry: MetricsRegistry()).objects
      }
      #expect(try objects(folder) == ["Sales_Delivery"])
      #expect(try objects("/nowhere") == ["SO"])
    }
  }

  @Test("a header that is no row of Page1 is refused: K/3 would take none of the bills")
  func header() throws {
    try withStrategy(key: "Page1.FBillNo", page: "object") { folder throws in
      let problem = try #require(throws: StrategyProblem.self) { _ = try StrategyFolder.strategy(in: folder) }
      #expect(problem.path == "request.Page1")
    }
  }
}
