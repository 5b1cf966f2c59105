extension SQLExpression {
  /// The same expression, which asks its host for values that it or another expression has computed already: formulas of
  /// one document repeat each other's parts.
  /// - Parameter number: gives a part's number; nil for one that is not to be remembered. `text` is the same for parts
  ///   that come to the same value while their operands do. A part over rows reads its operands in all rows of their lists.
  public func sharing(_ number: (_ text: String, _ operands: [Int], _ isOverRows: Bool) -> Int?) -> SQLExpression {
    var shares: [Int: Int32] = [:]
    for place in program.nodes.indices where program.isWorthRemembering(place) {
      if let number = number(
        program.printed(Int32(place)), program.operands(below: Int32(place)), program.nodes[place].isOverRows)
      {
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

  /// Not by chance; and what is over rows is so as a whole.
  private func isRepeatable(_ at: Int32, isInside: Bool = false) -> Bool {
    let node = nodes[Int(at)]
    if node.kind == .call, Function(rawValue: node.index).map({ $0 == .uuid }) ?? true { return false }
    if isInside, node.isOverRows { return false }
    if node.kind == .constant || node.kind == .operand || node.kind == .quoted { return true }
    return children(node).allSatisfy { isRepeatable($0, isInside: true) }
  }
}
