// Values by their places: for who reads many of one document and keeps it alive. A `JSONValue` counts a reference to its
// document each time that one is made or copied.
extension JSONDocument {
  /// The outermost value's place.
  package static let rootPlace = 0

  /// What stands at a place.
  package func kind(at place: Int) -> JSONValue.Kind { nodes[place].kind }

  /// Elements of an array or members of an object; 0 for anything else.
  package func count(at place: Int) -> Int { Int(nodes[place].count) }

  /// The first element of an array that has any.
  package func firstElement(of place: Int) -> Int { place + 1 }

  /// The place behind a value and all in it: that of its array's next element, if there is one.
  package func next(after place: Int) -> Int { Int(nodes[place].next) }

  /// The value there, which keeps the document alive.
  package func value(at place: Int) -> JSONValue { JSONValue(document: self, index: place) }

  /// The exact value of a number; nil for more than 38 digits.
  package func decimal(at place: Int) -> ExactDecimal? {
    let node = nodes[place]
    return withBytes(from: node.start, to: node.end) { ExactDecimal(utf8: $0) }
  }

  /// Whether it is null, false, the number or text `0`, or an empty text.
  package func isZeroOrNothing(at place: Int) -> Bool {
    let node = nodes[place]
    let size = node.end - node.start
    switch node.kind {
    case .null: return true
    case .bool: return bytes[Int(node.start)] == UInt8(ascii: "f")
    case .number: return size == 1 && bytes[Int(node.start)] == UInt8(ascii: "0")
    case .string: return size == 2 || size == 3 && bytes[Int(node.start) + 1] == UInt8(ascii: "0")
    case .array, .object: return false
    }
  }

  /// The content of a string, unescaped.
  package func string(at place: Int) -> String {
    let node = nodes[place]
    return withBytes(from: node.start + 1, to: node.end - 1) {
      node.isEscaped ? unescaped($0) : String(decoding: $0, as: UTF8.self)
    }
  }

  /// The first of these keys that an object has: the place of its value, or below 0. Of a repeated key the last one counts.
  package func member(_ keys: JSONKeys, of object: Int) -> Int {
    guard nodes[object].kind == .object else { return -1 }
    var start = 0
    for number in 0..<keys.count {
      let end = keys.ends[number]
      let found = member(UnsafeBufferPointer(start: keys.bytes + start, count: end - start), of: object)
      if found >= 0 { return found }
      start = end
    }
    return -1
  }

  /// The value's place of an object's member; below 0 where there is none. Of a repeated key the last one counts.
  func member(_ wanted: UnsafeBufferPointer<UInt8>, of object: Int) -> Int {
    guard let base = nodes.baseAddress else { return -1 }
    return bytes.withUnsafeBufferPointer { bytes in
      var found = -1
      var at = object + 1
      let end = Int(base[object].next)
      // With its quotes.
      let size = UInt32(truncatingIfNeeded: wanted.count + 2)
      while at < end {
        let key = base + at
        if key.pointee.end &- key.pointee.start == size || key.pointee.isEscaped,
          Self.isKey(key.pointee, wanted, in: bytes)
        {
          found = at + 1
        }
        at = Int(base[at + 1].next)
      }
      return found
    }
  }

  private static func isKey(
    _ node: JSONNode, _ wanted: UnsafeBufferPointer<UInt8>, in bytes: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    let start = Int(node.start) + 1
    let size = Int(node.end) - 1 - start
    if node.isEscaped {
      return unescaped(UnsafeBufferPointer(rebasing: bytes[start..<start + size])).utf8.elementsEqual(wanted)
    }
    guard size == wanted.count, let left = bytes.baseAddress, let right = wanted.baseAddress else {
      return size == wanted.count
    }
    var at = 0
    while at + 8 <= size {
      let a = UnsafeRawPointer(left + start + at).loadUnaligned(as: UInt64.self)
      if a != UnsafeRawPointer(right + at).loadUnaligned(as: UInt64.self) { return false }
      at += 8
    }
    while at < size {
      if left[start + at] != right[at] { return false }
      at += 1
    }
    return true
  }
}

/// Keys of which the first that an object has counts, kept as bytes for who looks them up in many objects.
package final class JSONKeys: Sendable {
  /// All of them, one behind the other; never written again.
  nonisolated(unsafe) fileprivate let bytes: UnsafeMutablePointer<UInt8>
  nonisolated(unsafe) fileprivate let ends: UnsafeMutablePointer<Int>
  fileprivate let count: Int

  /// Keys, the first to be looked for first.
  package init(_ keys: [String]) {
    let all = keys.map { Array($0.utf8) }
    count = all.count
    bytes = .allocate(capacity: max(1, all.reduce(0) { $0 + $1.count }))
    ends = .allocate(capacity: max(1, all.count))
    var at = 0
    for (number, key) in all.enumerated() {
      for byte in key {
        (bytes + at).initialize(to: byte)
        at += 1
      }
      (ends + number).initialize(to: at)
    }
  }

  deinit {
    bytes.deallocate()
    ends.deallocate()
  }
}

extension JSONValue {
  /// Where it stands in its document.
  package var place: Int { index }
  /// The document that it is of.
  package var source: JSONDocument { document }
}
