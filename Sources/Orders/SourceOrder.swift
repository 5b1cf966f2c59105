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

/// The fingerprints of texts. The same as of each by itself, four at a time: each step of one waits for the step before it.
public func fingerprints(of texts: [[UInt8]]) -> [Int64] {
  var hashes: [Int64] = []
  hashes.reserveCapacity(texts.count)
  var next = 0
  while next + 4 <= texts.count {
    let (a, b, c, d) = (texts[next], texts[next + 1], texts[next + 2], texts[next + 3])
    let common = min(min(a.count, b.count), min(c.count, d.count))
    var (ha, hb, hc, hd) = (fingerprintStart, fingerprintStart, fingerprintStart, fingerprintStart)
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        c.withUnsafeBufferPointer { c in
          d.withUnsafeBufferPointer { d in
            for place in 0..<common {
              ha = (ha ^ UInt64(a[place])) &* fingerprintPrime
              hb = (hb ^ UInt64(b[place])) &* fingerprintPrime
              hc = (hc ^ UInt64(c[place])) &* fingerprintPrime
              hd = (hd ^ UInt64(d[place])) &* fingerprintPrime
            }
          }
        }
      }
    }
    for (hash, text) in [(ha, a), (hb, b), (hc, c), (hd, d)] {
      hashes.append(fingerprint(text[common...], after: hash))
    }
    next += 4
  }
  for text in texts[next...] { hashes.append(fingerprint(text)) }
  return hashes
}

private let fingerprintStart: UInt64 = 0xcbf2_9ce4_8422_2325
private let fingerprintPrime: UInt64 = 0x0000_0100_0000_01b3

private func fingerprint(_ bytes: ArraySlice<UInt8>, after start: UInt64) -> Int64 {
  var hash = start
  for byte in bytes { hash = (hash ^ UInt64(byte)) &* fingerprintPrime }
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
