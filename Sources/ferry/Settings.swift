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
  /// Settings that are missing or wrong, or whose value may stand under a misspelt name.
  let unusable: Set<SettingName>
  /// The files that secrets came from.
  let files: [SettingName: String]

  /// Reads and checks.
  /// - Parameters:
  ///   - environment: all of it; names that do not begin with `FERRY_` are somebody else's.
  ///   - roles: whose required settings must be there.
  init(environment: [String: String], roles: Set<Role>) throws(SettingsProblems) {
    let (settings, problems) = Self.reading(environment, roles: roles)
    if !problems.isEmpty { throw SettingsProblems(sentences: problems) }
    self = settings
  }

  /// Reads as far as it can be read, for `ferry check`: what cannot be used has its default, or is empty.
  /// - Returns: the settings, and everything that is wrong with them.
  static func reading(_ environment: [String: String], roles: Set<Role>) -> (Settings, problems: [String]) {
    var reader = SettingsReader(environment: environment, roles: roles)
    for row in SettingRow.table { reader.read(row) }
    reader.refuseUnknownNames()
    let settings = Settings(values: reader.values, unusable: reader.unusable, files: reader.files)
    return (settings, reader.problems + settings.contradictions())
  }

  private init(values: [SettingName: String], unusable: Set<SettingName>, files: [SettingName: String]) {
    self.values = values
    self.unusable = unusable
    self.files = files
  }

  /// Relations between settings that are each fine alone.
  private func contradictions() -> [String] {
    [leaseContradiction(), floorContradiction()].compactMap { $0 }
  }

  private func floorContradiction() -> String? {
    guard unusable.isDisjoint(with: [.k3Concurrency, .k3ConcurrencyFloor]),
      whole(.k3ConcurrencyFloor) > whole(.k3Concurrency)
    else { return nil }
    return "FERRY_K3_CONCURRENCY_FLOOR (\(whole(.k3ConcurrencyFloor))) must not exceed FERRY_K3_CONCURRENCY "
      + "(\(whole(.k3Concurrency)))"
  }

  private func leaseContradiction() -> String? {
    guard unusable.isDisjoint(with: [.leaseSeconds, .k3SaveTimeout, .k3Visible]),
      let lease = values[.leaseSeconds].flatMap({ Int($0) }),
      let save = values[.k3SaveTimeout].flatMap({ Int($0) }), let visible = values[.k3Visible].flatMap({ Int($0) })
    else { return nil }
    let margin = Self.leaseMargin
    guard lease < save + visible + margin * 2 else { return nil }
    return "FERRY_LEASE_SECONDS (\(lease)) must exceed FERRY_K3_SAVE_TIMEOUT_SECONDS (\(save)) and "
      + "FERRY_K3_VISIBLE_SECONDS (\(visible)) together by at least \(margin * 2)"
  }

  /// What happens to a Save when a loader is stopped, a sentence; nil where each may come to its end. Nothing is lost by it.
  var shutdownNote: String? {
    guard unusable.isDisjoint(with: [.shutdownSeconds, .k3SaveTimeout]),
      whole(.shutdownSeconds) <= whole(.k3SaveTimeout)
    else { return nil }
    return "a loader that is stopped cuts off a Save that takes longer than FERRY_SHUTDOWN_SECONDS "
      + "(\(whole(.shutdownSeconds))), though it may take FERRY_K3_SAVE_TIMEOUT_SECONDS (\(whole(.k3SaveTimeout))): its bill is "
      + "in doubt and looked up later, not lost. Where Saves are slow set FERRY_SHUTDOWN_SECONDS of loaders to "
      + "\(whole(.k3SaveTimeout) + 5), and whatever stops them to some seconds more"
  }

  /// Seconds kept free at the end of a lease.
  static let leaseMargin = 10

  /// A text; empty when it is not set and not required.
  func text(_ name: SettingName) -> String { values[name] ?? "" }

  /// Whether it holds something else than what it has when it is not set.
  func isOwn(_ name: SettingName) -> Bool {
    SettingRow.table.contains { $0.name == name && $0.standard != values[name] }
  }

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
      return Self.address(value, schemes) == nil ? "is not an address of the form \(range)" : nil
    case .vendor(let takesPath):
      guard let parts = Self.address(value, ["https", "http"]) else {
        return "is not an address of the form \(range)"
      }
      return Self.complaint(about: parts, takesPath: takesPath)
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
    case .optionalFile where value.isEmpty: return nil
    case .file, .optionalFile:
      return FileManager.default.isReadableFile(atPath: value) ? nil : "is no file that can be read"
    }
  }

  private static func address(_ value: String, _ schemes: [String]) -> URLComponents? {
    guard let parts = URLComponents(string: value), let scheme = parts.scheme?.lowercased(), schemes.contains(scheme),
      let host = parts.host, !host.isEmpty
    else { return nil }
    return parts
  }

  /// What a vendor's address must not hold: none of it would reach the vendor.
  private static func complaint(about parts: URLComponents, takesPath: Bool) -> String? {
    var surplus: [String] = []
    if parts.user != nil || parts.password != nil { surplus.append("a user or password before the @") }
    if parts.query != nil { surplus.append("a query behind the ?") }
    if parts.fragment != nil { surplus.append("a fragment behind the #") }
    if !surplus.isEmpty {
      return "must not hold \(surplus.joined(separator: ", nor ")); who logs in is said by settings of their own"
    }
    guard !takesPath, !parts.path.isEmpty, parts.path != "/", let scheme = parts.scheme, let host = parts.host else {
      return nil
    }
    return "must be the base address without a path, \(scheme)://\(host)\(parts.port.map { ":\($0)" } ?? ""): "
      + "Ferry adds /v1/… itself"
  }
}
