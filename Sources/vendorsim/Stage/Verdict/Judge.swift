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
    /// An order that cannot be mapped was written all the same.
    case written
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
  var bills = 0
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
enum Judge {
  static func judge(_ books: Books) -> Verdict {
    var verdict = Verdict()
    var differences: [Difference] = []
    verdict.bills = books.bills.count
    verdict.saves = books.saves
    verdict.refusedDuplicates = books.refusedDuplicates
    let found = Dictionary(grouping: books.bills, by: \.key)
    var expectedParked: [String: Int] = [:]
    for order in books.orders {
      let bills = found[order.number] ?? []
      switch order.fate {
      case .load(let facts):
        verdict.toLoad += 1
        let wrong = judge(order.number, facts, bills)
        if wrong.isEmpty { verdict.right += 1 }
        differences += wrong
      case .park(let reason):
        verdict.toPark += 1
        expectedParked[reason.rawValue, default: 0] += 1
        if bills.isEmpty {
          verdict.absent += 1
        } else {
          differences.append(
            Difference(
              kind: .written, subject: order.number, detail: "cannot be mapped (\(reason.rawValue)) and is in K/3"))
        }
      case .removed:
        verdict.removed += 1
        if bills.count > 1 {
          differences.append(
            Difference(kind: .duplicate, subject: order.number, detail: "is in K/3 \(bills.count) times"))
        }
      }
    }
    let known = Set(books.orders.map(\.number))
    for bill in books.bills where !known.contains(bill.key) {
      differences.append(
        Difference(kind: .phantom, subject: bill.facts.number, detail: "no order of OKKI stands behind it"))
    }
    differences += reasons(expectedParked, books.parked, &verdict)
    for difference in differences { verdict.counts[difference.kind.rawValue, default: 0] += 1 }
    verdict.examples = differences.prefix(Verdict.mostExamples).map { ($0.kind.rawValue, $0.subject, $0.detail) }
    return verdict
  }

  private static func judge(_ number: String, _ expected: BillFacts, _ bills: [BookedBill]) -> [Difference] {
    guard let bill = bills.first else { return [Difference(kind: .missing, subject: number, detail: "is not in K/3")] }
    if bills.count > 1 {
      let names = bills.map(\.facts.number).joined(separator: ", ")
      return [Difference(kind: .duplicate, subject: number, detail: "is in K/3 \(bills.count) times: \(names)")]
    }
    let wrong = unlike(expected, bill.facts)
    return wrong.isEmpty ? [] : [Difference(kind: .differs, subject: number, detail: wrong.joined(separator: "; "))]
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

  private static func reasons(
    _ expected: [String: Int], _ parked: [String: Int]?, _ verdict: inout Verdict
  ) -> [Difference] {
    var differences: [Difference] = []
    let names = Set(expected.keys).union(parked.map { Set($0.keys) } ?? [])
    for name in names.sorted() {
      let want = expected[name] ?? 0
      let have = parked.map { $0[name] ?? 0 }
      verdict.reasons.append(Verdict.Reason(name: name, expected: want, parked: have))
      if let have, have != want {
        differences.append(Difference(kind: .parked, subject: name, detail: "\(have) orders parked, expected \(want)"))
      }
    }
    return differences
  }
}
