extension SQLExpression {
  /// The same expression, which asks its host for values that it or another expression has computed already: formulas of
  /// one document repeat each other's parts.
  /// - Parameter number: gives a part's number; nil for one that is not to be remembered. `text` is the same for parts
  ///   that come to the same value while their operands do.
  public func sharing(_ number: (_ text: String, _ operands: [Int]) -> Int?) -> SQLExpression {
    var shares: [Int: Int32] = [:]
    for place in program.nodes.indices where program.isWorthRemembering(place) {
      if let number = number(program.printed(Int32(place)), program.operands(below: Int32(place))) {
        shares[place] = Int32(number)
      }
    }
    return shares.isEmpty ? self : SQLExpression(Program(program, shares: shares))
  }
}

extension Program {
  /// Something is computed, from operands alone, and comes to the same each time.
  fileprivate func isWorthRemembering(_ place: Int) -> Bool {
    switch nodes[place].kind {
    case .constant, .operand, .quoted, .template: return false
    default: return !operands(below: Int32(place)).isEmpty && isRepeatable(Int32(place))
    }
  }

  /// Not by chance, and not over the rows of a list.
  private func isRepeatable(_ at: Int32) -> Bool {
    let node = nodes[Int(at)]
    if node.kind == .call {
      guard let function = Function(rawValue: node.index) else { return false }
      if function == .uuid || function.rawValue >= Function.sum.rawValue { return false }
    }
    if node.kind == .constant || node.kind == .operand || node.kind == .quoted { return true }
    return children(node).allSatisfy(isRepeatable)
  }
}
