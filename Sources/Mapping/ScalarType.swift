import JSON

/// What a value is written as (mapping-language.md §4).
enum ScalarType: Sendable {
  /// As it was produced.
  case string
  case number
  /// A number without decimals.
  case integer
  case bool
  /// A time, in one of the filters' forms.
  case time(Filter)

  /// By a type's name: in any case, with or without spaces, dashes and underscores.
  init?(typeName: String) {
    switch Self.plain(typeName) {
    // «SQL statement» is a text to us.
    case "string", "text", "sql", "sqlstatement": self = .string
    case "int", "integer", "long", "bigint": self = .integer
    case "float", "number", "decimal", "double", "numeric": self = .number
    case "bool", "boolean": self = .bool
    case "datetime", "longdatetime", "longdate": self = .time(.datetime)
    case "date", "shortdate": self = .time(.date)
    case "timestamp", "secondtimestamp", "timestampsecond", "timestamps": self = .time(.timestamp)
    case "mstimestamp", "millisecondtimestamp", "timestampmillisecond", "timestampms": self = .time(.milliseconds)
    default: return nil
    }
  }

  /// A type's name without case, spaces, dashes and underscores.
  static func plain(_ name: String) -> String {
    name.lowercased().filter { $0 != " " && $0 != "-" && $0 != "_" }
  }

  /// The value as JSON.
  /// - Parameters:
  ///   - decimals: how many a number keeps at most; nil: all.
  ///   - source: what the value is called in messages.
  func written(_ value: Value, decimals: Int?, source: String) throws(ValueError) -> JSONTree {
    func unfit(_ wanted: String) -> ValueError { .unfit(source, wanted: wanted, kind: value.kind) }
    func number() throws(ValueError) -> ExactDecimal {
      guard let number = value.number else { throw unfit("a number") }
      return decimals.map { number.rounded(scale: $0).normalized } ?? number
    }
    switch self {
    case .string:
      if decimals != nil { return .string(try number().description) }
      if case .structure = value { throw unfit("a text") }
      return .string(value.text)
    case .number: return .number(try number())
    case .integer:
      let whole = try number().normalized
      guard whole.scale == 0 else { throw unfit("a number without decimals") }
      return .number(whole)
    case .bool:
      switch value.text.lowercased() {
      case "true", "1": return .bool(true)
      case "false", "0": return .bool(false)
      default: throw unfit("a boolean")
      }
    case .time(let form):
      let time = try form.applied(to: value, name: source)
      if case .number(let number) = time { return .number(number) }
      return .string(time.text)
    }
  }
}
