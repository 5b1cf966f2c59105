/// A text that is written while its values are made, in memory of its own: what `JSONTree` would hold is never there as a
/// whole. The bytes are those that `JSONTree.write` makes of the same values.
///
/// The caller is responsible for opening and closing in pairs, and for a value behind each key.
package final class JSONBody {
  private var base: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  /// Bytes so far.
  package private(set) var count = 0
  private var needsComma = false

  /// An empty text.
  /// - Parameter capacity: bytes to set aside at once, at least 1.
  package init(reserving capacity: Int) {
    base = .allocate(capacity: capacity)
    self.capacity = capacity
  }

  deinit { base.deallocate() }

  /// The text, UTF-8.
  package var bytes: [UInt8] { Array(UnsafeBufferPointer(start: base, count: count)) }

  /// A key as `append(written:)` wants it.
  package static func written(key: String) -> [UInt8] {
    var writer = JSONWriter()
    writer.key(key)
    return [UInt8(ascii: ",")] + writer.bytes
  }

  /// A member as `append(written:)` wants it.
  package static func written(key: String, _ value: JSONTree) -> [UInt8] {
    var writer = JSONWriter()
    writer.key(key)
    value.write(to: &writer)
    return [UInt8(ascii: ",")] + writer.bytes
  }

  /// A place to which the text can be cut back.
  package struct Mark {
    fileprivate let count: Int
    fileprivate let needsComma: Bool
  }

  /// Where the text ends now.
  package var mark: Mark { Mark(count: count, needsComma: needsComma) }

  /// Takes back all that was written since.
  package func cut(to mark: Mark) {
    count = mark.count
    needsComma = mark.needsComma
  }

  /// `{` or `[`, behind a comma where one is due.
  package func open(_ bracket: UInt8) {
    let free = room(2)
    if needsComma {
      free[0] = UInt8(ascii: ",")
      free[1] = bracket
      count += 2
    } else {
      free[0] = bracket
      count += 1
    }
    needsComma = false
  }

  /// `}` or `]`
  package func close(_ bracket: UInt8) {
    room(1)[0] = bracket
    count += 1
    needsComma = true
  }

  /// A key that was written before, behind a comma; its value must follow.
  package func append(writtenKey key: UnsafeBufferPointer<UInt8>) {
    append(written: key)
    needsComma = false
  }

  /// A member that was written before, behind a comma, which is left out where none is due.
  package func append(written member: UnsafeBufferPointer<UInt8>) {
    guard let from = member.baseAddress else { return }
    let skipped = needsComma ? 0 : 1
    let size = member.count - skipped
    room(size).update(from: from + skipped, count: size)
    count += size
    needsComma = true
  }

  /// A value behind its key.
  package func append(_ value: JSONTree) {
    switch value {
    case .string(let text): append(text)
    case .digits(let number): append(number, isQuoted: true)
    case .number(let number): append(number, isQuoted: false)
    case .null, .bool, .array, .object: appendAny(value)
    }
    needsComma = true
  }

  private func append(_ text: String) {
    var text = text
    text.withUTF8 { utf8 in
      guard isPlain(utf8) else { return appendAny(.string(String(decoding: utf8, as: UTF8.self))) }
      let size = utf8.count
      let free = room(size + 2)
      free[0] = UInt8(ascii: "\"")
      if let from = utf8.baseAddress { (free + 1).update(from: from, count: size) }
      free[size + 1] = UInt8(ascii: "\"")
      count += size + 2
    }
  }

  private func append(_ number: ExactDecimal, isQuoted: Bool) {
    // The longest notation has 67 bytes.
    let free = room(96)
    var at = 0
    if isQuoted {
      free[0] = UInt8(ascii: "\"")
      at = 1
    }
    at += number.write(to: free + at)
    if isQuoted {
      free[at] = UInt8(ascii: "\"")
      at += 1
    }
    count += at
  }

  private func appendAny(_ value: JSONTree) {
    var writer = JSONWriter()
    value.write(to: &writer)
    writer.bytes.withUnsafeBufferPointer { written in
      guard let from = written.baseAddress else { return }
      room(written.count).update(from: from, count: written.count)
    }
    count += writer.bytes.count
  }

  /// The end of the text, with room behind it.
  @inline(__always)
  private func room(_ more: Int) -> UnsafeMutablePointer<UInt8> {
    if count + more > capacity { grow(more) }
    return base + count
  }

  @inline(never)
  private func grow(_ more: Int) {
    capacity = max(capacity * 2, count + more)
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    larger.update(from: base, count: count)
    base.deallocate()
    base = larger
  }
}
