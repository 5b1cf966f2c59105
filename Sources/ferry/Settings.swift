import FoundationEssentials
import Orders

/// Everything wrong with the settings, at once.
struct SettingsProblems: Error, CustomStringConvertible {
  let sentences: [String]
  var description: String { sentences.joined(separator: "\n") }
}

/// The settings of one process: read once, checked against the table, wrong ones refused.
///
/// Values come from the environment; a secret also from the file that `NAME_FILE` names. Nothing falls back to a
/// default because it could not be read.
struct Settings: Sendable {
  private let values: [SettingName: String]

  /// Reads and checks.
  /// - Parameters:
  ///   - environment: all of it; names that do not begin with `FERRY_` are somebody else's.
  ///   - roles: whose required settings must be there.
  init(environment: [String: String], roles: Set<Role>) throws(SettingsProblems) {
    var problems: [String] = []
    var values: [SettingName: String] = [:]
    var known: Set<String> = []
    for row in SettingRow.table {
      let name = row.name.rawValue
      known.insert(name)
      if row.isSecret { known.insert(name + "_FILE") }
      guard let raw = Self.raw(row, environment, &problems) else {
        if let standard = row.standard {
          values[row.name] = standard
        } else if !row.requiredBy.isDisjoint(with: roles) {
          let fileHint = row.isSecret ? " (or \(name)_FILE)" : ""
          problems.append("\(name) is missing\(fileHint): \(row.meaning)")
        }
        continue
      }
      if let complaint = row.kind.complaint(about: raw) {
        // A secret's value is never repeated.
        let shown = row.isSecret || raw.contains("@") ? "" : " «\(raw.prefix(80))»"
        problems.append("\(name)\(shown) \(complaint)")
      } else {
        values[row.name] = raw
      }
    }
    for name in environment.keys.sorted() where name.hasPrefix("FERRY_") && !known.contains(name) {
      let nearest = known.min { distance($0, name) < distance($1, name) } ?? ""
      problems.append("\(name) is unknown; the nearest known setting is \(nearest)")
    }
    self.values = values
    problems += contradictions()
    if !problems.isEmpty { throw SettingsProblems(sentences: problems) }
  }

  private static func raw(
    _ row: SettingRow, _ environment: [String: String], _ problems: inout [String]
  ) -> String? {
    let name = row.name.rawValue
    let value = environment[name]
    guard row.isSecret, let path = environment[name + "_FILE"] else { return value }
    if value != nil {
      problems.append("\(name) and \(name)_FILE are both set; set one")
      return value
    }
    guard let data = FileManager.default.contents(atPath: path) else {
      problems.append("\(name)_FILE names a file that cannot be read: \(path)")
      return row.standard
    }
    guard data.count <= 65536, let text = String(data: data, encoding: .utf8) else {
      problems.append("\(name)_FILE names a file that is not a short UTF-8 text: \(path)")
      return row.standard
    }
    return trimmed(text)
  }

  /// Relations between settings that are each fine alone.
  private func contradictions() -> [String] {
    guard let lease = values[.leaseSeconds].flatMap({ Int($0) }),
      let save = values[.k3SaveTimeout].flatMap({ Int($0) }), let visible = values[.k3Visible].flatMap({ Int($0) })
    else { return [] }
    let margin = Self.leaseMargin
    guard lease < save + visible + margin * 2 else { return [] }
    return [
      "FERRY_LEASE_SECONDS (\(lease)) must exceed FERRY_K3_SAVE_TIMEOUT_SECONDS (\(save)) and "
        + "FERRY_K3_VISIBLE_SECONDS (\(visible)) together by at least \(margin * 2)"
    ]
  }

  /// Seconds kept free at the end of a lease.
  static let leaseMargin = 10

  /// A text; empty when it is not set and not required.
  func text(_ name: SettingName) -> String { values[name] ?? "" }

  /// A whole number.
  func whole(_ name: SettingName) -> Int { values[name].flatMap { Int($0) } ?? 0 }

  /// A list of whole numbers.
  func wholes(_ name: SettingName) -> [Int] { text(name).split(separator: ",").compactMap { Int($0) } }

  /// A time.
  func time(_ name: SettingName) -> BeijingTime? { BeijingTime(text(name)) }
}

extension SettingKind {
  /// What is wrong with a value; nil when nothing is.
  func complaint(about value: String) -> String? {
    if value.utf8.contains(where: { $0 < 0x20 }) { return "holds a control character" }
    switch self {
    case .url(let schemes):
      guard let parts = URLComponents(string: value), let scheme = parts.scheme?.lowercased(),
        schemes.contains(scheme), let host = parts.host, !host.isEmpty
      else { return "is not an address of the form \(range)" }
      return nil
    case .text(let max):
      return value.isEmpty || value.count > max ? "must have 1 to \(max) characters" : nil
    case .name(let max):
      let isGood = value.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_.-".contains($0)) }
      return isGood && value.count <= max ? nil : "must be \(range)"
    case .schema(let max):
      let isGood =
        value.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
        && value.first?.isNumber == false && value.count <= max
      return isGood ? nil : "must be \(range)"
    case .whole(let range):
      guard let number = Int(value), range.contains(number) else { return "must be a whole number, \(self.range)" }
      return nil
    case .wholeList(let range, let max):
      let parts = value.split(separator: ",", omittingEmptySubsequences: false)
      let numbers = parts.compactMap { Int($0) }
      let isGood =
        !numbers.isEmpty && numbers.count == parts.count && numbers.count <= max
        && numbers.allSatisfy(range.contains) && zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }
      return isGood ? nil : "must be whole numbers with commas, \(self.range)"
    case .choice(let choices): return choices.contains(value) ? nil : "must be one of \(self.range)"
    case .time: return BeijingTime(value) == nil ? "must be written \(range)" : nil
    case .path: return value.isEmpty ? "must be a path" : nil
    }
  }
}

/// Without the space and line breaks at both ends, which editors leave in files.
private func trimmed(_ text: String) -> String {
  var slice = text[...]
  while let last = slice.last, last.isWhitespace { slice = slice.dropLast() }
  while let first = slice.first, first.isWhitespace { slice = slice.dropFirst() }
  return String(slice)
}

/// How many single changes turn one name into the other.
private func distance(_ left: String, _ right: String) -> Int {
  let a = Array(left.utf8)
  let b = Array(right.utf8)
  var row = Array(0...b.count)
  for (i, byte) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, other) in b.enumerated() {
      let above = row[j + 1]
      row[j + 1] = min(above + 1, row[j] + 1, diagonal + (byte == other ? 0 : 1))
      diagonal = above
    }
  }
  return row[b.count]
}
