import Foundation
import Testing

@testable import ferry

@Suite("Settings of the containers")
struct ContainerSettingsTests {
  private func lines(_ file: String) throws -> [String] {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8).split(separator: "\n").map {
      $0.trimmingCharacters(in: .whitespaces)
    }
  }

  @Test("compose.yaml hands every setting to some role, the secret ones as files, and knows no others")
  func compose() throws {
    let lines = try lines("compose.yaml")
    let handed = Set(lines.filter { $0.hasPrefix("FERRY_") }.map { $0.prefix { $0 != ":" } }.map(String.init))
    #expect(handed == Set(SettingRow.table.map { $0.name.rawValue + ($0.isSecret ? "_FILE" : "") }))
  }

  @Test(".env.example names every setting that an operator sets there, with its default")
  func example() throws {
    let lines = try lines(".env.example")
    // In containers these are decided by compose.yaml.
    let decided: Set<SettingName> = [
      .strategies, .certificateAuthorities, .adminHost, .adminPort, .shutdownSeconds,
    ]
    for row in SettingRow.table where !row.isSecret && !decided.contains(row.name) {
      let line = row.standard.map { "#\(row.name.rawValue)=\($0)" } ?? "\(row.name.rawValue)="
      #expect(lines.contains(line), "\(line)")
    }
    for row in SettingRow.table where row.isSecret {
      #expect(!lines.contains { $0.contains(row.name.rawValue + "=") }, "\(row.name.rawValue)")
    }
  }
}
