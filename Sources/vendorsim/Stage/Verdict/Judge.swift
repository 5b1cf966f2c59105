import JSON

/// One thing that is not as it must be.
struct Difference: Equatable {
  enum Kind: String, CaseIterable {
    /// An order that must be in K/3 is not.
    case missing
    /// An order is there more than once.
    case duplicate
    /// An order is there, with something wrong in it.
    case differs
    /// A bill that no order stands behind.
    case phantom
    /// A bill of an order that is deleted in OKKI, where such bills are deleted.
    case left
    /// An order that cannot be mapped was written all the same.
    case written
    /// An order is there as an earlier revision, and nobody says that the newest one is held.
    case outdated
    /// An order was its newest revision in K/3, or could have been, and was changed back to an earlier one.
    case overtaken
    /// An order's bills are of different revisions.
    case mixed
    /// More or fewer parked orders of a reason than there must be.
    case parked
  }

  var kind: Kind
  /// The order number, the bill number, or the reason.
  var subject: String
  var detail: String
}

/// What the judge found.
public struct Verdict: Sendable {
  struct Reason: Sendable {
    var name: String
    var expected: Int
    /// nil when no worker was asked.
    var parked: Int?
  }

  var toLoad = 0
  var right = 0
  var toPark = 0
  var absent = 0
  var removed = 0
  /// Orders that are there whole as an earlier revision.
  var outdated = 0
  var bills = 0
  /// Bills of each of K/3's objects.
  var objects: [String: Int] = [:]
  var saves = 0
  var refusedDuplicates = 0
  var reasons: [Reason] = []
  var counts: [String: Int] = [:]
  var examples: [(kind: String, subject: String, detail: String)] = []

  /// Bills that K/3 holds.
  public var billCount: Int { bills }

  /// Whether every order is where it must be.
  public var holds: Bool { counts.isEmpty }

  static let mostExamples = 20
}

/// Compares the books.
struct Judge {
  private let rules: JudgeRules
  private var verdict = Verdict()
  private var differences: [Difference] = []
  private var expectedParked: [String: Int] = [:]
  /// Bills by order number and object, in the order of their Saves.
  private var found: [String: [String: [BookedBill]]] = [:]

  static func judge(_ books: Books, _ rules: JudgeRules = JudgeRules()) -> Verdict {
    var judge = Judge(rules)
    judge.take(books.bills, of: Set(books.orders.map(\.number)))
    for order in books.orders { judge.judge(order) }
    return judge.ended(books)
  }

  private init(_ rules: JudgeRules) { self.rules = rules }

  private mutating func take(_ bills: [BookedBill], of orders: Set<String>) {
    let objects = Set(["SO"] + rules.beside + [rules.returns].compactMap { $0 })
    for bill in bills {
      verdict.objects[bill.object, default: 0] += 1
      guard let owner = Self.owner(of: bill.key, orders) else {
        note(.phantom, bill.facts.number, "no order of OKKI stands behind it")
        continue
      }
      guard objects.contains(bill.object) else {
        note(.phantom, bill.facts.number, "no \(bill.object) is made of order \(owner)")
        continue
      }
      found[owner, default: [:]][bill.object, default: []].append(bill)
    }
  }

  /// The order that a bill's key begins with: further bills have something more behind a hyphen.
  private static func owner(of key: String, _ orders: Set<String>) -> String? {
    var rest = key[...]
    while !orders.contains(String(rest)) {
      guard let hyphen = rest.lastIndex(of: "-") else { return nil }
      rest = rest[..<hyphen]
    }
    return String(rest)
  }

  private mutating func note(_ kind: Difference.Kind, _ subject: String, _ detail: String) {
    differences.append(Difference(kind: kind, subject: subject, detail: detail))
  }

  private mutating func judge(_ order: BookedOrder) {
    let bills = found[order.number] ?? [:]
    switch order.fate {
    case .load(let facts):
      verdict.toLoad += 1
      judge(order, facts, bills)
    case .park(let reason):
      verdict.toPark += 1
      expectedParked[reason.rawValue, default: 0] += 1
      judgeParked(order, reason, bills)
    case .removed:
      verdict.removed += 1
      for (object, bills) in bills.sorted(by: { $0.key < $1.key }) {
        if rules.cancels {
          let names = bills.map(\.facts.number).joined(separator: ", ")
          note(.left, order.number, "\(object): is deleted in OKKI, and K/3 holds \(names)")
        }
        // Whichever revision it was written as: nobody knows any more; but not the same bill twice.
        let isTwice = rules.allowsParts ? Set(bills.map(\.key)).count < bills.count : bills.count > 1
        if isTwice { note(.duplicate, order.number, "\(object): is in K/3 \(bills.count) times") }
      }
    }
  }

  private mutating func judge(_ order: BookedOrder, _ facts: BillFacts, _ bills: [String: [BookedBill]]) {
    var wanted = ["SO"] + rules.beside
    let returned = order.isReturned ? rules.returns : nil
    if let returned { wanted = [returned] }
    var findings: [OrderCase.Finding] = []
    for object in wanted {
      let one = OrderCase(
        order, facts, object: object, isReturn: object == returned, bills: bills[object] ?? [],
        allowsParts: rules.allowsParts)
      findings.append(one.judged())
    }
    // What was written before the goods came back stays; it need not be there.
    for (object, bills) in bills.sorted(by: { $0.key < $1.key }) where !wanted.contains(object) {
      if returned == nil {
        note(.phantom, order.number, "\(object): the order is not in the status of returns")
        continue
      }
      let one = OrderCase(
        order, facts, object: object, isReturn: false, bills: bills, allowsParts: rules.allowsParts)
      // Held back it would be no more right: the return is the newest revision.
      if case .wrong(let difference) = one.judged() { findings.append(.wrong(difference)) }
    }
    conclude(findings)
  }

  private mutating func conclude(_ findings: [OrderCase.Finding]) {
    var isRight = true
    var isOutdated = false
    for finding in findings {
      switch finding {
      case .right: break
      case .outdated: (isRight, isOutdated) = (false, true)
      case .wrong(let difference):
        isRight = false
        differences.append(difference)
      }
    }
    if isOutdated { verdict.outdated += 1 }
    if isRight { verdict.right += 1 }
  }

  /// An order that became unfit after it was written stands as it was.
  private mutating func judgeParked(_ order: BookedOrder, _ reason: ParkReason, _ bills: [String: [BookedBill]]) {
    if bills.isEmpty {
      verdict.absent += 1
      return
    }
    for (object, bills) in bills.sorted(by: { $0.key < $1.key }) {
      let wasRight = order.earlier.contains { facts in
        let one = OrderCase(
          order, facts, object: object, isReturn: object == rules.returns, bills: bills, allowsParts: rules.allowsParts)
        if case .right = one.judged() { return true }
        return false
      }
      if wasRight { continue }
      let prefix = object == "SO" ? "" : "\(object): "
      note(.written, order.number, "\(prefix)cannot be mapped (\(reason.rawValue)) and is in K/3")
    }
  }

  private mutating func ended(_ books: Books) -> Verdict {
    verdict.bills = books.bills.count
    verdict.saves = books.saves
    verdict.refusedDuplicates = books.refusedDuplicates
    judgeReasons(books.parked)
    if verdict.outdated > 0, books.parked == nil {
      note(.outdated, "\(verdict.outdated) orders", "are in K/3 as an earlier revision, and no worker was asked why")
    }
    for difference in differences { verdict.counts[difference.kind.rawValue, default: 0] += 1 }
    verdict.examples = differences.prefix(Verdict.mostExamples).map { ($0.kind.rawValue, $0.subject, $0.detail) }
    return verdict
  }

  /// Every field that is not as expected, in words.
  static func unlike(_ expected: BillFacts, _ found: BillFacts) -> [String] {
    var wrong: [String] = []
    func compare<Value: Equatable>(_ name: String, _ expected: Value, _ found: Value) {
      if expected != found { wrong.append("\(name) is \(found), expected \(expected)") }
    }
    compare("number", expected.number, found.number)
    compare("customer", expected.customer, found.customer)
    compare("currency", expected.currency, found.currency)
    compare("rate", expected.rate, found.rate)
    compare("lines", expected.lines.count, found.lines.count)
    for (place, pair) in zip(expected.lines, found.lines).enumerated() where pair.0 != pair.1 {
      let (want, have) = pair
      let line = "line \(place + 1) "
      compare(line + "material", want.material, have.material)
      compare(line + "unit", want.unit, have.unit)
      compare(line + "quantity", want.quantity, have.quantity)
      compare(line + "tax price", want.taxPrice, have.taxPrice)
      compare(line + "price", want.price, have.price)
      compare(line + "tax rate", want.taxRate, have.taxRate)
      compare(line + "total", want.total, have.total)
      compare(line + "net amount", want.net, have.net)
      compare(line + "tax", want.tax, have.tax)
      compare(line + "total in RMB", want.standardTotal, have.standardTotal)
      compare(line + "delivery", want.delivery, have.delivery)
    }
    return wrong
  }

  /// Why a newer revision may be held while an older one is in K/3.
  private static let holding = ["changed_after_written", "stream_changed"]

  private mutating func judgeReasons(_ parked: [String: Int]?) {
    let holding = parked.map { parked in Self.holding.compactMap { parked[$0] }.reduce(0, +) }
    for name in Set(expectedParked.keys).union(parked.map { Set($0.keys) } ?? []).sorted() {
      // A change parks each bill of its revision, and an order may change often: counted together below.
      if Self.holding.contains(name) { continue }
      // A removed order's bill is held, or the order was never written: at most one removal each, whose bills nobody knows.
      if name == "removed_after_written", let have = parked?[name], have <= verdict.removed { continue }
      let want = expectedParked[name] ?? 0
      let have = parked.map { $0[name] ?? 0 }
      verdict.reasons.append(Verdict.Reason(name: name, expected: want, parked: have))
      if let have, have != want { note(.parked, name, "\(have) orders parked, expected \(want)") }
    }
    guard let holding, holding > 0 || verdict.outdated > 0 else { return }
    let name = Self.holding[0]
    verdict.reasons.append(Verdict.Reason(name: name, expected: verdict.outdated, parked: holding))
    if holding < verdict.outdated || verdict.outdated == 0 {
      note(.parked, name, "\(holding) bills held, \(verdict.outdated) orders are in K/3 as an earlier revision")
    }
  }
}
