import Foundation
import Testing

@testable import ferry

@Suite("Settings of the containers")
struct ContainerSettingsTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private func lines(_ file: String) throws -> [String] {
    try String(contentsOf: Self.root.appendingPathComponent(file), encoding: .utf8).split(separator: "\n").map {
      $0.trimmingCharacters(in: .whitespaces)
    }
  }

  @Test("compose.yaml hands every setting to some role, the secret ones as files, and knows no others")
  func compose() throws {
    let lines = try lines("compose.yaml")
    let handed = Set(lines.filter { $0.hasPrefix("FERRY_") }.map { $0.prefix { $0 != ":" } }.map(String.init))
    #expect(handed == Set(SettingRow.table.map { $0.name.rawValue + ($0.isSecret ? "_FILE" : "") }))
  }

  @Test(".env.example names every setting: with its default, as set by compose.yaml, or as a secret's file")
  func example() throws {
    let lines = try lines(".env.example")
    // In containers these are decided by compose.yaml.
    let decided: Set<SettingName> = [.strategies, .adminHost, .adminPort, .shutdownSeconds]
    for row in SettingRow.table {
      let name = row.name.rawValue
      if row.isSecret {
        #expect(!lines.contains { $0.contains(name + "=") }, "\(name)")
        #expect(lines.contains { $0.hasPrefix("#   \(name)_FILE ") }, "\(name)_FILE")
      } else if decided.contains(row.name) {
        #expect(lines.contains { $0.hasPrefix("#   \(name)=") }, "\(name)")
      } else {
        let line = row.standard.map { "#\(name)=\($0)" } ?? "\(name)="
        #expect(lines.contains(line), "\(line)")
      }
    }
  }

  @Test(".env.example names whatever compose.yaml takes from it, with the same default")
  func variables() throws {
    let whole = try String(contentsOf: Self.root.appendingPathComponent("compose.yaml"), encoding: .utf8)
    let lines = try lines(".env.example")
    let taken = whole.matches(of: #/\$\{([A-Z_]+):-([^}]*)\}/#).map { (String($0.output.1), String($0.output.2)) }
    #expect(Set(taken.map(\.0)).count > 10)
    for (name, standard) in taken where name != "SECRETS_FOLDER" {
      #expect(lines.contains("#\(name)=\(standard)"), "#\(name)=\(standard)")
    }
  }

  /// The names that begin with `FERRY_` in a text.
  private func names(in text: String) -> Set<String> {
    var found: Set<String> = []
    for part in text.split(whereSeparator: { !$0.isASCII || !($0.isLetter || $0.isNumber || $0 == "_") })
    where part.hasPrefix("FERRY_") && part.count > "FERRY_".count {
      found.insert(String(part))
    }
    return found
  }

  @Test("no file of a deployment names a setting that there is not, or a secret otherwise than as a file")
  func deployments() throws {
    let known = Set(SettingRow.table.map { $0.name.rawValue + ($0.isSecret ? "_FILE" : "") })
    let folders = ["deploy/kubernetes", "deploy/systemd"].map { Self.root.appendingPathComponent($0) }
    let files =
      folders.flatMap { FileManager.default.enumerator(at: $0, includingPropertiesForKeys: nil)?.allObjects ?? [] }
      .compactMap { $0 as? URL }.filter { !$0.hasDirectoryPath }
      + [".env.example", "compose.yaml", "deploy/demo.env"].map { Self.root.appendingPathComponent($0) }
    #expect(files.count > 15)
    for file in files {
      let unknown = try names(in: String(contentsOf: file, encoding: .utf8)).subtracting(known)
      #expect(unknown.isEmpty, "\(file.lastPathComponent): \(unknown.sorted())")
    }
  }

  /// What follows the first occurrence of a text, as a whole number.
  private func number(after text: String, in file: String) throws -> Int {
    let whole = try String(contentsOf: Self.root.appendingPathComponent(file), encoding: .utf8)
    let found = try #require(whole.range(of: text), "\(text) in \(file)")
    return try #require(Int(whole[found.upperBound...].prefix { $0.isNumber }), "\(text) in \(file)")
  }

  @Test("a loader has longer to stop than a Save may take, and is killed only after that")
  func stopping() throws {
    let save = try #require(SettingRow.table.first { $0.name == .k3SaveTimeout }?.standard.flatMap { Int($0) })
    for (budget, grace, file) in [
      ("${LOADER_SHUTDOWN_SECONDS:-", "${LOADER_STOP_GRACE:-", "compose.yaml"),
      (
        "name: FERRY_SHUTDOWN_SECONDS, value: \"", "terminationGracePeriodSeconds: ",
        "deploy/kubernetes/base/loader.yaml"
      ),
      ("FERRY_SHUTDOWN_SECONDS=", "TimeoutStopSec=", "deploy/systemd/ferry-load@.service"),
    ] {
      let seconds = try number(after: budget, in: file)
      #expect(seconds > save, "\(file)")
      #expect(try number(after: grace, in: file) > seconds, "\(file)")
    }
  }
}
