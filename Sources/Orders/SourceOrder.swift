/// What a list page says of an order: enough to know whether its details must be fetched (vendor-apis.md B.5.2).
public struct OrderHeadline: Hashable, Sendable {
  /// The order.
  public let id: OrderID
  /// OKKI's `update_time`, whole seconds.
  public let updateTime: BeijingTime

  /// A headline.
  public init(id: OrderID, updateTime: BeijingTime) {
    self.id = id
    self.updateTime = updateTime
  }
}

/// One order as `order/info` shows it (vendor-apis.md B.6).
public struct SourceOrder: Sendable {
  /// The order.
  public let id: OrderID
  /// `order_no`: text that people edit, up to the vendor's length; may be empty.
  public let number: String
  /// `update_time` of the content.
  public let updateTime: BeijingTime
  /// The order itself: a JSON object, exactly as the vendor wrote it.
  public let content: [UInt8]

  /// An order.
  public init(id: OrderID, number: String, updateTime: BeijingTime, content: [UInt8]) {
    self.id = id
    self.number = number
    self.updateTime = updateTime
    self.content = content
  }
}

/// A 64-bit fingerprint of a text (FNV-1a), to tell one content of an order from the next one of the same order.
///
/// Not a defence against somebody who makes collisions on purpose; both texts come from the same vendor.
public func fingerprint(_ bytes: some Sequence<UInt8>) -> Int64 {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  for byte in bytes {
    hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
  }
  return Int64(bitPattern: hash)
}

/// One record of a collection: data that lookups read, such as OKKI's customers.
public struct CollectionRecord: Sendable {
  /// What it is known by within its collection.
  public let id: String
  /// A JSON object.
  public let content: [UInt8]

  /// A record.
  public init(id: String, content: [UInt8]) {
    self.id = id
    self.content = content
  }
}
