public import JSON
public import Orders

/// Strategies side by side. Each decides by its condition which orders it takes; an order may go to several, and becomes a
/// bill of each.
public struct StrategySet: Sendable {
  /// A strategy that takes an order, and what it maps of it.
  public struct Taker: Sendable {
    /// The strategy.
    public let strategy: Strategy
    /// The order as it came.
    let order: JSONDocument
    /// At least one; each becomes a bill.
    public let documents: [JSONDocument]
  }

  /// All of them, by name; also those that take nothing because they are off.
  public let strategies: [Strategy]
  /// The collections that the lookups of those ask that are on.
  public var collections: Set<String> { active.reduce(into: []) { $0.formUnion($1.strategy.collections) } }
  private let active: [(strategy: Strategy, mapper: Mapper)]

  /// A set.
  /// - Throws: `StrategySetProblem` when two strategies would take every order into one stream.
  public init(_ strategies: [Strategy]) throws(StrategySetProblem) {
    self.strategies = strategies.sorted { $0.name < $1.name }
    active = self.strategies.filter { !$0.isOff }.map { ($0, Mapper($0)) }
    for (position, first) in active.enumerated() {
      for second in active[(position + 1)...] where first.strategy.takesAll && second.strategy.takesAll {
        if first.strategy.isExclusive, second.strategy.isExclusive {
          throw StrategySetProblem(
            "\(first.strategy.name) and \(second.strategy.name) are both exclusive and both take every order")
        }
        if first.strategy.stream == second.strategy.stream, first.strategy.isExclusive == second.strategy.isExclusive {
          throw StrategySetProblem(
            "\(first.strategy.name) and \(second.strategy.name) both take every order into the stream "
              + "\(first.strategy.stream); give them conditions, or one of them a ferry.stream of its own")
        }
      }
    }
  }

  /// What a strategy's `primaryWriteback` makes of K/3's answer, JSON; nil where there is no such strategy, or it keeps
  /// nothing.
  /// - Throws: `MappingFailures`: all of its fields that have no value they could be written with.
  public func writeback(by name: String, of answer: JSONValue) throws(MappingFailures) -> String? {
    guard let strategy = strategies.first(where: { $0.name == name }) else { return nil }
    return try strategy.writeback(of: answer, order: answer).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Who may take an order whose field at the head has this value, by the conditions on that field alone.
  ///
  /// An exclusive strategy whose condition names the value keeps it from all others.
  public func mayTake(_ field: String, _ value: JSONValue) -> [Strategy] {
    let takers = active.map(\.strategy).filter { $0.condition?.mayTake(field, value) ?? true }
    let exclusive = takers.filter(\.isExclusive)
    return exclusive.isEmpty ? takers : exclusive
  }

  /// Who takes an order; nobody is an answer, too.
  ///
  /// A strategy with `ferry.exclusive` that takes it keeps it from all others.
  /// - Throws: `MappingFailures` when the order is no object, cannot be cut into documents, or is taken twice into one
  ///   stream.
  public func takers(of order: JSONDocument) throws(MappingFailures) -> [Taker] {
    guard order.root.kind == .object else {
      throw MappingFailures(failures: [MappingFailure(.orderMalformed, target: "", "the order is not an object")])
    }
    // An exclusive one first: what keeps another one from its orders does not matter then.
    let exclusive = try takers(of: order, isExclusive: true)
    if !exclusive.isEmpty {
      try Self.refuseClash(among: exclusive, isExclusive: true)
      return exclusive
    }
    let others = try takers(of: order, isExclusive: false)
    try Self.refuseClash(among: others, isExclusive: false)
    return others
  }

  private func takers(of order: JSONDocument, isExclusive: Bool) throws(MappingFailures) -> [Taker] {
    var takers: [Taker] = []
    for (strategy, mapper) in active where strategy.isExclusive == isExclusive {
      switch try mapper.selection(of: order.root) {
      case .refused: break
      case .whole: takers.append(Taker(strategy: strategy, order: order, documents: [order]))
      case .changed(let documents): takers.append(Taker(strategy: strategy, order: order, documents: documents))
      }
    }
    return takers
  }

  private static func refuseClash(among takers: [Taker], isExclusive: Bool) throws(MappingFailures) {
    if takers.count < 2 { return }
    if isExclusive {
      let names = takers.map { $0.strategy.name }.joined(separator: ", ")
      throw clash("\(names) are exclusive and all take the order")
    }
    var streams: [String: String] = [:]
    for taker in takers {
      let strategy = taker.strategy
      if let other = streams.updateValue(strategy.name, forKey: strategy.stream) {
        throw clash("\(other) and \(strategy.name) both take the order into the stream \(strategy.stream)")
      }
    }
  }

  private static func clash(_ sentence: String) -> MappingFailures {
    MappingFailures(failures: [MappingFailure(.strategyClash, target: "", sentence)])
  }

}

extension [StrategySet.Taker] {
  /// The questions that mapping will ask; ask them all at once and pass the answers to `bills`.
  public func lookups(inputs: MappingInputs) -> [LookupKey] {
    flatMap { taker in
      let mapper = Mapper(taker.strategy)
      return taker.documents.flatMap { mapper.lookups(of: $0.root, inputs: inputs) }
    }
  }

  /// All bills of the order, with their routes, or none.
  /// - Throws: `MappingFailures`: all fields of all bills that cannot be mapped.
  public func bills(
    lookups: LookupTable, inputs: MappingInputs
  ) throws(MappingFailures) -> [(bill: Bill, route: BillRoute)] {
    var result: [(bill: Bill, route: BillRoute)] = []
    var failures: [MappingFailure] = []
    // One alone has none beside it.
    let streams: Set<String> = count == 1 && self[0].strategy.follows.isEmpty ? [] : Set(map(\.strategy.stream))
    for taker in self {
      let strategy = taker.strategy
      let isAlone = streams.count < 2 && strategy.follows.isEmpty
      let beside = isAlone ? [] : streams.union(strategy.follows).subtracting([strategy.stream]).sorted()
      let made =
        strategy.follows.isSubset(of: streams) ? nil : streams.subtracting([strategy.stream]).sorted()
      do throws(MappingFailures) {
        let bills = try Mapper(strategy).bills(
          of: taker.documents.map(\.root), from: taker.order.root, lookups: lookups, inputs: inputs)
        for (position, bill) in bills.enumerated() {
          let part = strategy.splits ? BillRoute.Part(position + 1, of: bills.count) : nil
          let route = BillRoute(
            strategy: strategy.name, stream: strategy.stream, part: part, beside: beside, made: made)
          result.append((bill, route))
        }
      } catch {
        failures += count == 1 ? error.failures : error.failures.map { $0.named(strategy.name) }
      }
    }
    guard failures.isEmpty else { throw MappingFailures(failures: failures) }
    return result
  }
}

extension MappingFailure {
  /// The same with the strategy's name before its target.
  fileprivate func named(_ strategy: String) -> MappingFailure {
    MappingFailure(
      code, target: target.isEmpty ? strategy : "\(strategy) \(target)", sources: sources, sentence, remedy: remedy)
  }
}

/// Strategies that cannot stand side by side.
public struct StrategySetProblem: Error, Sendable, CustomStringConvertible {
  /// One sentence.
  public let description: String

  init(_ description: String) { self.description = description }
}
