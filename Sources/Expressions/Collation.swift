/// Comparison of texts as utf8mb4_general_ci has it: without case and accents, spaces at the end ignored. Ours on
/// purpose: characters beyond U+FFFF are told apart, which that collation does not (rare Chinese characters of names).
enum Collation {
  /// Weights that differ from the character itself, in pages of 256; an empty page holds none.
  private static let pages: [[UInt16]] = {
    var pages = [[UInt16]](repeating: [], count: 256)
    for run in collationRuns {
      for index in 0..<run.count {
        let character = run.first + index * run.step
        let page = Int(character >> 8)
        if pages[page].isEmpty { pages[page] = (0..<256).map { UInt16(page << 8 | $0) } }
        pages[page][Int(character & 255)] = UInt16(run.weight + index * run.growth)
      }
    }
    return pages
  }()

  @inline(__always)
  static func weight(_ scalar: UInt32) -> UInt32 {
    if scalar < 0x80 { return scalar &- 0x61 < 26 ? scalar - 32 : scalar }
    return rareWeight(scalar)
  }

  private static func rareWeight(_ scalar: UInt32) -> UInt32 {
    guard scalar < 0x1_0000 else { return scalar }
    let page = pages[Int(scalar >> 8)]
    return page.isEmpty ? scalar : UInt32(page[Int(scalar & 255)])
  }

  /// Below 0, 0 or above 0.
  static func compare(_ left: String, _ right: String) -> Int {
    var (left, right) = (left, right)
    return left.withUTF8 { a in right.withUTF8 { b in compare(a, b) } }
  }

  static func compare(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
    var (i, j) = (0, 0)
    while i < a.count, j < b.count {
      let x = weight(nextScalar(a, &i))
      let y = weight(nextScalar(b, &j))
      if x != y { return x < y ? -1 : 1 }
    }
    // What is left is compared with spaces.
    while i < a.count {
      let x = weight(nextScalar(a, &i))
      if x != 0x20 { return x < 0x20 ? -1 : 1 }
    }
    while j < b.count {
      let y = weight(nextScalar(b, &j))
      if y != 0x20 { return y < 0x20 ? 1 : -1 }
    }
    return 0
  }
}

/// The character that begins at `at`, which goes behind it. The bytes are a String's, so they are well formed.
@inline(__always)
func nextScalar(_ bytes: UnsafeBufferPointer<UInt8>, _ at: inout Int) -> UInt32 {
  let first = UInt32(bytes[at])
  at += 1
  return first < 0x80 ? first : longScalar(bytes, first, &at)
}

private func longScalar(_ bytes: UnsafeBufferPointer<UInt8>, _ first: UInt32, _ at: inout Int) -> UInt32 {
  let more = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3
  var value = first & (0x3F >> UInt32(more))
  for _ in 0..<more where at < bytes.count {
    value = value << 6 | UInt32(bytes[at] & 0x3F)
    at += 1
  }
  return value
}

/// How many characters.
func scalarCount(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
  var count = 0
  for byte in bytes where byte & 0xC0 != 0x80 { count += 1 }
  return count
}

/// Where the character with this number begins; the end when there are fewer.
func offset(of character: Int, in bytes: UnsafeBufferPointer<UInt8>) -> Int {
  var left = character
  var at = 0
  while at < bytes.count {
    if bytes[at] & 0xC0 != 0x80 {
      if left <= 0 { return at }
      left -= 1
    }
    at += 1
  }
  return bytes.count
}

/// Searching that counts what it costs.
struct Searching {
  /// Comparisons done so far.
  var work = 0
  /// More than these, and the search gives up with nil.
  let maxWork: Int

  /// Whether a text is like a pattern; nil when that takes too long.
  mutating func isLike(
    _ text: UnsafeBufferPointer<UInt8>, _ pattern: UnsafeBufferPointer<UInt8>, escape: UInt32?
  ) -> Bool? {
    var (i, j) = (0, 0)
    // Where the last `%` stood, and how far the text was taken by it.
    var (star, mark) = (-1, 0)
    while i < text.count || j < pattern.count {
      work += 1
      if work > maxWork { return nil }
      if j < pattern.count {
        var next = j
        let symbol = nextScalar(pattern, &next)
        if symbol == 0x25, escape != 0x25 {
          (star, mark) = (next, i)
          j = next
          continue
        }
        if i < text.count {
          var after = i
          let character = nextScalar(text, &after)
          var wanted = symbol
          var isLiteral = symbol != 0x5F || escape == 0x5F
          if symbol == escape, next < pattern.count {
            wanted = nextScalar(pattern, &next)
            isLiteral = true
          }
          if !isLiteral || Collation.weight(wanted) == Collation.weight(character) {
            (i, j) = (after, next)
            continue
          }
        }
      }
      guard star >= 0, mark < text.count else { return false }
      _ = nextScalar(text, &mark)
      (i, j) = (mark, star)
    }
    return true
  }

  /// The first byte from `from` on at which the needle stands, and where it ends; nil when it does not, or when that
  /// takes too long (`work > maxWork`).
  mutating func find(
    _ needle: UnsafeBufferPointer<UInt8>, in text: UnsafeBufferPointer<UInt8>, from: Int, ignoresCase: Bool
  ) -> Range<Int>? {
    var start = from
    while start <= text.count {
      var (i, j) = (start, 0)
      var isEqual = true
      while j < needle.count {
        work += 1
        guard i < text.count else { return nil }
        if ignoresCase {
          isEqual = Collation.weight(nextScalar(text, &i)) == Collation.weight(nextScalar(needle, &j))
        } else {
          isEqual = text[i] == needle[j]
          i += 1
          j += 1
        }
        if !isEqual { break }
      }
      if work > maxWork { return nil }
      if isEqual { return start..<i }
      start += 1
      while start < text.count, text[start] & 0xC0 == 0x80 { start += 1 }
    }
    return nil
  }
}
