import JSON

/// How many decimals K/3 keeps of a kind of number (vendor-apis.md A-18); a strategy's `ferry.decimals` says otherwise.
struct DecimalClasses: Sendable {
  private var decimals = ["price": 6, "quantity": 4, "amount": 2]

  /// K/3's fields of each class, in small letters, since K/3 reads them in any (vendor-apis.md A.2, A.8.2, A.11).
  private static let fields: [String: Set<String>] = [
    "price": ["fauxprice", "fauxtaxprice", "fauxpricediscount", "fconsignprice"],
    "quantity": ["fauxqty", "fqty", "fsecqty", "fauxqtymust", "fqtymust"],
    "amount": ["famount", "fallamount", "fallstdamount", "ftaxamt", "ftaxamount", "fconsignamount"],
  ]

  /// The class of a field of K/3, and its decimals; nil for a field that is of none.
  func usual(of field: String) -> (name: String, decimals: Int)? {
    let field = field.lowercased()
    guard let name = Self.fields.first(where: { $0.value.contains(field) })?.key, let decimals = decimals[name] else {
      return nil
    }
    return (name, decimals)
  }

  /// Of an amount.
  var amount: Int { decimals["amount"] ?? 2 }

  /// K/3's own.
  init() {}

  /// The same without telling what is wrong, which is told once.
  init(_ own: JSONValue?) {
    for (name, value) in own?["decimals"].map({ Array($0.members) }) ?? [] where decimals[name] != nil {
      if let number = value.int64, 0...20 ~= number { decimals[name] = Int(number) }
    }
  }

  /// K/3's own, and what a target's `ferry` changes.
  init(_ own: JSONValue?, _ problems: inout ProblemList) {
    guard let changes = own?["decimals"] else { return }
    if changes.kind != .object { problems.report("must be an object", at: "ferry.decimals", changes) }
    for (name, value) in changes.members {
      guard decimals[name] != nil else {
        problems.report("«\(excerpt(name))» is unknown; known are \(Self.names)", at: "ferry.decimals", value)
        continue
      }
      guard let number = value.int64, 0...20 ~= number else {
        problems.report("\(name) is a whole number from 0 to 20", at: "ferry.decimals", value)
        continue
      }
      decimals[name] = Int(number)
    }
  }

  /// What a rule means by its `decimals`: a number, or a class by its name; nil when it means nothing.
  func decimals(_ value: JSONValue) -> Int? {
    if let name = value.string { return decimals[name] }
    return value.int64.flatMap { 0...20 ~= $0 ? Int($0) : nil }
  }

  private static let names = "price, quantity, amount"
  /// What a rule is told that means nothing.
  static let sentence = "decimals is a whole number from 0 to 20, or one of \(names)"
}
