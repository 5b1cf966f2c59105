import JSON

// How many decimals a value may have, as far as the expression itself says.
extension SQLExpression {
  /// The decimals that the whole is rounded or cut to, where they are written there as a number.
  public var roundedTo: Int? {
    let node = program.nodes[Int(program.root)]
    if node.kind == .cast {
      switch program.types[Int(node.index)] {
      case .signed, .unsigned: return 0
      case .decimal(_, let decimals): return decimals
      default: return nil
      }
    }
    guard node.kind == .call else { return nil }
    switch Function(rawValue: node.index) {
    case .floor, .ceil: return 0
    case .round, .truncate:
      guard node.count > 1 else { return 0 }
      let places = program.nodes[Int(program.child(node, 1))]
      guard places.kind == .constant, case .number(let number) = program.constants[Int(places.index)] else {
        return nil
      }
      return number.wholeNumber.map { Int($0) }
    default: return nil
    }
  }

  /// Whether the decimals of a division or an average may stand in the value, since nothing rounds them on the way. A
  /// divisor of twos and fives, such as 100, makes few.
  public var mayBeEndless: Bool {
    var open = [program.root]
    while let place = open.popLast() {
      let node = program.nodes[Int(place)]
      switch node.kind {
      case .comparison, .and, .or, .xor, .not, .isTruth, .like, .regexp, .inList, .between: continue
      case .cast where program.types[Int(node.index)].isNumber: continue
      case .simpleCase, .searchedCase: open += results(of: node)
      case .arithmetic:
        // The last operator makes a whole number.
        if node.count > 1, program.child(node, Int(node.count) - 2) == Arithmetic.divideWhole.rawValue { continue }
        if divides(node) { return true }
        open += program.children(node)
      case .call:
        switch Function(rawValue: node.index) {
        case .round, .truncate, .floor, .ceil, .format: continue
        case .avg: return true
        case .pow where isNegative(program.child(node, 1)): return true
        default: open += program.children(node)
        }
      default: open += program.children(node)
      }
    }
    return false
  }

  /// What a CASE may come to.
  private func results(of node: Node) -> [Int32] {
    let children = program.children(node)
    let pairs = node.kind == .simpleCase ? children.dropFirst() : children[...]
    return pairs.enumerated().filter { $0.offset % 2 == 1 || $0.offset == pairs.count - 1 }.map(\.element)
  }

  private func isNegative(_ at: Int32) -> Bool {
    let node = program.nodes[Int(at)]
    guard node.kind == .constant, case .number(let number) = program.constants[Int(node.index)] else {
      return node.kind == .negate
    }
    return number.isNegative
  }

  private func divides(_ node: Node) -> Bool {
    stride(from: 1, to: Int(node.count), by: 2).contains { index in
      guard program.child(node, index) == Arithmetic.divide.rawValue else { return false }
      let divisor = program.nodes[Int(program.child(node, index + 1))]
      guard divisor.kind == .constant, case .number(let number) = program.constants[Int(divisor.index)] else {
        return true
      }
      return !Self.endsSoon(number)
    }
  }

  /// Whether a division by it ends: its digits have no divisor but 2 and 5.
  private static func endsSoon(_ divisor: ExactDecimal) -> Bool {
    guard var rest = Int(divisor.magnitude.normalized.description.filter { $0 != "." }), rest > 0 else { return false }
    while rest.isMultiple(of: 2) { rest /= 2 }
    while rest.isMultiple(of: 5) { rest /= 5 }
    return rest == 1
  }
}

extension CastType {
  fileprivate var isNumber: Bool {
    switch self {
    case .signed, .unsigned, .decimal: true
    default: false
    }
  }
}
