/// The parameters of one statement as libpq wants them: one buffer, and where in it each value stands.
/// Used again for every statement of a connection.
struct ParameterBytes {
  /// Larger parameters are refused.
  static let maxBytes = 64 << 20
  /// A buffer that grew beyond this is not kept.
  private static let keptBytes = 1 << 20

  private(set) var bytes: [UInt8] = []
  /// Where each value starts; nil for NULL.
  private(set) var starts: [Int?] = []
  private(set) var lengths: [Int32] = []
  /// 1: binary, 0: text, ended by a NUL.
  private(set) var formats: [Int32] = []

  /// Replaces the content.
  mutating func encode(_ values: [PostgresValue]) throws(PostgresFailure) {
    guard values.count <= 65_535 else { throw .invalid("more than 65535 parameters") }
    if bytes.capacity > ParameterBytes.keptBytes { bytes = [] }
    bytes.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
    formats.removeAll(keepingCapacity: true)
    for value in values {
      let start = bytes.count
      let isBinary = try append(value)
      if case .null = value { starts.append(nil) } else { starts.append(start) }
      lengths.append(Int32(truncatingIfNeeded: bytes.count - start))
      formats.append(isBinary ? 1 : 0)
      if !isBinary { bytes.append(0) }
      guard bytes.count <= ParameterBytes.maxBytes else { throw .invalid("the parameters are larger than 64 MiB") }
    }
  }

  /// Appends one value; returns whether it is binary.
  private mutating func append(_ value: PostgresValue) throws(PostgresFailure) -> Bool {
    switch value {
    case .null: break
    case .int(let number): append(number)
    case .bool(let flag): append(flag)
    case .text(let text): try append(text, quoted: false)
    case .bytes(let value):
      bytes.append(contentsOf: value)
      return true
    case .bytesArray(let values):
      append(binary: values)
      return true
    case .intArray(let numbers):
      begin(array: 20, count: numbers.count)
      for number in numbers {
        append(word: 8)
        append(long: UInt64(bitPattern: number))
      }
      return true
    case .boolArray(let flags):
      begin(array: 16, count: flags.count)
      for flag in flags {
        append(word: 1)
        bytes.append(flag ? 1 : 0)
      }
      return true
    case .textArray(let texts):
      bytes.append(UInt8(ascii: "{"))
      for (index, text) in texts.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        if let text { try append(text, quoted: true) } else { bytes.append(contentsOf: "NULL".utf8) }
      }
      bytes.append(UInt8(ascii: "}"))
    }
    return false
  }

  private mutating func append(_ flag: Bool) { bytes.append(flag ? UInt8(ascii: "t") : UInt8(ascii: "f")) }

  private mutating func append(_ number: Int64) {
    if number < 0 { bytes.append(UInt8(ascii: "-")) }
    let start = bytes.count
    var rest = number.magnitude
    repeat {
      bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    } while rest > 0
    bytes[start...].reverse()
  }

  /// Appends text; inside an array quoted, with `"` and `\` escaped.
  private mutating func append(_ text: String, quoted: Bool) throws(PostgresFailure) {
    var text = text
    let isClean = text.withUTF8 { source in
      // SAFETY: the buffer is valid inside the closure; every range is within its bounds.
      if quoted { bytes.append(UInt8(ascii: "\"")) }
      var done = 0
      for index in 0..<source.count {
        switch unsafe source[index] {
        case 0: return false
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
          guard quoted else { break }
          unsafe bytes.append(contentsOf: source[done..<index])
          bytes.append(UInt8(ascii: "\\"))
          done = index
        default: break
        }
      }
      unsafe bytes.append(contentsOf: source[done...])
      if quoted { bytes.append(UInt8(ascii: "\"")) }
      return true
    }
    guard isClean else { throw .invalid("a text holds a NUL character, which PostgreSQL cannot store") }
  }

  /// Appends a bytea[].
  private mutating func append(binary values: [[UInt8]]) {
    begin(array: 17, count: values.count)
    for value in values {
      append(word: UInt32(truncatingIfNeeded: value.count))
      bytes.append(contentsOf: value)
    }
  }

  /// Begins an array in PostgreSQL's binary form: dimensions, has-null, element type, count, lower bound. The length and the
  /// bytes of each element follow.
  /// - Parameter type: the element's type as `pg_type` numbers it: 16 boolean, 17 bytea, 20 bigint.
  private mutating func begin(array type: UInt32, count: Int) {
    append(word: count == 0 ? 0 : 1)
    append(word: 0)
    append(word: type)
    if count == 0 { return }
    append(word: UInt32(truncatingIfNeeded: count))
    append(word: 1)
  }

  private mutating func append(word: UInt32) {
    // SAFETY: the buffer is valid inside the closure.
    unsafe withUnsafeBytes(of: word.bigEndian) { unsafe bytes.append(contentsOf: $0) }
  }

  private mutating func append(long: UInt64) {
    // SAFETY: the buffer is valid inside the closure.
    unsafe withUnsafeBytes(of: long.bigEndian) { unsafe bytes.append(contentsOf: $0) }
  }
}
