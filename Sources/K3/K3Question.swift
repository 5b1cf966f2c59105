internal import JSON
internal import Orders
internal import Pipeline

/// The list is asked for the one bill whose header has a value in a field; and the bodies of the requests that name a bill.
struct K3Question {
  /// Rows that are asked for at a time.
  static let pageSize = 10

  /// K/3's object.
  let object: String
  /// The header's field.
  let field: String
  /// What it holds.
  let value: String
  private let filter: String

  /// Nil when the value may not stand in a filter.
  init?(_ object: String, _ field: String, _ value: String) {
    guard let filter = K3Filter.equals(field, value) else { return nil }
    (self.object, self.field, self.value, self.filter) = (object, field, value, filter)
  }

  /// A bill is asked for by its number where that is known, else by its key.
  init?(_ bill: KeyedBill) {
    if let number = bill.number {
      self.init(bill.object, Bill.numberField, number)
    } else {
      self.init(bill.object, bill.keyField, bill.key)
    }
  }

  /// Whether it is the bill's number that is asked for.
  var isForNumber: Bool { field == Bill.numberField }

  /// `GetList` of headers, one row a bill (`SelectPage` 1).
  /// - Parameter isWithIDs: with K/3's ids, and as many rows as a bill may have lines, for a site that shows a row for each.
  func call(isWithIDs: Bool = false) -> K3Client.Call {
    let pageSize = isWithIDs ? 1_000 : Self.pageSize
    let names = (isForNumber ? [] : [field]) + [Bill.numberField] + (isWithIDs ? ["FInterID"] : [])
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("Data")
    writer.beginObject()
    let fields = [
      ("Top", "\(pageSize)"), ("PageSize", "\(pageSize)"), ("PageIndex", "1"), ("SelectPage", "1"),
      ("Fields", names.joined(separator: ",")), ("Filter", filter), ("OrderBy", ""),
    ]
    for (key, value) in fields {
      writer.key(key)
      writer.string(value)
    }
    writer.endObject()
    writer.endObject()
    return K3Client.Call("\(object)/GetList", writer.bytes)
  }

  /// The same question about a bill that nobody has.
  var probe: K3Client.Call { (K3Question(object, field, "ferry-probe") ?? self).call() }

  /// `Delete` of one bill (A.5.4).
  static func delete(number: String) -> [UInt8] { bill(number) { _ in } }

  /// `GetDetail` of one bill.
  static func detail(number: String) -> [UInt8] {
    bill(number) { writer in
      writer.key("GetProperty")
      writer.bool(false)
    }
  }

  /// A bill's number in `Data`, and what stands beside it.
  private static func bill(_ number: String, _ beside: (inout JSONWriter) -> Void) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("Data")
    writer.beginObject()
    writer.key(Bill.numberField)
    writer.string(number)
    writer.endObject()
    beside(&writer)
    writer.endObject()
    return writer.bytes
  }
}
