import Expressions
import Foundation
import Testing

@Suite("The table of functions")
struct FunctionTableTests {
  private static let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "deploy/strategies/FUNCTIONS.md")

  @Test("deploy/strategies/FUNCTIONS.md is what the code's table prints")
  func document() throws {
    // With FERRY_WRITE_FUNCTIONS=1 the file is written anew.
    if ProcessInfo.processInfo.environment["FERRY_WRITE_FUNCTIONS"] == "1" {
      try FunctionTable.markdown.write(to: Self.file, atomically: true, encoding: .utf8)
    }
    #expect(try String(contentsOf: Self.file, encoding: .utf8) == FunctionTable.markdown)
  }

  @Test("every function of the table is called by an expression that is held against MariaDB, or tested by itself")
  func coverage() throws {
    let lines = FunctionTable.markdown.split(separator: "\n").filter { $0.hasPrefix("| `") && $0.contains("(") }
    let names = lines.compactMap { $0.firstMatch(of: /`([A-Z][A-Z0-9_]*)\(/).map { String($0.output.1) } }
    #expect(names.count > 90)
    let elsewhere: Set = ["SUM", "AVG", "MIN", "MAX", "COUNT", "GROUP_CONCAT", "UUID", "CAST", "CONVERT", "IN"]
    let all = HandWritten.all.joined(separator: "\n").uppercased()
    for name in names where !elsewhere.contains(name) {
      #expect(all.contains("\(name)("), "no expression calls \(name)")
    }
  }
}
