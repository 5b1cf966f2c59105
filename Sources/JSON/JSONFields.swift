/// Fields that are read of many objects, each with the keys that it may have: all of them are found in one walk over an
/// object's members, instead of one walk for each key.
package final class JSONFields: Sendable {
  /// How many fields there are.
  package let count: Int

  private struct Entry {
    let start: Int
    let size: Int
    let field: Int
    /// Of an object that has several keys of a field the one with the lowest counts.
    let rank: Int
  }

  private static let buckets = 64
  /// Never written again, like the others; the entries of a bucket stand together.
  nonisolated(unsafe) private let entries: UnsafeMutablePointer<Entry>
  nonisolated(unsafe) private let starts: UnsafeMutablePointer<Int>
  nonisolated(unsafe) private let keys: UnsafeMutablePointer<UInt8>
  private let all: Int

  /// - Parameter fields: the keys of each, the first that an object has counts.
  package init(_ fields: [[String]]) {
    count = fields.count
    var text: [UInt8] = []
    var sorted = [[Entry]](repeating: [], count: Self.buckets)
    for (field, names) in fields.enumerated() {
      for (rank, name) in names.enumerated() {
        let bytes = Array(name.utf8)
        let bucket = bytes.withUnsafeBufferPointer { key in key.baseAddress.map { Self.bucket($0, key.count) } ?? 0 }
        sorted[bucket].append(Entry(start: text.count, size: bytes.count, field: field, rank: rank))
        text += bytes
      }
    }
    let flat = sorted.flatMap { $0 }
    all = flat.count
    entries = .allocate(capacity: max(1, flat.count))
    entries.initialize(from: flat, count: flat.count)
    keys = .allocate(capacity: max(1, text.count))
    keys.initialize(from: text, count: text.count)
    starts = .allocate(capacity: Self.buckets + 1)
    var start = 0
    for bucket in 0..<Self.buckets {
      (starts + bucket).initialize(to: start)
      start += sorted[bucket].count
    }
    (starts + Self.buckets).initialize(to: start)
  }

  deinit {
    entries.deallocate()
    keys.deallocate()
    starts.deallocate()
  }

  @inline(__always)
  private static func bucket(_ key: UnsafePointer<UInt8>, _ size: Int) -> Int {
    guard size > 0 else { return 0 }
    return (size &* 5 &+ Int(key[0]) &* 3 &+ Int(key[size &- 1])) & (buckets - 1)
  }

  /// What stands in `places` for a field that an object does not have.
  package static let nowhere = Int.max
  private static let rankShift = 40

  /// The place of a value that was found.
  @inline(__always)
  package static func place(_ found: Int) -> Int { found & (1 << rankShift - 1) }

  @inline(__always)
  fileprivate func note(_ key: UnsafePointer<UInt8>, _ size: Int, _ value: Int, _ places: UnsafeMutablePointer<Int>) {
    let bucket = starts + Self.bucket(key, size)
    var entry = entries + bucket[0]
    let end = entries + bucket[1]
    while entry < end {
      if entry.pointee.size == size, Self.isSame(key, keys + entry.pointee.start, size) {
        // Of a repeated key the last one counts.
        let place = places + entry.pointee.field
        if entry.pointee.rank <= place.pointee >> Self.rankShift {
          place.pointee = entry.pointee.rank << Self.rankShift | value
        }
      }
      entry += 1
    }
  }

  @inline(__always)
  private static func isSame(_ key: UnsafePointer<UInt8>, _ other: UnsafePointer<UInt8>, _ size: Int) -> Bool {
    var at = 0
    while at &+ 8 <= size {
      let a = UnsafeRawPointer(key + at).loadUnaligned(as: UInt64.self)
      if a != UnsafeRawPointer(other + at).loadUnaligned(as: UInt64.self) { return false }
      at &+= 8
    }
    while at < size {
      if key[at] != other[at] { return false }
      at &+= 1
    }
    return true
  }
}

extension JSONDocument {
  /// Finds the fields of an object.
  /// - Parameter places: room for as many as there are fields; `JSONFields.place` tells the place, unless it is `nowhere`.
  package func find(_ fields: JSONFields, in object: Int, _ places: UnsafeMutablePointer<Int>) {
    places.update(repeating: JSONFields.nowhere, count: fields.count)
    guard let base = nodes.baseAddress, base[object].kind == .object else { return }
    bytes.withUnsafeBufferPointer { bytes in
      guard let text = bytes.baseAddress else { return }
      var at = object &+ 1
      let end = Int(base[object].next)
      while at < end {
        let key = base + at
        let start = text + (Int(key.pointee.start) &+ 1)
        let size = Int(key.pointee.end &- key.pointee.start) &- 2
        if key.pointee.isEscaped {
          var content = unescaped(UnsafeBufferPointer(start: start, count: size))
          content.withUTF8 { content in
            if let start = content.baseAddress { fields.note(start, content.count, at &+ 1, places) }
          }
        } else {
          fields.note(start, size, at &+ 1, places)
        }
        at = Int(base[at &+ 1].next)
      }
    }
  }
}
