/// Marks, by its high bit, each byte of a word that cannot stand in a JSON string as it is: a quote, a backslash, and
/// below 0x20. Only the lowest mark is sure: a borrow may put false ones above it.
@inline(__always)
func specialBytes(_ word: UInt64) -> UInt64 {
  let ones: UInt64 = 0x0101_0101_0101_0101
  let quote = word ^ (ones &* 0x22)
  let backslash = word ^ (ones &* 0x5C)
  let marks = (quote &- ones) & ~quote | (backslash &- ones) & ~backslash | (word &- (ones &* 0x20)) & ~word
  return marks & (ones &* 0x80)
}

/// Whether a text can stand between quotes without escapes.
func isPlain(_ utf8: UnsafeBufferPointer<UInt8>) -> Bool {
  var at = 0
  let words = UnsafeRawBufferPointer(utf8)
  while at + 8 <= utf8.count {
    if specialBytes(words.loadUnaligned(fromByteOffset: at, as: UInt64.self)) != 0 { return false }
    at += 8
  }
  while at < utf8.count {
    let byte = utf8[at]
    if byte < 0x20 || byte == 0x22 || byte == 0x5C { return false }
    at += 1
  }
  return true
}

/// Unescapes the content of a string that the scanner has accepted: pairs are whole and digits hexadecimal.
func unescaped(_ content: UnsafeBufferPointer<UInt8>) -> String {
  // No escape is shorter than what it stands for.
  String(unsafeUninitializedCapacity: content.count) { buffer in
    var at = 0
    var size = 0
    while at < content.count {
      guard content[at] == UInt8(ascii: "\\") else {
        buffer[size] = content[at]
        size += 1
        at += 1
        continue
      }
      let escape = content[at + 1]
      if escape == UInt8(ascii: "u") {
        size += unescapeUnits(content, &at, into: UnsafeMutableBufferPointer(rebasing: buffer[size...]))
      } else {
        buffer[size] = control(escape)
        size += 1
        at += 2
      }
    }
    return size
  }
}

/// What a short escape stands for.
private func control(_ escape: UInt8) -> UInt8 {
  switch escape {
  case UInt8(ascii: "n"): 0x0A
  case UInt8(ascii: "t"): 0x09
  case UInt8(ascii: "r"): 0x0D
  case UInt8(ascii: "b"): 0x08
  case UInt8(ascii: "f"): 0x0C
  default: escape
  }
}

/// Writes the code point of the `\uXXXX`, or of the pair of them, at `at` as UTF-8; returns how many bytes.
private func unescapeUnits(
  _ content: UnsafeBufferPointer<UInt8>, _ at: inout Int, into buffer: UnsafeMutableBufferPointer<UInt8>
) -> Int {
  var point = unit(content, at)
  at += 6
  if point & 0xFC00 == 0xD800 {
    point = 0x10000 + (point & 0x3FF) << 10 + unit(content, at) & 0x3FF
    at += 6
  }
  let continuation = { (shift: UInt32) in UInt8(0x80 | point >> shift & 0x3F) }
  switch point {
  case ..<0x80:
    buffer[0] = UInt8(point)
    return 1
  case ..<0x800:
    buffer[0] = UInt8(0xC0 | point >> 6)
    buffer[1] = continuation(0)
    return 2
  case ..<0x10000:
    buffer[0] = UInt8(0xE0 | point >> 12)
    buffer[1] = continuation(6)
    buffer[2] = continuation(0)
    return 3
  default:
    buffer[0] = UInt8(0xF0 | point >> 18)
    buffer[1] = continuation(12)
    buffer[2] = continuation(6)
    buffer[3] = continuation(0)
    return 4
  }
}

private func unit(_ content: UnsafeBufferPointer<UInt8>, _ at: Int) -> UInt32 {
  (at + 2..<at + 6).reduce(0) { $0 << 4 | UInt32(hexDigit(content[$1]) ?? 0) }
}

@inline(__always)
func hexDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
