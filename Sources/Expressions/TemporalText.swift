import JSON

/// Reads dates as MySQL does: any punctuation between the parts, or none; two-digit years; a time of day if there is one;
/// what follows is ignored. Nil for days that no calendar has.
func dateTime(_ text: String) -> SQLDateTime? {
  var text = text
  return text.withUTF8 { bytes in
    var reader = DateReader(bytes: bytes)
    return reader.dateTime()
  }
}

/// Whether a text would be read as a date whose last part goes on: `29/01/2024` as the 20th of January 2029.
func isCutDate(_ text: String) -> Bool {
  var text = text
  return text.withUTF8 { bytes in
    var reader = DateReader(bytes: bytes)
    return reader.dateTime() != nil && reader.isCut
  }
}

/// As `dateTime`, but a date alone stays one.
func dateOrDateTime(_ text: String) -> SQLValue? {
  var text = text
  return text.withUTF8 { bytes -> SQLValue? in
    var reader = DateReader(bytes: bytes)
    guard let found = reader.dateTime() else { return nil }
    return reader.hasTime ? .dateTime(found) : .date(found.date)
  }
}

/// Reads a time or a length of time: `[-][days ]hours:minutes[:seconds[.fraction]]`, `hhmmss`, or the time of a date.
func time(_ text: String) -> SQLTime? {
  var text = text
  return text.withUTF8 { bytes in
    var reader = DateReader(bytes: bytes)
    return reader.time()
  }
}

private struct DateReader {
  let bytes: UnsafeBufferPointer<UInt8>
  var at = 0
  /// Whether a time of day stood behind the date.
  var hasTime = false
  /// Whether digits of the day are left.
  var isCut = false

  init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  private func isDigit(_ place: Int) -> Bool { place < bytes.count && bytes[place] &- 0x30 < 10 }
  private func isSpace(_ place: Int) -> Bool {
    place < bytes.count && (bytes[place] == 0x20 || bytes[place] &- 9 < 5)
  }
  private func isPunctuation(_ place: Int) -> Bool {
    guard place < bytes.count else { return false }
    let byte = bytes[place]
    return byte > 0x20 && byte < 0x7F && !isDigit(place) && !((byte | 0x20) &- 0x61 < 26)
  }

  private mutating func digits(_ most: Int) -> (value: Int, count: Int) {
    var value = 0
    let start = at
    while at - start < most, isDigit(at) {
      value = value * 10 + Int(bytes[at] & 15)
      at += 1
    }
    return (value, at - start)
  }

  /// Microseconds behind a point; at most 6 decimals count, the rest is passed.
  private mutating func fraction() -> (microseconds: Int, digits: Int) {
    guard at < bytes.count, bytes[at] == 0x2E, isDigit(at + 1) else { return (0, 0) }
    at += 1
    var (value, count) = digits(6)
    let shown = count
    while count < 6 {
      value *= 10
      count += 1
    }
    while isDigit(at) { at += 1 }
    return (value, shown)
  }

  private mutating func skipSpaces() { while isSpace(at) { at += 1 } }

  mutating func dateTime() -> SQLDateTime? {
    skipSpaces()
    var run = at
    while isDigit(run) { run += 1 }
    // Digits without anything between them; a `T` may stand before the time.
    let isPacked = run == bytes.count || bytes[run] == 0x2E && run - at >= 12 || run - at >= 8
    return isPacked ? packed(run - at) : separated()
  }

  private mutating func packed(_ count: Int) -> SQLDateTime? {
    guard count >= 5 else { return nil }
    let hasCentury = count == 8 || count >= 14
    let (year, yearDigits) = digits(hasCentury ? 4 : 2)
    let month = digits(2).value
    let day = digits(2).value
    guard let date = SQLDate(year: full(year, yearDigits), month: month, day: day) else { return nil }
    if count <= 8, at < bytes.count, bytes[at] == 0x54 { at += 1 }
    return timeOfDay(of: date, packed: true)
  }

  private mutating func separated() -> SQLDateTime? {
    let (year, yearDigits) = digits(4)
    guard yearDigits > 0, passPunctuation() else { return nil }
    let (month, monthDigits) = digits(2)
    guard monthDigits > 0, passPunctuation() else { return nil }
    let (day, dayDigits) = digits(2)
    guard dayDigits > 0, let date = SQLDate(year: full(year, yearDigits), month: month, day: day) else { return nil }
    isCut = isDigit(at)
    guard at < bytes.count else { return SQLDateTime(date: date, second: 0) }
    if bytes[at] == 0x54, isDigit(at + 1) {
      at += 1
    } else {
      guard isSpace(at) || isPunctuation(at) else { return SQLDateTime(date: date, second: 0) }
      while isSpace(at) || isPunctuation(at) { at += 1 }
    }
    return timeOfDay(of: date, packed: false)
  }

  private mutating func passPunctuation() -> Bool {
    let start = at
    while isPunctuation(at) { at += 1 }
    return at > start
  }

  private func full(_ year: Int, _ digits: Int) -> Int { digits > 2 ? year : year < 70 ? 2000 + year : 1900 + year }

  private mutating func timeOfDay(of date: SQLDate, packed: Bool) -> SQLDateTime? {
    var parts: InlineArray<3, Int> = [0, 0, 0]
    for index in 0..<3 {
      if index > 0, !packed {
        guard isPunctuation(at), isDigit(at + 1) else { break }
        at += 1
      }
      guard isDigit(at) else { break }
      hasTime = true
      parts[index] = digits(2).value
    }
    let (microseconds, shown) = fraction()
    guard parts[0] < 24, parts[1] < 60, parts[2] < 60 else { return nil }
    return SQLDateTime(
      date: date, second: parts[0] * 3600 + parts[1] * 60 + parts[2], microseconds: microseconds, digits: shown)
  }

  mutating func time() -> SQLTime? {
    skipSpaces()
    let begin = at
    let isNegative = at < bytes.count && bytes[at] == 0x2D
    if isNegative { at += 1 }
    // Twelve digits or a date's separators: the time of a date.
    var run = at
    while isDigit(run) { run += 1 }
    if run - at >= 12 || run < bytes.count && isPunctuation(run) && bytes[run] != 0x3A && bytes[run] != 0x2E {
      at = begin
      return dateTime()?.time
    }
    guard run > at, run - at <= 9 else { return nil }
    var first = digits(9).value
    var days = 0
    if isSpace(at), isDigit(at + 1) {
      days = first
      at += 1
      first = digits(9).value
    } else if !(at < bytes.count && bytes[at] == 0x3A) {
      // Digits alone are read from their end: hhmmss.
      let (microseconds, shown) = fraction()
      let (minute, second) = (first / 100 % 100, first % 100)
      guard minute < 60, second < 60 else { return nil }
      return SQLTime(
        isNegative: isNegative, seconds: first / 10_000 * 3600 + minute * 60 + second, microseconds: microseconds,
        digits: shown)
    }
    var parts: InlineArray<2, Int> = [0, 0]
    for index in 0..<2 {
      guard at < bytes.count, bytes[at] == 0x3A, isDigit(at + 1) else { break }
      at += 1
      parts[index] = digits(2).value
    }
    let (microseconds, shown) = fraction()
    guard parts[0] < 60, parts[1] < 60 else { return nil }
    let hours = min(days, 1000) * 24 + min(first, 100_000)
    return SQLTime(
      isNegative: isNegative, seconds: hours * 3600 + parts[0] * 60 + parts[1], microseconds: microseconds,
      digits: shown)
  }
}

/// Reads a number as a date: 20240305, 240305, 20240305101112 and 240305101112.
func dateTime(_ number: ExactDecimal) -> SQLDateTime? {
  let whole = number.truncated(to: 0)
  guard let digits = whole.wholeNumber, digits > 0 else { return nil }
  let microseconds = Int(number.coefficient % powerOfTen(number.scale) * 1_000_000 / powerOfTen(number.scale))
  let hasTime = digits > 99_999_999
  let day = Int(hasTime ? digits / 1_000_000 : digits)
  let time = Int(hasTime ? digits % 1_000_000 : 0)
  var year = day / 10_000
  if year < 100 { year += year < 70 ? 2000 : 1900 }
  let (hour, minute, second) = (time / 10_000, time / 100 % 100, time % 100)
  guard let date = SQLDate(year: year, month: day / 100 % 100, day: day % 100), hour < 24, minute < 60, second < 60
  else {
    return nil
  }
  return SQLDateTime(
    date: date, second: hour * 3600 + minute * 60 + second, microseconds: microseconds, digits: min(number.scale, 6))
}

extension SQLDate {
  /// 20240305
  var number: Int64 { Int64(year * 10_000 + month * 100 + day) }
}

extension SQLTime {
  /// 101112, with the decimals that are shown.
  var number: ExactDecimal {
    let packed = Int128(seconds / 3600 * 10_000 + seconds / 60 % 60 * 100 + seconds % 60)
    let shown = packed * powerOfTen(digits) + Int128(microseconds) / powerOfTen(6 - digits)
    return ExactDecimal(digits: isNegative ? -shown : shown, scale: digits) ?? .zero
  }
}

extension SQLDateTime {
  /// 20240305101112, with the decimals that are shown.
  var number: ExactDecimal {
    let packed = Int128(date.number) * 1_000_000 * powerOfTen(digits)
    return ExactDecimal(digits: packed + time.number.coefficient, scale: digits) ?? .zero
  }
}
