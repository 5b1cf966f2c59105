#if canImport(Glibc)
  import Glibc
#endif

// What AnswerReader reads of single lines.

extension AnswerReader {
  /// The field whose name ends before the colon.
  static func field(_ line: Span<UInt8>, _ colon: Int) throws(AnswerDefect) -> Field {
    var end = colon
    while end > 0, line[end - 1] == 32 || line[end - 1] == 9 { end -= 1 }
    let field: Field =
      switch end {
      case 4 where isName(line, Names.date): .date
      case 10 where isName(line, Names.connection): .connection
      case 11 where isName(line, Names.retryAfter): .retryAfter
      case 14 where isName(line, Names.contentLength): .contentLength
      case 16 where isName(line, Names.contentEncoding): .contentEncoding
      case 17 where isName(line, Names.transferEncoding): .transferEncoding
      default: .other
      }
    // A name with a blank behind it is another name for some readers.
    guard field == .other || end == colon else { throw AnswerDefect("a header's name of the answer ends with a blank") }
    return field
  }

  private enum Names {
    static let date = Array("date".utf8)
    static let connection = Array("connection".utf8)
    static let retryAfter = Array("retry-after".utf8)
    static let contentLength = Array("content-length".utf8)
    static let contentEncoding = Array("content-encoding".utf8)
    static let transferEncoding = Array("transfer-encoding".utf8)
  }

  private static func isName(_ line: Span<UInt8>, _ name: [UInt8]) -> Bool {
    for place in name.indices where lowercased(line[place]) != name[place] { return false }
    return true
  }

  /// A length in decimal digits.
  static func decimal(_ text: String) throws(AnswerDefect) -> Int {
    guard !text.isEmpty, text.utf8.allSatisfy(isDigit) else {
      throw AnswerDefect("the answer's length cannot be read")
    }
    // More digits than Int holds are only "too long".
    guard let number = Int(text) else { throw .tooLarge }
    return number
  }
}

/// The words of a list with commas, lower case, without their blanks.
func words(_ value: Span<UInt8>) -> [String] {
  var words: [String] = []
  var word: [UInt8] = []
  for index in 0...value.count {
    if index < value.count, value[index] != 44 {
      if !word.isEmpty || value[index] != 32 && value[index] != 9 { word.append(lowercased(value[index])) }
    } else {
      while let last = word.last, last == 32 || last == 9 { word.removeLast() }
      words.append(String(decoding: word, as: UTF8.self))
      word.removeAll(keepingCapacity: true)
    }
  }
  return words
}

/// A value as text.
func text(_ value: Span<UInt8>) -> String {
  // SAFETY: the bytes are copied within the call.
  unsafe value.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
}

func isDigit(_ byte: UInt8) -> Bool { 48...57 ~= byte }

func hexDigit(_ byte: UInt8) -> Int? {
  switch byte {
  case 48...57: Int(byte) - 48
  case 65...70: Int(byte) - 55
  case 97...102: Int(byte) - 87
  default: nil
  }
}

func lowercased(_ byte: UInt8) -> UInt8 { 65...90 ~= byte ? byte | 32 : byte }

/// Where the first line feed is.
func firstLineFeed(_ bytes: Span<UInt8>, from start: Int) -> Int? {
  // SAFETY: memchr looks at the bytes from start to the end, which are the buffer's.
  unsafe bytes.withUnsafeBufferPointer { buffer in
    guard let base = buffer.baseAddress, start < buffer.count,
      let found = unsafe memchr(base + start, 10, buffer.count - start)
    else { return nil }
    return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }
}
