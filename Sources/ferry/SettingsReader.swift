import FoundationEssentials
import Orders

/// Reads the rows of the settings table one by one and gathers what is wrong.
struct SettingsReader {
  private let environment: [String: String]
  private let roles: Set<Role>
  private(set) var values: [SettingName: String] = [:]
  private(set) var unusable: Set<SettingName> = []
  private(set) var problems: [String] = []
  /// The files that secrets come from.
  private(set) var files: [SettingName: String] = [:]

  init(environment: [String: String], roles: Set<Role>) {
    self.environment = environment
    self.roles = roles
  }

  /// What stands in the environment under a name.
  private enum Raw {
    case nothing
    case text(String)
    /// It cannot be read; the sentence says why.
    case unreadable(String)
  }

  /// One problem at most for each row.
  mutating func read(_ row: SettingRow) {
    if let problem = problem(with: row) {
      problems.append(problem)
      unusable.insert(row.name)
    }
    if values[row.name] == nil { values[row.name] = row.standard }
  }

  private mutating func problem(with row: SettingRow) -> String? {
    let name = row.name.rawValue
    switch raw(row) {
    case .unreadable(let sentence): return sentence
    case .nothing:
      guard row.standard == nil, !row.requiredBy.isDisjoint(with: roles) else { return nil }
      return "\(name) is missing\(row.isSecret ? " (or \(name)_FILE)" : ""): \(row.meaning)"
    case .text(let text):
      if let complaint = row.kind.complaint(about: text) {
        // A secret's value is never repeated, nor what may hold one: user and password, or a query.
        let isPrivate = row.isSecret || text.contains("@") || text.contains("?")
        return "\(name)\(isPrivate ? "" : " «\(text.prefix(80))»") \(complaint)"
      }
      values[row.name] = text
      return nil
    }
  }

  private mutating func raw(_ row: SettingRow) -> Raw {
    let name = row.name.rawValue
    let value = environment[name]
    guard row.isSecret, let path = environment[name + "_FILE"] else { return value.map(Raw.text) ?? .nothing }
    if let value {
      let emptiness = value.isEmpty ? " (\(name) to an empty text)" : ""
      return .unreadable("\(name) and \(name)_FILE are both set\(emptiness); unset one of them")
    }
    guard let data = FileManager.default.contents(atPath: path) else {
      return .unreadable("\(name)_FILE names a file that cannot be read: \(path)")
    }
    guard data.count <= 65536, let text = String(data: data, encoding: .utf8) else {
      return .unreadable("\(name)_FILE names a file that is not a short UTF-8 text: \(path)")
    }
    files[row.name] = path
    return .text(trimmed(text))
  }

  /// Names that begin with `FERRY_` and are in no row.
  mutating func refuseUnknownNames() {
    var known: Set<String> = []
    for row in SettingRow.table {
      known.insert(row.name.rawValue)
      if row.isSecret { known.insert(row.name.rawValue + "_FILE") }
    }
    for name in environment.keys.sorted() where name.hasPrefix("FERRY_") && !known.contains(name) {
      if name.hasSuffix("_FILE"), let setting = SettingName(rawValue: String(name.dropLast(5))) {
        problems.append("\(name) is unknown: only secrets come from a file; set \(setting.rawValue)")
        doubt(setting.rawValue)
      } else if let meant = Self.meant(by: name, known) {
        problems.append("\(name) is unknown; is \(meant) meant?")
        doubt(meant)
      } else {
        problems.append("\(name) is unknown; ferry settings prints all there are")
      }
    }
  }

  /// A setting that is not set, while its value seems to stand under a wrong name, does not mean its default.
  private mutating func doubt(_ meant: String) {
    let name = meant.hasSuffix("_FILE") ? String(meant.dropLast(5)) : meant
    guard let setting = SettingName(rawValue: name), environment[meant] == nil else { return }
    unusable.insert(setting)
  }

  /// The one known name that goes on where this one ends (`FERRY_LEASE`), or the one that it is a slip of.
  private static func meant(by name: String, _ known: Set<String>) -> String? {
    let start = "FERRY_".count
    let longer = known.filter { $0.hasPrefix(name + "_") && !$0.hasSuffix("_FILE") }
    if longer.count == 1 { return longer.first }
    // Without what all names share, which would make every name a near one.
    return Spelling.nearest(
      to: String(name.dropFirst(start)), among: known.sorted().map { String($0.dropFirst(start)) }
    )
    .map { "FERRY_" + $0 }
  }
}

/// Without the space and line breaks at both ends, which editors leave in files.
private func trimmed(_ text: String) -> String {
  var slice = text[...]
  while let last = slice.last, last.isWhitespace { slice = slice.dropLast() }
  while let first = slice.first, first.isWhitespace { slice = slice.dropFirst() }
  return String(slice)
}
