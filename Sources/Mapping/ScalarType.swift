import JSON

/// What a value is written as (mapping-language.md §4).
enum ScalarType: Sendable {
  /// As it was produced, numbers in their own spelling as a text.
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
  /// - Parameter field: whose rules say how many decimals a number keeps at most, and whether it may lose any. The field, not
  ///   its rules: those are many references, and this runs for every value of every order.
  func written(_ value: Value, for field: FieldDescriptor) throws(ValueError) -> JSONTree {
    switch self {
    case .string:
      if field.isNumber { return .digits(try Self.number(value, field)) }
      if case .structure = value { throw Self.unfit(value, field, "a text") }
      // Sent as produced: true and false of a formula are booleans (mapping-language.md §4, §6.2).
      if case .bool(let flag) = value, case .function = field.form { return .bool(flag) }
      return .string(value.text)
    case .number: return .number(try Self.number(value, field))
    case .integer:
      let whole = Self.settled(try Self.number(value, field), field).normalized
      guard whole.scale == 0 else {
        throw .unfit(Self.made(field), wanted: "a number without decimals", kind: "a number with decimals")
      }
      return .number(whole)
    case .bool:
      switch value.text.lowercased() {
      case "true", "1": return .bool(true)
      case "false", "0": return .bool(false)
      default: throw .unfit(Self.made(field), wanted: "a boolean", kind: value.kind)
      }
    case .time(let form):
      let time = try form.applied(to: value, name: field.source, field.rules.zone)
      if case .number(let number) = time { return .number(number) }
      return .string(time.text)
    }
  }

  /// A formula's result is none of the fields that it reads.
  private static func made(_ field: FieldDescriptor) -> String {
    if case .function = field.form, !field.operands.isEmpty { return "what the formula makes of \(field.source)" }
    return field.source
  }

  private static func unfit(_ value: Value, _ field: FieldDescriptor, _ wanted: String) -> ValueError {
    .unfit(field.source, wanted: wanted, kind: value.kind)
  }

  /// A number that fits is left with the decimals it has.
  private static func fitted(_ number: ExactDecimal, _ decimals: Int) -> ExactDecimal {
    number.scale > decimals ? number.rounded(scale: decimals).normalized : number
  }

  /// What a formula makes without the last digits of a quotient, as its own ROUND would take it.
  private static func settled(_ number: ExactDecimal, _ field: FieldDescriptor) -> ExactDecimal {
    guard case .function = field.form, field.rules.isDivisionExact else { return number }
    return number.settled()
  }

  private static func number(_ value: Value, _ field: FieldDescriptor) throws(ValueError) -> ExactDecimal {
    guard var number = value.number else { throw unfit(value, field, "a number") }
    let short = settled(number, field)
    if let minimum = field.rules.minimum, short < minimum {
      throw .unfit(field.source, wanted: "at least \(minimum)", kind: "less")
    }
    if let decimals = field.rules.finalDecimals, decimals < short.scale { number = short }
    guard let decimals = field.rules.decimals else {
      return field.rules.usualDecimals.map { fitted(number, $0) } ?? number
    }
    let rounded = number.rounded(scale: decimals).normalized
    if field.rules.isExact, rounded != number {
      throw .unfit(
        field.source, wanted: "a number of at most \(decimals) decimals", kind: "one of \(number.normalized.scale)")
    }
    return rounded
  }
}
