/// A bill (单据) ready to be saved in K/3.
public struct Bill: Sendable, Equatable {
  /// K/3's object, such as `SO` (销售订单, vendor-apis.md A.2.1).
  public let object: String
  /// The number that the mapping put into the bill (`FBillNo`); the ledger decides which number is really sent.
  public let number: String
  /// The request's body, JSON: `{"Data":{"Page1":[…],"Page2":[…]}}`.
  public let body: [UInt8]

  /// A bill.
  public init(object: String, number: String, body: [UInt8]) {
    self.object = object
    self.number = number
    self.body = body
  }
}
