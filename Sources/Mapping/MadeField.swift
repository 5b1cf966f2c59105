import JSON
import Orders

/// A field that the source's `formatResponse` adds to an order (mapping-language.md §9).
struct MadeField: Sendable {
  let from: Path
  let name: Path
  let format: Format

  /// What is made of the value. Where the manual gives only a name, the form is ours: docs and tests pin it.
  enum Format: Sendable, Hashable {
    case string
    /// `yyyy-MM-dd`
    case date
    /// `HH:mm:ss`
    case time
    /// `yyyy-MM-dd HH:mm:ss`
    case dateTime
    /// `MM-dd`
    case shortDate
    /// `HH:mm`
    case shortTime
    /// `MM-dd HH:mm`
    case shortDateTime
    /// `2024年1月29日`
    case dateDescription
    /// The first characters, and `…` where there are more.
    case longText(Int)
    /// A whole number; what is behind the point is cut off.
    case intval
    case round(Int)
    /// `￥1,000,000.00`
    case amount
    /// A list as one text.
    case implode(String)

    /// Reads `name`, `name(n)` or `name('text')`.
    init?(_ text: String) {
      let parts = text.split(separator: "(", maxSplits: 1, omittingEmptySubsequences: false)
      var argument: String?
      if parts.count == 2 {
        guard parts[1].hasSuffix(")") else { return nil }
        argument = trimmed(parts[1].dropLast())
      }
      let plain: [String: Format] = [
        "string": .string, "date": .date, "time": .time, "datetime": .dateTime, "shortdate": .shortDate,
        "shorttime": .shortTime, "shortdatetime": .shortDateTime, "datedescription": .dateDescription,
        "intval": .intval, "amount": .amount,
      ]
      switch trimmed(parts[0]).lowercased() {
      case "longtext":
        guard let count = Self.count(argument, else: 15), count > 0 else { return nil }
        self = .longText(count)
      case "round":
        guard let places = Self.count(argument, else: 2), places <= 20 else { return nil }
        self = .round(places)
      case "implode": self = .implode(argument.map(Self.unquoted) ?? ",")
      case let name:
        guard argument?.isEmpty ?? true, let format = plain[name] else { return nil }
        self = format
      }
    }

    static let names = [
      "string", "date", "time", "dateTime", "shortDate", "shortTime", "shortDateTime", "dateDescription", "longText(n)",
      "intval", "round(n)", "amount", "implode('sep')",
    ]

    private static func count(_ argument: String?, else usual: Int) -> Int? {
      guard let argument, !argument.isEmpty else { return usual }
      return Int(argument).flatMap { (0...10_000).contains($0) ? $0 : nil }
    }

    private static func unquoted(_ text: String) -> String {
      guard text.count > 1, let first = text.first, first == "'" || first == "\"", text.last == first else {
        return text
      }
      return String(text.dropFirst().dropLast())
    }

    /// The made value; nothing stays nothing.
    func applied(to value: Value, name: String) throws(ValueError) -> Value {
      if value.isEmpty { return .nothing }
      switch self {
      case .string: return .text(try Self.text(value, name))
      case .longText(let count):
        let text = try Self.text(value, name)
        let end = text.index(text.startIndex, offsetBy: count, limitedBy: text.endIndex) ?? text.endIndex
        return .text(end == text.endIndex ? text : text[..<end] + "…")
      case .implode(let separator):
        guard case .structure(let list) = value, list.kind == .array else {
          return .text(try Self.text(value, name))
        }
        var texts: [String] = []
        for element in list.elements {
          texts.append(try Self.text(Value(element, name: name), "an element of \(name)"))
        }
        return .text(texts.joined(separator: separator))
      case .intval, .round, .amount:
        guard let number = value.number else { throw .unfit(name, wanted: "a number", kind: value.kind) }
        return try Self.made(number, self, name)
      default:
        guard let time = Filter.time(value) else { throw .unfit(name, wanted: "a date", kind: value.kind) }
        return .text(Self.made(time, self))
      }
    }

    /// A list or an object has no text.
    private static func text(_ value: Value, _ name: String) throws(ValueError) -> String {
      if case .structure = value, !value.isEmpty { throw .unfit(name, wanted: "a single value", kind: value.kind) }
      return value.text
    }

    private static func made(_ number: ExactDecimal, _ format: Format, _ name: String) throws(ValueError) -> Value {
      switch format {
      case .intval:
        do throws(ArithmeticError) { return .number(try number.divided(by: .one, digits: 0)) } catch {
          throw .overflow(name)
        }
      case .round(let places): return .number(number.rounded(scale: places))
      default: return .text(grouped(number.rounded(scale: 2)))
      }
    }

    /// Two decimals, and a comma before every three digits.
    private static func grouped(_ number: ExactDecimal) -> String {
      let parts = number.magnitude.description.split(separator: ".")
      let whole = parts[0]
      var text = ""
      for (position, digit) in whole.enumerated() {
        if position > 0, (whole.count - position).isMultiple(of: 3) { text += "," }
        text.append(digit)
      }
      let decimals = parts.count > 1 ? String(parts[1]) : ""
      return (number.isNegative ? "-￥" : "￥") + text + "." + decimals
        + String(repeating: "0", count: 2 - decimals.count)
    }

    private static func made(_ time: BeijingTime, _ format: Format) -> String {
      let (date, clock) = (time.date, time.description.suffix(8))
      switch format {
      case .time: return String(clock)
      case .dateTime: return time.description
      case .shortDate: return String(date.suffix(5))
      case .shortTime: return String(clock.prefix(5))
      case .shortDateTime: return "\(date.suffix(5)) \(clock.prefix(5))"
      case .dateDescription:
        let parts = date.split(separator: "-").map { String(Int($0) ?? 0) }
        return "\(parts[0])年\(parts[1])月\(parts[2])日"
      default: return date
      }
    }
  }

  /// Reads the rules of `formatResponse`.
  static func read(_ rules: JSONValue?, _ problems: inout ProblemList) -> [MadeField] {
    guard let rules, !rules.isNull else { return [] }
    if rules.kind != .array { problems.report("must be a list", at: "formatResponse", rules) }
    var result: [MadeField] = []
    for (position, rule) in rules.elements.enumerated() {
      let place = "formatResponse[\(position)]"
      let (old, new) = (Path(rule["old"]?.string ?? ""), Path(rule["new"]?.string ?? ""))
      guard !old.segments.isEmpty, !new.segments.isEmpty else {
        problems.report("needs «old» and «new»", at: place, rule)
        continue
      }
      guard let format = rule["format"]?.string.flatMap(Format.init) else {
        problems.report("the format is one of \(Format.names.joined(separator: ", "))", at: place, rule)
        continue
      }
      if result.contains(where: { $0.name == old }), old != new {
        problems.warn(
          "«\(excerpt(old.text))» is made by an earlier rule; rules read the order's own fields only", at: place, rule)
      }
      result.append(MadeField(from: old, name: new, format: format))
    }
    return result
  }
}
