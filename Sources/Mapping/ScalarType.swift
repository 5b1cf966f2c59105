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
  ///   - rules: how many decimals a number keeps at most, and whether it may lose any.
  ///   - source: what the value is called in messages.
  func written(_ value: Value, _ rules: FieldRules, source: String) throws(ValueError) -> JSONTree {
    func unfit(_ wanted: String) -> ValueError { .unfit(source, wanted: wanted, kind: value.kind) }
    func number() throws(ValueError) -> ExactDecimal {
      guard let number = value.number else { throw unfit("a number") }
      if let minimum = rules.minimum, number < minimum {
        throw .unfit(source, wanted: "at least \(minimum)", kind: "less")
      }
      guard let decimals = rules.decimals else { return number }
      let rounded = number.rounded(scale: decimals).normalized
      if rules.isExact, rounded != number {
        throw .unfit(
          source, wanted: "a number of at most \(decimals) decimals", kind: "one of \(number.normalized.scale)")
      }
      return rounded
    }
    switch self {
    case .string:
      if rules.decimals != nil || rules.minimum != nil { return .string(try number().description) }
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
