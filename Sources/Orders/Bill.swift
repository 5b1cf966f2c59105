/// A bill (单据) ready to be saved in K/3.
public struct Bill: Sendable, Equatable {
  /// K/3's object, such as `SO` (销售订单, vendor-apis.md A.2.1).
  public let object: String
  /// The external key that the mapping put into the bill's `keyField`, mostly the order's number; the ledger decides which key is
  /// really sent.
  public let number: String
  /// The request's body, JSON: `{"Data":{"Page1":[…],"Page2":[…]}}`.
  public let body: [UInt8]
  /// What was done to the bill that its body does not tell; at most `BillNote.most`.
  public let notes: [BillNote]
  /// The header field that holds the external key: `FBillNo`, where the key is the bill's number, or another one, where K/3
  /// is asked for the bill by that field and its number is its own matter.
  public let keyField: String

  /// The header field of a bill's number.
  public static let numberField = "FBillNo"

  /// Whether a text can be the name of a field: it stands in filters as it is.
  public static func isFieldName(_ text: String) -> Bool {
    1...64 ~= text.utf8.count
      && text.utf8.allSatisfy { byte in
        byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
      }
  }

  /// A bill.
  public init(
    object: String, number: String, body: [UInt8], notes: [BillNote] = [], keyField: String = Bill.numberField
  ) {
    self.object = object
    self.number = number
    self.body = body
    self.notes = notes
    self.keyField = keyField
  }
}

/// Something about a bill that a person may ask for later, and that keeps nobody from sending it.
public struct BillNote: Sendable, Equatable, Hashable, CustomStringConvertible {
  /// The kinds, spelled as the ledger keeps them.
  public enum Kind: String, Sendable, CaseIterable {
    /// Price × quantity is not the line's amount, because the price is rounded.
    case residual
    /// The bill has another date than the order.
    case movedDate = "moved_date"
  }

  /// The most notes of one bill. Where there would be more, the moved dates stand before the residuals and the last note
  /// says how many are left out.
  public static let most = 100

  /// What it is about.
  public let kind: Kind
  /// The field of the bill, such as `Page2[3].FAuxTaxPrice`; empty for the note that counts those left out.
  public let place: String
  /// One short sentence; of the order's data it holds dates and the difference alone.
  public let text: String

  /// A note.
  public init(_ kind: Kind, place: String, _ text: String) {
    self.kind = kind
    self.place = place
    self.text = text
  }

  /// `place: text`
  public var description: String { place.isEmpty ? text : "\(place): \(text)" }
}
