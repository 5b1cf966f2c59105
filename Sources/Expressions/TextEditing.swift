// Texts by characters, as MySQL counts them: Unicode scalars.
extension String {
  /// The characters from one number to another, counted from 0; numbers beyond the end stop there.
  func characters(from: Int, to: Int) -> String {
    guard to > from else { return "" }
    var copy = self
    return copy.withUTF8 { bytes in
      let first = offset(of: from, in: bytes)
      let rest = UnsafeBufferPointer(rebasing: bytes[first...])
      let length = offset(of: to - from, in: rest)
      return String(decoding: UnsafeBufferPointer(rebasing: rest[..<length]), as: UTF8.self)
    }
  }

  var characterCount: Int {
    var copy = self
    return copy.withUTF8(scalarCount)
  }

  /// Bytes of a range, which begins and ends between characters.
  func bytes(_ range: Range<Int>) -> String {
    var copy = self
    return copy.withUTF8 { String(decoding: UnsafeBufferPointer(rebasing: $0[range]), as: UTF8.self) }
  }

  /// Without another text at the start, the end or both, however often it stands there.
  func trimmed(_ what: String, start: Bool, end: Bool) -> String {
    let size = what.utf8.count
    guard size > 0 else { return self }
    var (copy, what) = (self, what)
    return copy.withUTF8 { text in
      what.withUTF8 { what in
        var (from, to) = (0, text.count)
        func stands(at place: Int) -> Bool {
          for index in 0..<size where text[place + index] != what[index] { return false }
          return true
        }
        while start, to - from >= size, stands(at: from) { from += size }
        while end, to - from >= size, stands(at: to - size) { to -= size }
        return String(decoding: UnsafeBufferPointer(rebasing: text[from..<to]), as: UTF8.self)
      }
    }
  }

  /// In capitals or small letters, character by character: what has no single counterpart stays.
  func cased(upper: Bool) -> String {
    if utf8.allSatisfy({ $0 < 0x80 }) { return upper ? uppercased() : lowercased() }
    var result = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      let mapping = upper ? scalar.properties.uppercaseMapping : scalar.properties.lowercaseMapping
      let scalars = mapping.unicodeScalars
      result.append(scalars.count == 1 ? scalars.first ?? scalar : scalar)
    }
    return String(result)
  }
}
