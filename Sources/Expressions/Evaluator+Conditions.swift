import JSON
import PCRE2

// Truth, comparisons, CASE.
extension Evaluator {
  /// Whether a value counts as true; nil for null.
  func truth(_ value: SQLValue) -> Bool? { plainNumber(value).map { !$0.isZero } }

  /// AND and OR: the result is known as soon as one side is `decisive`.
  mutating func all(_ node: Node, until decisive: Bool) throws(EvaluationError) -> SQLValue {
    var sawNull = false
    for index in 0..<Int(node.count) {
      switch truth(try value(program.child(node, index))) {
      case nil: sawNull = true
      case .some(let found): if found == decisive { return .init(decisive) }
      }
    }
    return sawNull ? .null : .init(!decisive)
  }

  mutating func exclusive(_ node: Node) throws(EvaluationError) -> SQLValue {
    var result: Bool? = false
    for index in 0..<Int(node.count) {
      guard let found = truth(try value(program.child(node, index))), let before = result else {
        result = nil
        continue
      }
      result = before != found
    }
    return .init(result)
  }

  /// The value of an argument for which the author says what comes in the place of null: below it something missing or a
  /// divisor of 0 makes null in strict mode too, so that both settings come to the same value.
  mutating func lenient(_ at: Int32) throws(EvaluationError) -> SQLValue {
    let before = seesNull
    seesNull = true
    defer { seesNull = before }
    return try value(at)
  }

  mutating func isTruth(_ node: Node) throws(EvaluationError) -> SQLValue {
    let place = program.child(node, 0)
    let holds: Bool
    switch Truth(rawValue: node.option) {
    case .isTrue: holds = truth(try value(place)) == true
    case .isFalse: holds = truth(try value(place)) == false
    default: holds = try lenient(place).isNull
    }
    return .init(holds != node.isNegated)
  }

  mutating func comparison(_ node: Node) throws(EvaluationError) -> SQLValue {
    var left = try value(program.child(node, 0))
    var index = 1
    while index < Int(node.count) {
      let right = try value(program.child(node, index + 1))
      let symbol = Comparison(rawValue: program.child(node, index)) ?? .equal
      if let order = try compare(left, right) {
        left = .init(symbol.holds(order))
      } else {
        left = symbol == .safeEqual ? .init(left.isNull && right.isNull) : .null
      }
      index += 2
    }
    return left
  }

  /// Below 0, 0 or above 0, by MySQL's rules for mixed kinds; nil when one is null.
  mutating func compare(_ left: SQLValue, _ right: SQLValue) throws(EvaluationError) -> Int? {
    switch (left, right) {
    case (.null, _), (_, .null): return nil
    case (.number(let a), .number(let b)): return a == b ? 0 : a < b ? -1 : 1
    case (.text(let a), .text(let b)):
      try spend(a.utf8.count + b.utf8.count)
      return Collation.compare(a, b)
    case (.date, _), (.dateTime, _), (.time, _), (_, .date), (_, .dateTime), (_, .time):
      return compareTimes(left, right)
    default: return compareNumbers(left, right)
    }
  }

  func compareNumbers(_ left: SQLValue, _ right: SQLValue) -> Int? {
    guard let a = plainNumber(left), let b = plainNumber(right) else { return nil }
    return a == b ? 0 : a < b ? -1 : 1
  }

  /// One at least is a date or a time. What cannot be read as one comes before all.
  private func compareTimes(_ left: SQLValue, _ right: SQLValue) -> Int? {
    func isTime(_ value: SQLValue) -> Bool { if case .time = value { true } else { false } }
    func isDate(_ value: SQLValue) -> Bool {
      switch value {
      case .date, .dateTime: true
      default: false
      }
    }
    if !isDate(left), !isDate(right) {
      let a = timeOfDay(left).map(\.total) ?? Int.min
      let b = timeOfDay(right).map(\.total) ?? Int.min
      return a == b ? 0 : a < b ? -1 : 1
    }
    switch (moment(left), moment(right)) {
    case (nil, nil): return 0
    case (nil, _): return -1
    case (_, nil): return 1
    case (let a?, let b?): return a == b ? 0 : a < b ? -1 : 1
    }
  }

  // MARK: IN, BETWEEN, CASE

  mutating func inList(_ node: Node) throws(EvaluationError) -> SQLValue {
    let wanted = try value(program.child(node, 0))
    if wanted.isNull { return .null }
    var sawNull = false
    for index in 1..<Int(node.count) {
      switch try compare(wanted, try value(program.child(node, index))) {
      case 0: return .init(!node.isNegated)
      case nil: sawNull = true
      default: break
      }
    }
    return sawNull ? .null : .init(node.isNegated)
  }

  mutating func between(_ node: Node) throws(EvaluationError) -> SQLValue {
    let middle = try value(program.child(node, 0))
    let lower = try value(program.child(node, 1))
    let upper = try value(program.child(node, 2))
    if middle.isNull { return .null }
    let values = [middle, lower, upper]
    let below: Int?
    let above: Int?
    if values.contains(where: \.isNumber), !values.contains(where: \.isTemporal) {
      // A number among texts makes all of them numbers.
      (below, above) = (compareNumbers(middle, lower), compareNumbers(middle, upper))
    } else {
      (below, above) = (try compare(middle, lower), try compare(middle, upper))
    }
    if let below, below < 0 { return .init(node.isNegated) }
    if let above, above > 0 { return .init(node.isNegated) }
    return below == nil || above == nil ? .null : .init(!node.isNegated)
  }

  mutating func choice(_ node: Node) throws(EvaluationError) -> SQLValue {
    let count = Int(node.count)
    let isSimple = node.kind == .simpleCase
    var index = isSimple ? 1 : 0
    let wanted = isSimple ? try value(program.child(node, 0)) : .null
    while index + 1 < count {
      let candidate = try value(program.child(node, index))
      let isChosen = isSimple ? try compare(wanted, candidate) == 0 : truth(candidate) == true
      if isChosen { return try value(program.child(node, index + 1)) }
      index += 2
    }
    return index < count ? try value(program.child(node, index)) : .null
  }

  // MARK: Patterns

  mutating func like(_ node: Node) throws(EvaluationError) -> SQLValue {
    guard var text = try self.text(program.child(node, 0)), var pattern = try self.text(program.child(node, 1)) else {
      return .null
    }
    var escape: UInt32? = 0x5C
    if node.count > 2 {
      let symbol = try self.text(program.child(node, 2)) ?? "\\"
      guard symbol.unicodeScalars.count <= 1 else { throw .invalid("ESCAPE takes one character") }
      escape = symbol.unicodeScalars.first?.value
    }
    var searching = Searching(maxWork: settings.maxSteps << 6)
    let isLike = text.withUTF8 { a in pattern.withUTF8 { b in searching.isLike(a, b, escape: escape) } }
    try spend(searching.work)
    guard let isLike else { throw .limit("LIKE takes too many steps") }
    return .init(isLike != node.isNegated)
  }

  mutating func regexp(_ node: Node) throws(EvaluationError) -> SQLValue {
    guard var text = try self.text(program.child(node, 0)),
      let pattern = try pattern(program.child(node, 1), node.index)
    else { return .null }
    try spend(text.utf8.count)
    switch text.withUTF8({ pattern.firstMatch(in: $0) }) {
    case .none: return .init(node.isNegated)
    case .found: return .init(!node.isNegated)
    case .limit: throw .limit("the pattern takes too many steps on this text")
    }
  }

  /// The compiled pattern; nil when it is null.
  mutating func pattern(_ at: Int32, _ index: Int32) throws(EvaluationError) -> Pattern? {
    if index >= 0 { return program.patterns[Int(index)] }
    guard let source = try text(at) else { return nil }
    // Compiling costs far more than a step.
    try spend(source.utf8.count << 6)
    do throws(PatternError) {
      return try Pattern(source, ignoresCase: true)
    } catch {
      throw .invalid("the pattern cannot be used: \(error.message)")
    }
  }
}

extension SQLValue {
  var isNumber: Bool {
    switch self {
    case .number, .bool: true
    default: false
    }
  }

  var isText: Bool { if case .text = self { true } else { false } }

  var isTemporal: Bool {
    switch self {
    case .date, .dateTime, .time: true
    default: false
    }
  }
}
