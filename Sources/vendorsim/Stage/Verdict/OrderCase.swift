import JSON

/// What the judge is told of how Ferry is set up; without it each order must be one sales order.
public struct JudgeRules: Sendable {
  /// A strategy cuts orders: all bills of an order in an object together must be the order.
  public var allowsParts = false
  /// The object that orders in the status of returns become instead of a sales order.
  public var returns: String?
  /// Objects that every order becomes beside its sales order.
  public var beside: [String] = []
  /// Bills of orders that are deleted in OKKI are deleted in K/3.
  public var cancels = false

  /// Each order is one sales order.
  public init() {}
}

/// The bills of one order in one of K/3's objects, held against what they must be.
struct OrderCase {
  let number: String
  let object: String
  /// What the order must be in this object by its newest content, and by earlier ones.
  var newest: BillFacts
  var earlier: [BillFacts]
  /// In the order of their Saves.
  let bills: [BookedBill]
  let allowsParts: Bool

  /// How it stands.
  enum Finding {
    case right
    /// Whole and right, but by an earlier content of the order.
    case outdated
    case wrong(Difference)
  }

  init(
    _ order: BookedOrder, _ newest: BillFacts, object: String, isReturn: Bool, bills: [BookedBill], allowsParts: Bool
  ) {
    number = order.number
    self.object = object
    self.bills = bills
    self.allowsParts = allowsParts
    let shape = { (facts: BillFacts) in object == "SO" ? facts : facts.shown(like: bills, isReturn: isReturn) }
    self.newest = shape(newest)
    // A change of the time alone leaves the same content behind.
    let current = self.newest
    earlier = order.earlier.map(shape).filter { !Judge.unlike(current, $0).isEmpty }
  }

  func judged() -> Finding {
    if let difference = count() { return .wrong(difference) }
    guard let wrong = wrong(newest) else { return .right }
    if earlier.contains(where: { self.wrong($0) == nil }) {
      guard let bill = bills.first(where: { $0.updates > 0 }) else { return .outdated }
      return .wrong(said(.overtaken, "\(bill.facts.number) was changed back to an earlier revision"))
    }
    let fits = bills.map { bill in ([newest] + earlier).firstIndex { holds(bill, $0) } }
    if allowsParts, bills.count > 1, !fits.contains(nil), Set(fits).count > 1 {
      return .wrong(said(.mixed, "bills of different revisions stand side by side: \(names)"))
    }
    return .wrong(wrong)
  }

  private var names: String { bills.map(\.facts.number).joined(separator: ", ") }

  private func said(_ kind: Difference.Kind, _ detail: String) -> Difference {
    Difference(kind: kind, subject: number, detail: object == "SO" ? detail : "\(object): \(detail)")
  }

  // MARK: how many

  /// Too few or too many bills, whatever is in them.
  private func count() -> Difference? {
    if bills.isEmpty { return said(.missing, "is not in K/3") }
    let keys = bills.map(\.key)
    if !allowsParts {
      return bills.count > 1 ? said(.duplicate, "is in K/3 \(bills.count) times: \(names)") : nil
    }
    if let twice = keys.first(where: { key in keys.filter { $0 == key }.count > 1 }) {
      return said(.duplicate, "has several bills by the number \(twice): \(names)")
    }
    let parts = Set(keys.map(part))
    if let lost = (1...(parts.max() ?? 1)).first(where: { !parts.contains($0) }) {
      return said(.missing, "its bill \(lost) is not in K/3: \(names)")
    }
    return nil
  }

  /// Which of the order's bills it is, from its number: the first is not numbered (`SO-1`, `SO-1-2` …).
  private func part(_ key: String) -> Int {
    guard key.count > number.count, let last = key.split(separator: "-").last.flatMap({ Int($0) }) else { return 1 }
    return 1...1_000 ~= last ? last : 1
  }

  // MARK: what is in them

  /// Why the bills together are not this; nil when they are.
  private func wrong(_ expected: BillFacts) -> Difference? {
    if !allowsParts {
      guard let bill = bills.first else { return nil }
      var expected = expected
      if object != "SO" { expected.number = bill.key }
      let wrong = Judge.unlike(expected, bill.facts)
      return wrong.isEmpty ? nil : said(.differs, wrong.joined(separator: "; "))
    }
    for bill in bills {
      var head = expected
      head.number = bill.key
      head.lines = bill.facts.lines
      let wrong = Judge.unlike(head, bill.facts)
      if !wrong.isEmpty { return said(.differs, "\(bill.key): \(wrong.joined(separator: "; "))") }
    }
    return wrongLines(expected)
  }

  /// Every line of the order stands in exactly one of its bills.
  private func wrongLines(_ expected: BillFacts) -> Difference? {
    var surplus = bills.flatMap(\.facts.lines)
    var lacking: [BillLine] = []
    for line in expected.lines {
      if let place = surplus.firstIndex(of: line) { surplus.remove(at: place) } else { lacking.append(line) }
    }
    if lacking.isEmpty, surplus.isEmpty { return nil }
    let sums =
      "its bills add up to \(Self.sum(bills.flatMap(\.facts.lines))), the order to \(Self.sum(expected.lines))"
    if surplus.isEmpty { return said(.missing, "\(lacking.count) lines are in none of \(names); \(sums)") }
    if lacking.isEmpty, surplus.allSatisfy(expected.lines.contains) {
      return said(.duplicate, "\(surplus.count) lines are in its bills more than once: \(names); \(sums)")
    }
    return said(.differs, "\(surplus.count) lines of its bills are not the order's: \(names); \(sums)")
  }

  private static func sum(_ lines: [BillLine]) -> ExactDecimal {
    lines.reduce(ExactDecimal.zero) { sum, line in (try? sum.adding(line.total)) ?? sum }.normalized
  }

  /// Whether a bill could be one of those that a content of the order becomes.
  private func holds(_ bill: BookedBill, _ facts: BillFacts) -> Bool {
    var left = facts.lines
    for line in bill.facts.lines {
      guard let place = left.firstIndex(of: line) else { return false }
      left.remove(at: place)
    }
    return true
  }
}

extension BillFacts {
  /// The same as another object's bills show it: what none of them carries is not asked for, and what comes back is negative.
  /// Customer, material, unit, quantity and amount are always asked for.
  fileprivate func shown(like bills: [BookedBill], isReturn: Bool) -> BillFacts {
    let found = bills.map(\.facts)
    let lines = found.flatMap(\.lines)
    func kept(_ figure: ExactDecimal, _ path: KeyPath<BillLine, ExactDecimal>) -> ExactDecimal {
      lines.allSatisfy { $0[keyPath: path].isZero } ? .zero : figure
    }
    func back(_ figure: ExactDecimal) -> ExactDecimal {
      guard isReturn, figure > .zero else { return figure }
      return figure.negated()
    }
    var shown = self
    if found.allSatisfy(\.currency.isEmpty) { shown.currency = "" }
    if found.allSatisfy(\.rate.isZero) { shown.rate = .zero }
    for place in shown.lines.indices {
      let line = shown.lines[place]
      shown.lines[place].quantity = back(line.quantity)
      shown.lines[place].total = back(line.total)
      shown.lines[place].taxPrice = kept(line.taxPrice, \.taxPrice)
      shown.lines[place].price = kept(line.price, \.price)
      shown.lines[place].taxRate = kept(line.taxRate, \.taxRate)
      shown.lines[place].net = kept(back(line.net), \.net)
      shown.lines[place].tax = kept(back(line.tax), \.tax)
      shown.lines[place].standardTotal = kept(back(line.standardTotal), \.standardTotal)
      if lines.allSatisfy(\.delivery.isEmpty) { shown.lines[place].delivery = "" }
    }
    return shown
  }
}
