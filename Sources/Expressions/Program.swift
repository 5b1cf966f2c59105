import PCRE2

/// A compiled expression: nodes that name their children by number.
final class Program: Sendable {
  let source: String
  let nodes: [Node]
  let links: [Int32]
  let constants: [SQLValue]
  let patterns: [Pattern]
  let types: [CastType]
  let root: Int32
  /// Each operand once, in order.
  let operands: [Int]
  let spellings: [Int: String]

  private let builder: ProgramBuilder
  /// Nodes and links once more, and never written again: evaluations read them here without counting references.
  nonisolated(unsafe) private let fastNodes: UnsafeMutablePointer<Node>
  nonisolated(unsafe) private let fastLinks: UnsafeMutablePointer<Int32>
  nonisolated(unsafe) private let fastConstants: UnsafeMutablePointer<SQLValue>

  /// The expression NULL.
  static let nothing: Program = {
    var builder = ProgramBuilder()
    builder.constants = [.null]
    let root = builder.add(Node(kind: .constant)) ?? 0
    return Program(builder, root: root, source: "NULL", spellings: [:])
  }()

  init(_ builder: ProgramBuilder, root: Int32, source: String, spellings: [Int: String]) {
    self.builder = builder
    self.source = source
    nodes = builder.nodes
    links = builder.links
    constants = builder.constants
    patterns = builder.patterns
    types = builder.types
    self.root = root
    self.spellings = spellings
    var seen: Set<Int> = []
    operands = builder.nodes.filter { $0.kind == .operand || $0.kind == .quoted }.map { Int($0.index) }
      .filter { seen.insert($0).inserted }
    fastNodes = .allocate(capacity: max(1, nodes.count))
    fastNodes.initialize(from: nodes, count: nodes.count)
    fastLinks = .allocate(capacity: max(1, links.count))
    fastLinks.initialize(from: links, count: links.count)
    fastConstants = .allocate(capacity: max(1, constants.count))
    fastConstants.initialize(from: constants, count: constants.count)
  }

  deinit {
    fastNodes.deallocate()
    fastLinks.deallocate()
    fastConstants.deinitialize(count: constants.count)
    fastConstants.deallocate()
  }

  /// Nodes, links and constants.
  @inline(__always)
  var memory: (UnsafePointer<Node>, UnsafePointer<Int32>, UnsafePointer<SQLValue>) {
    (UnsafePointer(fastNodes), UnsafePointer(fastLinks), UnsafePointer(fastConstants))
  }

  @inline(__always)
  func child(_ node: Node, _ index: Int) -> Int32 { fastLinks[Int(node.first) + index] }

  /// The children that are nodes.
  func children(_ node: Node) -> [Int32] {
    let all = links[Int(node.first)..<Int(node.first + node.count)]
    guard node.kind == .arithmetic || node.kind == .comparison else { return Array(all) }
    return all.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
  }

  /// The same program whose nodes have these numbers for their values.
  convenience init(_ program: Program, shares: [Int: Int32]) {
    var builder = program.builder
    for (place, share) in shares { builder.nodes[place].share = share }
    self.init(builder, root: program.root, source: program.source, spellings: program.spellings)
  }

  /// Whether a function is called that the test holds for, given how many arguments it has.
  func calls(_ test: (Function, Int32) -> Bool) -> Bool {
    nodes.contains { node in
      node.kind == .call && Function(rawValue: node.index).map { test($0, node.count) } == true
    }
  }

  /// Whether a node is one field of the source, as it is.
  func isOperand(_ at: Int32) -> Bool { [.operand, .quoted].contains(nodes[Int(at)].kind) }

  /// The operands that are read below a node.
  func operands(below at: Int32) -> [Int] {
    var found: [Int] = []
    var open = [at]
    while let next = open.popLast() {
      let node = nodes[Int(next)]
      if node.kind == .operand || node.kind == .quoted {
        if !found.contains(Int(node.index)) { found.append(Int(node.index)) }
      } else {
        open += children(node).reversed()
      }
    }
    return found
  }

  /// What stands in the source for a node.
  func text(_ node: Node) -> String {
    let utf8 = source.utf8
    let from = utf8.index(utf8.startIndex, offsetBy: Int(node.start))
    let to = utf8.index(utf8.startIndex, offsetBy: Int(node.end))
    return String(source[from..<to])
  }
}

/// Collects the nodes; children come before their parents.
struct ProgramBuilder {
  var nodes: [Node] = []
  var links: [Int32] = []
  var constants: [SQLValue] = []
  var patterns: [Pattern] = []
  var types: [CastType] = []
  private var depths: [Int] = []

  /// Deeper trees are refused, so that evaluating one never exhausts the stack.
  static let maxDepth = 200

  /// Adds a node. `places` are its children, between them the operators of a chain; nil when the tree gets too deep.
  mutating func add(_ node: Node, _ places: [Int32] = []) -> Int32? {
    var node = node
    node.first = Int32(links.count)
    node.count = Int32(places.count)
    let isChain = node.kind == .arithmetic || node.kind == .comparison
    var depth = 1
    for (index, place) in places.enumerated() where !isChain || index % 2 == 0 {
      depth = max(depth, depths[Int(place)] + 1)
    }
    guard depth <= Self.maxDepth else { return nil }
    if node.kind == .arithmetic, isExactAsFraction(places) { node.option = Node.fraction }
    links += places
    nodes.append(node)
    depths.append(depth)
    return Int32(nodes.count - 1)
  }

  /// Whether something in a product comes behind a division, or a factor is a product of its own.
  private func isExactAsFraction(_ places: [Int32]) -> Bool {
    guard places[1] >= Arithmetic.multiply.rawValue else { return false }
    for index in places.indices {
      if index % 2 == 1 {
        if places[index] == Arithmetic.divide.rawValue, index < places.count - 2 { return true }
      } else {
        let factor = nodes[Int(places[index])]
        if factor.kind == .negate || factor.kind == .arithmetic, isProduct(factor) { return true }
      }
    }
    return false
  }

  private func isProduct(_ node: Node) -> Bool {
    let first = links[Int(node.first)]
    return node.kind == .negate
      ? isProductBehindSigns(nodes[Int(first)]) : links[Int(node.first) + 1] >= Arithmetic.multiply.rawValue
  }

  private func isProductBehindSigns(_ node: Node) -> Bool {
    node.kind == .negate || node.kind == .arithmetic ? isProduct(node) : false
  }
}
