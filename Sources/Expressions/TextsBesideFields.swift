import JSON

// Where a field without quotes is held against a text.
extension SQLExpression {
  /// Fields without quotes that are compared with a text that is no number (`=` and its like, CASE, IN, BETWEEN, FIELD,
  /// NULLIF), each with the first such text. One whose value happens to be digits is a number there, and fails. Dates, the
  /// words true and false, and what is empty are left out: digits do not come there by chance.
  public var textsBesideFields: [(operand: Int, text: String)] {
    var found: [(operand: Int, text: String)] = []
    for node in program.nodes {
      guard let (first, others) = compared(node) else { continue }
      for other in others {
        for (field, text) in [(first, other), (other, first)] {
          let place = program.nodes[Int(field)]
          guard place.isField, let text = code(text), !found.contains(where: { $0.operand == Int(place.index) }) else {
            continue
          }
          found.append((Int(place.index), text))
        }
      }
    }
    return found
  }

  /// What a node compares: its first child with these.
  private func compared(_ node: Node) -> (Int32, [Int32])? {
    let children = program.children(node)
    guard let first = children.first else { return nil }
    switch node.kind {
    case .comparison where children.count == 2, .inList, .between: return (first, Array(children.dropFirst()))
    case .simpleCase:
      let whens = children.dropFirst().enumerated().filter { $0.offset % 2 == 0 && $0.offset < children.count - 2 }
      return (first, whens.map(\.element))
    case .call where [.nullIf, .field].contains(Function(rawValue: node.index)):
      return (first, Array(children.dropFirst()))
    default: return nil
    }
  }

  private func code(_ at: Int32) -> String? {
    let node = program.nodes[Int(at)]
    guard node.kind == .constant, case .text(let text) = program.constants[Int(node.index)],
      text.utf8.contains(where: { $0 != 0x20 }), !["true", "false"].contains(text.lowercased()),
      !NumericPrefix(text).isWhole
    else { return nil }
    let digits = text.utf8.prefix { $0 &- 0x30 < 10 }.count
    return digits == 4 && text.utf8.dropFirst(4).first == UInt8(ascii: "-") ? nil : text
  }
}
