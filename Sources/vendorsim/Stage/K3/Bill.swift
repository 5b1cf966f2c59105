import JSON

/// A value in a stored bill.
enum FieldValue: Equatable {
  case text(String)
  case reference(number: String, name: String)

  /// As filters compare it: a reference by its number.
  var key: String {
    switch self {
    case .text(let text): text
    case .reference(let number, _): number
    }
  }
}

/// The fields of a header or a line, those that were sent and are not empty.
struct FieldRow {
  private(set) var entries: [(field: UInt8, value: FieldValue)] = []

  init(reserving capacity: Int = 0) { entries.reserveCapacity(capacity) }

  subscript(_ field: Int) -> FieldValue? {
    get { entries.first { $0.field == UInt8(field) }?.value }
    set {
      let place = entries.firstIndex { $0.field == UInt8(field) }
      switch (place, newValue) {
      case (let place?, let value?): entries[place].value = value
      case (let place?, nil): entries.remove(at: place)
      case (nil, let value?): entries.append((UInt8(field), value))
      case (nil, nil): break
      }
    }
  }

  func text(_ field: Int) -> String { self[field]?.key ?? "" }

  func decimal(_ field: Int) -> ExactDecimal? { self[field].flatMap { ExactDecimal($0.key) } }
}

/// A stored sales order.
struct Bill {
  var internalID: Int
  /// The number that it stands under.
  var number: String
  /// The external key as it was sent: the number asked for, or the field that the books look at.
  var key: String
  var header: FieldRow
  var lines: [FieldRow]
  var savedAtMilliseconds: Int
  /// 0 unaudited, 1 audited, 3 closed.
  var status = 0
  /// 0 none, 4 started, 16 approved.
  var review = 0
  var checker = ""
  /// How often its fields were changed by Update.
  var updates = 0
}

/// All stored bills of one type.
struct BillStore {
  private(set) var bills: [Bill?] = []
  private(set) var count = 0
  private var byNumber: [String: [Int]] = [:]
  private var nextNumber = 1

  /// Positions of the bills with a number; several only when the server accepts duplicates.
  func positions(_ number: String) -> [Int] { byNumber[number] ?? [] }

  func position(internalID: Int) -> Int? {
    let position = internalID - Self.firstID
    return bills.indices.contains(position) && bills[position] != nil ? position : nil
  }

  var nextInternalID: Int { Self.firstID + bills.count }

  mutating func add(_ bill: Bill) {
    byNumber[bill.number, default: []].append(bills.count)
    bills.append(bill)
    count += 1
  }

  mutating func update(_ position: Int, _ change: (inout Bill) -> Void) {
    guard bills[position] != nil else { return }
    change(&bills[position]!)  // Checked in the line above.
  }

  mutating func remove(_ position: Int) {
    guard let bill = bills[position] else { return }
    bills[position] = nil
    count -= 1
    byNumber[bill.number]?.removeAll { $0 == position }
  }

  /// The next number of the rule `SEORD%06d` that is free.
  mutating func freeNumber() -> String {
    while true {
      let number = "SEORD\(padded(nextNumber, 6))"
      nextNumber += 1
      if positions(number).isEmpty { return number }
    }
  }

  private static let firstID = 1_001
}
