import ArgumentParser

struct SettingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings", abstract: "Prints the table of settings.")

  @Flag(help: "As a Markdown table.")
  var markdown = false

  func run() {
    print(markdown ? Self.markdownTable : Self.plainTable)
  }

  static var markdownTable: String {
    var lines = ["| Setting | Values | Default | Needed by | Meaning |", "|---|---|---|---|---|"]
    for row in SettingRow.table {
      let name = row.isSecret ? "`\(row.name.rawValue)` (or `…_FILE`)" : "`\(row.name.rawValue)`"
      lines.append("| \(name) | \(row.kind.range) | \(shown(row)) | \(needed(row)) | \(row.meaning) |")
    }
    return lines.joined(separator: "\n")
  }

  static var plainTable: String {
    SettingRow.table.map { row in
      let file = row.isSecret ? " (or \(row.name.rawValue)_FILE)" : ""
      let need = row.requiredBy.isEmpty ? "" : "; needed by \(needed(row))"
      let standard = row.standard.map { $0.isEmpty ? "; default empty" : "; default \($0)" } ?? ""
      return "\(row.name.rawValue)\(file)\n    \(row.meaning)\n    \(row.kind.range)\(standard)\(need)"
    }.joined(separator: "\n")
  }

  private static func shown(_ row: SettingRow) -> String {
    guard let standard = row.standard else { return "" }
    return standard.isEmpty ? "empty" : "`\(standard)`"
  }

  private static func needed(_ row: SettingRow) -> String {
    row.requiredBy == Role.all ? "all" : row.requiredBy.map(\.rawValue).sorted().joined(separator: ", ")
  }
}
