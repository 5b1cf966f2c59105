/// OKKI's `order_id`: what an order is known by everywhere in Ferry.
///
/// Ids reach 14 digits (vendor-apis.md B.6), so they are whole 64-bit numbers. The order *number* is text that people
/// edit; it never identifies an order.
public struct OrderID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The vendor's number.
  public let rawValue: Int64

  /// An id by its number.
  public init(rawValue: Int64) { self.rawValue = rawValue }

  /// An id by its decimal text; nil when it is not a whole number of 64 bits.
  public init?(_ text: some StringProtocol) {
    guard let value = Int64(text) else { return nil }
    rawValue = value
  }

  /// Decimal text.
  public var description: String { String(rawValue) }

  /// Ordered by number.
  public static func < (left: OrderID, right: OrderID) -> Bool { left.rawValue < right.rawValue }
}
