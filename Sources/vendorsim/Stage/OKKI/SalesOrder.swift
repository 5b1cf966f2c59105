import JSON

/// One sales order as OKKI keeps it. Times are Unix seconds; numbers are kept as the text they are shown with.
struct SalesOrder {
  struct Line {
    var uniqueID: Int64
    var productIndex: Int
    /// Empty for a free-text line.
    var productNumber: String
    var name: String
    var unit: String
    var count: Figure
    var unitPrice: Figure
    /// The line's amount, other cost included.
    var costAmount: Figure
    var otherCost: Figure
    var vatRate: Figure
    var remark = ""
  }

  struct Cost {
    var name: String
    var amount: String
    var remark: String
  }

  var id: Int64
  var number: String
  var name: String
  var companyID: Int64
  var currency: String
  var exchangeRate: Figure
  var dollarRate: String
  var accountDate: String
  var shipmentDeadline = ""
  var createTime: Int
  var updateTime: Int
  var deleteTime: Int?
  var status: Int64
  var approval: Int
  var person: Int
  var remark: String
  var lines: [Line]
  var costs: [Cost] = []
  /// Custom fields: numeric keys at the top level, values as JSON text.
  var customs: [(key: String, value: String)] = []
  var defect: Defect?

  /// Bytes of its two shows, made when first asked for.
  var infoText: [UInt8]?
  var listText: [UInt8]?
  /// What order/info showed before it was changed, the newest last; the last few.
  var earlierTexts: [[UInt8]] = []

  static let mostEarlierTexts = 16
}

/// A number and how OKKI happens to show it: `100`, `"100"`, `100.00`.
struct Figure {
  var text: String
  var quoted = false

  var value: ExactDecimal { ExactDecimal(text) ?? .zero }
}

/// One company (客户).
struct Company {
  var id: Int64
  var index: Int
  var name: String
  /// 客户编号, typed by people: may be empty or double.
  var serial: String
  var updateTime: Int
  /// Not shown by company/list (deleted, or out of the caller's sight).
  var hidden = false
}

extension JSONWriter {
  /// A figure as OKKI shows it; with `plain` always a number.
  mutating func member(_ key: String, _ figure: Figure, plain: Bool) {
    self.key(key)
    if figure.quoted && !plain { string(figure.text) } else { number(text: figure.text) }
  }
}
