import JSON

/// What is done to an order's lines before its fields are mapped: combined products are counted once, additional costs
/// become a line or part of the lines (vendor-apis.md B.6, C.2).
struct OrderPreparation: Sendable {
  /// What becomes of costs beside the lines.
  enum Costs: Sendable, Equatable {
    /// The order is parked (`amount_mismatch`).
    case hold
    /// They are left out of the bill.
    case ignore
    /// They are shared among the lines by their amounts, to the last decimal.
    case spread
    /// They become a line with these fields.
    case line([Field])

    /// A field of the added line and its value as JSON.
    struct Field: Sendable, Equatable {
      let name: String
      let value: JSONTree
    }
  }

  /// The list of lines, a member of the order.
  let list: String
  /// The keys of a line by which it is of a combined product.
  private let flags: JSONFields
  var combined: CombinedLines.Choice?
  var costs = Costs.hold
  /// Where the costs stand.
  var additions: Path?
  /// A line's amount, a member of the line.
  var amount = ""
  /// Decimals of a share.
  var decimals = 2

  /// Nothing is done yet to the lines of this list.
  init(list: String) {
    self.list = list
    flags = JSONFields(CombinedLines.flags.map { [$0, "\(list)_\($0)"] })
  }

  /// The order as it is to be mapped; nil when there is nothing to do, or it cannot be done: the rule of amounts holds
  /// the order then.
  /// - Throws: `MappingFailures` when a line of a combined product would be lost, or it cannot be told whether one is.
  func prepared(_ order: JSONValue) throws(MappingFailures) -> JSONDocument? {
    guard let found = order[list], found.kind == .array else { return nil }
    let costs = self.costs == .hold || self.costs == .ignore ? nil : additional(order)
    if costs?.isZero ?? true, combined == nil || !mayBeCombined(found) { return nil }
    let all = Array(found.elements)
    let lines =
      try combined.map { choice throws(MappingFailures) in
        try CombinedLines(all, in: list).sent(choice)
      } ?? all
    var changed: [Int: ExactDecimal] = [:]
    var added: [Costs.Field] = []
    if let sum = costs, !sum.isZero {
      switch self.costs {
      case .hold, .ignore: break
      case .spread:
        for (position, amount) in (shared(sum, among: lines) ?? []).enumerated() { changed[position] = amount }
      case .line(let fields):
        // Costs alone are no order: without lines the rule of amounts holds it.
        if lines.isEmpty { break }
        added = fields.filter { $0.name != amount } + [Costs.Field(name: amount, value: .number(sum))]
      }
    }
    if lines.count == all.count, changed.isEmpty, added.isEmpty { return nil }
    return try? JSONDocument(written(order, lines, changed, added), limits: .none)
  }

  /// Whether a line may be of a combined product: mostly each says that it is none, or nothing.
  private func mayBeCombined(_ lines: JSONValue) -> Bool {
    let document = lines.source
    var line = document.firstElement(of: lines.place)
    return withUnsafeTemporaryAllocation(of: Int.self, capacity: flags.count) { places in
      guard let base = places.baseAddress else { return true }
      for _ in 0..<lines.count {
        document.find(flags, in: line, base)
        for found in places where found != JSONFields.nowhere {
          if !document.isZeroOrNothing(at: JSONFields.place(found)) { return true }
        }
        line = document.next(after: line)
      }
      return false
    }
  }

  private func additional(_ order: JSONValue) -> ExactDecimal? {
    guard let additions else { return nil }
    var value: JSONValue? = order
    for segment in additions.segments { value = value?[segment] }
    return value?.text.flatMap { ExactDecimal(trimmed($0)) }
  }

  /// The lines' new amounts: each gets its part of the costs cut to `decimals`, and what is left goes, unit by unit, to
  /// those that lost most by the cut. Their sum is the old one and the costs, exactly.
  private func shared(_ costs: ExactDecimal, among lines: [JSONValue]) -> [ExactDecimal]? {
    do {
      var amounts: [ExactDecimal] = []
      var sum = ExactDecimal.zero
      for line in lines {
        let text = (line[amount] ?? line["\(list)_\(amount)"])?.text
        guard let number = text.flatMap({ ExactDecimal(trimmed($0)) }), !number.isNegative else { return nil }
        amounts.append(number)
        sum = try sum.adding(number)
      }
      guard !sum.isZero, costs.rounded(scale: decimals) == costs else { return nil }
      guard let unit = ExactDecimal(digits: 1, scale: decimals) else { return nil }
      var shares: [ExactDecimal] = []
      var lost: [(position: Int, rest: ExactDecimal)] = []
      var left = costs
      for (position, amount) in amounts.enumerated() {
        let whole = try costs.magnitude.multiplied(by: amount).divided(by: sum)
        let rounded = whole.rounded(scale: decimals)
        let share = rounded > whole ? try rounded.subtracting(unit) : rounded
        lost.append((position, try whole.subtracting(share)))
        shares.append(costs.isNegative ? share.negated() : share)
        left = try left.subtracting(shares[position])
      }
      let step = costs.isNegative ? unit.negated() : unit
      lost.sort { ($1.rest, $0.position) < ($0.rest, $1.position) }
      for (position, _) in lost where !left.isZero {
        shares[position] = try shares[position].adding(step)
        left = try left.subtracting(step)
      }
      guard left.isZero else { return nil }
      for position in amounts.indices { shares[position] = try amounts[position].adding(shares[position]) }
      return shares
    } catch { return nil }
  }

  /// The order with other lines, everything else byte for byte.
  private func written(
    _ order: JSONValue, _ lines: [JSONValue], _ changed: [Int: ExactDecimal], _ added: [Costs.Field]
  ) -> [UInt8] {
    var writer = JSONWriter(reserving: order.rawBytes.count + 256)
    writer.beginObject()
    for (key, member) in order.members {
      writer.key(key)
      guard key == list else {
        writer.raw(member.rawBytes)
        continue
      }
      writer.beginArray()
      for (position, line) in lines.enumerated() {
        if let amount = changed[position] { write(line, amount, &writer) } else { writer.raw(line.rawBytes) }
      }
      if !added.isEmpty { JSONTree.object(added.map { JSONMember($0.name, $0.value) }).write(to: &writer) }
      writer.endArray()
    }
    writer.endObject()
    return writer.bytes
  }

  private func write(_ line: JSONValue, _ amount: ExactDecimal, _ writer: inout JSONWriter) {
    writer.beginObject()
    for (key, member) in line.members {
      writer.key(key)
      if key == self.amount || key == "\(list)_\(self.amount)" {
        writer.number(amount)
      } else {
        writer.raw(member.rawBytes)
      }
    }
    writer.endObject()
  }
}

extension JSONLimits {
  /// For what was made of a document that has been read, whatever limits it was read with.
  static var none: JSONLimits {
    var limits = JSONLimits()
    limits.maxBytes = .max
    limits.maxDepth = .max
    limits.maxStringBytes = .max
    limits.maxValues = .max - 1
    return limits
  }
}
