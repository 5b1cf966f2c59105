import JSON
import PCRE2

// Truth, comparisons, CASE.
extension Evaluator {
  /// AND and OR: the result is known as soon as one side is `decisive`.
  func all(_ node: Node, until decisive: Bool) throws(EvaluationError) -> SQLValue {
    var sawNull = false
    for index in 0..<Int(node.count) {
      switch try truth(child(node, index)) {
      case nil: sawNull = true
      case .some(let found): if found == decisive { return .init(decisive) }
      }
    }
    return sawNull ? .null : .init(!decisive)
  }

  func exclusive(_ node: Node) throws(EvaluationError) -> SQLValue {
    var result: Bool? = false
    for index in 0..<Int(node.count) {
      guard let found = try truth(child(node, index)), let before = result else {
        result = nil
        continue
      }
      result = before != found
    }
    return .init(result)
  }

  /// The value of an argument for which the author says what comes in the place of null: below it something missing or a
  /// divisor of 0 makes null in strict mode too, so that both settings come to the same value.
  func lenient(_ at: Int32) throws(EvaluationError) -> SQLValue {
    let before = seesNull
    seesNull = true
    defer { seesNull = before }
    return try value(at)
  }

  func isTruth(_ node: Node) throws(EvaluationError) -> SQLValue {
    let place = child(node, 0)
    guard let truth = Truth(rawValue: node.option), truth != .null else {
      return .init(try lenient(place).isNull != node.isNegated)
    }
    let value = try orNull(place)
    let holds = value.isNull ? false : try self.truth(value, place) == (truth == .isTrue)
    return .init(holds != node.isNegated)
  }

  func comparison(_ node: Node) throws(EvaluationError) -> SQLValue {
    let first = child(node, 0)
    var left = node.knowsNull(program, 1) ? try orNull(first) : try value(first)
    var index = 1
    while index < Int(node.count) {
      let place = child(node, index + 1)
      let symbol = Comparison(rawValue: child(node, index)) ?? .equal
      let knowsNull = symbol == .safeEqual
      let right = knowsNull || node.knowsNull(program, index + 2) ? try orNull(place) : try value(place)
      if let order = try compare(left, right, at: (first, place), knowsNull: knowsNull) {
        left = .init(symbol.holds(order))
      } else {
        left = knowsNull ? .init(left.isNull && right.isNull) : .null
      }
      index += 2
    }
    return left
  }

  // MARK: IN, BETWEEN, CASE

  func inList(_ node: Node) throws(EvaluationError) -> SQLValue {
    let first = child(node, 0)
    let wanted = try value(first)
    if wanted.isNull { return .null }
    var sawNull = false
    var failure: EvaluationError?
    for index in 1..<Int(node.count) {
      let place = child(node, index)
      let candidate = try value(place)
      do throws(EvaluationError) {
        switch try compare(wanted, candidate, at: (first, place)) {
        case 0: return .init(!node.isNegated)
        case nil: sawNull = true
        default: break
        }
      } catch {
        // What stands behind may be it: the order of the list says nothing.
        if case .unfit = error { failure = failure ?? error } else { throw error }
      }
    }
    if let failure { throw failure }
    return sawNull ? .null : .init(node.isNegated)
  }

  func between(_ node: Node) throws(EvaluationError) -> SQLValue {
    let places = (child(node, 0), child(node, 1), child(node, 2))
    let (middle, lower, upper) = (try value(places.0), try value(places.1), try value(places.2))
    if middle.isNull { return .null }
    let values = [middle, lower, upper]
    let (first, second) = ((places.0, places.1), (places.0, places.2))
    let below: Int?
    let above: Int?
    if values.contains(where: \.isNumber), !values.contains(where: \.isTemporal) {
      // A number among texts makes all of them numbers.
      below = try compareNumbers(middle, lower, at: first)
      above = try compareNumbers(middle, upper, at: second)
    } else {
      (below, above) = (try compare(middle, lower, at: first), try compare(middle, upper, at: second))
    }
    if let below, below < 0 { return .init(node.isNegated) }
    if let above, above > 0 { return .init(node.isNegated) }
    return below == nil || above == nil ? .null : .init(!node.isNegated)
  }

  func choice(_ node: Node) throws(EvaluationError) -> SQLValue {
    let count = Int(node.count)
    let first = child(node, 0)
    let isSimple = node.kind == .simpleCase
    var index = isSimple ? 1 : 0
    let wanted = isSimple ? try value(first) : .null
    while index + 1 < count {
      let place = child(node, index)
      let candidate = try value(place)
      let isChosen =
        isSimple ? try compare(wanted, candidate, at: (first, place)) == 0 : try truth(candidate, place) == true
      if isChosen { return try value(child(node, index + 1)) }
      index += 2
    }
    return index < count ? try value(child(node, index)) : .null
  }

  // MARK: FIELD, GREATEST, LEAST

  func field(_ node: Node) throws(EvaluationError) -> SQLValue {
    let all = try values(node)
    let first = child(node, 0)
    guard let wanted = all.first, !wanted.isNull else { return .init(0) }
    let areTexts = all.allSatisfy { $0.isText || $0.isNull }
    for (index, candidate) in all.enumerated().dropFirst() {
      let places = (first, child(node, index))
      let order =
        areTexts ? try compare(wanted, candidate, at: places) : try compareNumbers(wanted, candidate, at: places)
      if order == 0 { return .init(index) }
    }
    return .init(0)
  }

  /// The largest or smallest; null where one is null.
  /// - Parameter place: of the value with this number.
  func extreme(
    _ values: [SQLValue], wantsLargest: Bool, place: (Int) -> Int32
  ) throws(EvaluationError) -> SQLValue {
    guard var best = values.first, !values.contains(where: \.isNull) else { return .null }
    // Booleans among themselves stay what they are.
    let areBooleans = values.allSatisfy { if case .bool = $0 { true } else { false } }
    let areNumbers =
      !areBooleans && !values.contains(where: \.isTemporal) && values.contains(where: \.isNumber)
    if areNumbers { best = .init(plainNumber(best)) }
    var bestAt = place(0)
    for (index, value) in values.enumerated().dropFirst() {
      let candidate = areNumbers ? .init(plainNumber(value)) : value
      guard let order = try compare(candidate, best, at: (place(index), bestAt)) else { continue }
      if wantsLargest ? order > 0 : order < 0 { (best, bestAt) = (candidate, place(index)) }
    }
    return best
  }

  // MARK: Patterns

  func like(_ node: Node) throws(EvaluationError) -> SQLValue {
    guard var text = try self.text(child(node, 0)), var pattern = try self.text(child(node, 1)) else {
      return .null
    }
    var escape: UInt32? = 0x5C
    if node.count > 2 {
      let symbol = try self.text(child(node, 2)) ?? "\\"
      guard symbol.unicodeScalars.count <= 1 else { throw .invalid("ESCAPE takes one character") }
      escape = symbol.unicodeScalars.first?.value
    }
    var searching = Searching(maxWork: settings.maxSteps << 6)
    let isLike = text.withUTF8 { a in pattern.withUTF8 { b in searching.isLike(a, b, escape: escape) } }
    try spend(searching.work)
    guard let isLike else { throw .limit("LIKE takes too many steps") }
    return .init(isLike != node.isNegated)
  }

  func regexp(_ node: Node) throws(EvaluationError) -> SQLValue {
    guard var text = try self.text(child(node, 0)),
      let pattern = try pattern(child(node, 1), node.index)
    else { return .null }
    try spend(text.utf8.count)
    switch text.withUTF8({ pattern.firstMatch(in: $0) }) {
    case .none: return .init(node.isNegated)
    case .found: return .init(!node.isNegated)
    case .limit: throw .limit("the pattern takes too many steps on this text")
    }
  }

  /// The compiled pattern; nil when it is null.
  func pattern(_ at: Int32, _ index: Int32) throws(EvaluationError) -> Pattern? {
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
