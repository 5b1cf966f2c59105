import JSON

/// The goods, customers and codes of the invented company. Both servers know them, as both systems of a real company would.
enum Catalogue {
  static let mostCompanies = 10_000
  static let products = 1_000

  struct Unit {
    /// As OKKI names it.
    var okki: String
    /// K/3's number and name.
    var number: String
    var name: String
  }

  static let units = [
    Unit(okki: "Piece", number: "S01", name: "PCS"), Unit(okki: "Set", number: "S02", name: "SET"),
    Unit(okki: "Pair", number: "S03", name: "PR"), Unit(okki: "Carton", number: "S04", name: "CTN"),
    Unit(okki: "Kilogram", number: "S05", name: "KG"),
  ]

  struct Currency {
    /// ISO code, as OKKI has it.
    var code: String
    /// K/3's number and name.
    var number: String
    var name: String
    /// RMB for 100 of it.
    var rate: String
    /// USD for 100 of it.
    var dollarRate: String
  }

  static let currencies = [
    Currency(code: "USD", number: "USD", name: "美元", rate: "712.35", dollarRate: "100"),
    Currency(code: "CNY", number: "RMB", name: "人民币", rate: "100", dollarRate: "14.04"),
    Currency(code: "EUR", number: "EUR", name: "欧元", rate: "778.2", dollarRate: "109.24"),
    Currency(code: "HKD", number: "HKD", name: "港币", rate: "91.05", dollarRate: "12.78"),
    Currency(code: "JPY", number: "JPY", name: "日元", rate: "4.8321", dollarRate: "0.6783"),
    Currency(code: "GBP", number: "GBP", name: "英镑", rate: "905.6", dollarRate: "127.13"),
  ]

  /// People type customer numbers: some are Chinese, and now and then two companies got the same one.
  static func customerNumber(_ index: Int) -> String {
    if index % 97 == 96 { return customerNumber(index - 1) }
    return index % 40 == 7 ? "客户\(padded(index, 5))" : "C\(padded(index, 5))"
  }

  static func companyName(_ index: Int) -> String {
    let names = ["示例客户", "海蓝电子", "Nordlicht Handel", "Blue Harbor Ltd.", "東洋商事", "Café \"Lumière\""]
    return "\(names[index % names.count]) \(padded(index, 5))"
  }

  static func productNumber(_ index: Int) -> String { "2024\(padded(index, 5))" }

  static func productName(_ index: Int) -> String {
    let names = ["连接线 CABLE ASSY", "端子 TERMINAL", "外壳 HOUSING 5\\8\"", "线束 HARNESS", "散热片 HEAT SINK 🔥"]
    return "\(names[index % names.count]) \(index)"
  }

  static func productUnit(_ index: Int) -> Unit { units[index % 7 < 5 ? index % 7 : 0] }

  static let departments = [("D10", "销售部"), ("D20", "计划部"), ("D30", "外贸部")]

  /// The people who sell: OKKI's user id and nickname, K/3's employee number.
  static let people = [
    (user: 11_858_711, nickname: "lin", employee: "2700"), (user: 11_858_712, nickname: "王五", employee: "2747"),
    (user: 11_858_713, nickname: "chen", employee: "1766"),
  ]
}
