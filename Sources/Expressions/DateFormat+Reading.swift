extension DateFormat {
  /// The date, the time or both that a text holds by a format; null where it does not fit.
  static func value(of text: String, _ format: String) -> SQLValue {
    var reader = FormatReader(text: Array(text.utf8))
    guard reader.read(Array(format.utf8)) else { return .null }
    return reader.value
  }
}

private struct FormatReader {
  let text: [UInt8]
  private var at = 0
  private var year = 0
  private var month = 0
  private var day = 0
  private var hour = 0
  private var minute = 0
  private var second = 0
  private var microseconds = 0
  private var dayOfYear: Int?
  private var isAfternoon: Bool?
  private var hasTwelve = false
  private var hasDate = false
  private var hasTime = false
  private var hasFraction = false

  init(text: [UInt8]) { self.text = text }

  private func isDigit(_ place: Int) -> Bool { place < text.count && text[place] &- 0x30 < 10 }

  private mutating func skipSpaces() {
    while at < text.count, text[at] == 0x20 || text[at] &- 9 < 5 { at += 1 }
  }

  private mutating func number(_ most: Int) -> Int? {
    let start = at
    var value = 0
    while at - start < most, isDigit(at) {
      value = value * 10 + Int(text[at] & 15)
      at += 1
    }
    return at > start ? value : nil
  }

  /// The number of the name that stands here, which may be cut to three letters.
  private mutating func name(_ names: [String], short: Bool) -> Int? {
    for (index, name) in names.enumerated() {
      let letters = Array((short ? String(name.prefix(3)) : name).lowercased().utf8)
      guard at + letters.count <= text.count else { continue }
      if text[at..<(at + letters.count)].map({ $0 | 0x20 }) == letters {
        at += letters.count
        return index + 1
      }
    }
    return nil
  }

  mutating func read(_ format: [UInt8]) -> Bool {
    var place = 0
    while place < format.count {
      // Where the text ends, the rest of the format is not looked at.
      skipSpaces()
      if at >= text.count { break }
      let byte = format[place]
      place += 1
      if byte == 0x25, place < format.count {
        let letter = format[place]
        place += 1
        guard part(letter) else { return false }
      } else if byte != 0x20, byte &- 9 >= 5 {
        guard text[at] == byte else { return false }
        at += 1
      }
    }
    return hasDate || hasTime
  }

  private mutating func part(_ letter: UInt8) -> Bool {
    switch letter {
    case UInt8(ascii: "Y"), UInt8(ascii: "y"):
      let start = at
      guard var found = number(letter == UInt8(ascii: "Y") ? 4 : 2) else { return false }
      if at - start <= 2 { found += found < 70 ? 2000 : 1900 }
      (year, hasDate) = (found, true)
    case UInt8(ascii: "m"), UInt8(ascii: "c"): return set(\.month, number(2), date: true)
    case UInt8(ascii: "M"): return set(\.month, name(DateFormat.months, short: false), date: true)
    case UInt8(ascii: "b"): return set(\.month, name(DateFormat.months, short: true), date: true)
    case UInt8(ascii: "d"), UInt8(ascii: "e"): return set(\.day, number(2), date: true)
    case UInt8(ascii: "D"):
      guard set(\.day, number(2), date: true) else { return false }
      at = min(at + 2, text.count)
    case UInt8(ascii: "j"):
      guard let found = number(3) else { return false }
      (dayOfYear, hasDate) = (found, true)
    case UInt8(ascii: "W"): return name(DateFormat.weekdays, short: false) != nil
    case UInt8(ascii: "a"): return name(DateFormat.weekdays, short: true) != nil
    default: return timePart(letter)
    }
    return true
  }

  private mutating func set(_ part: WritableKeyPath<FormatReader, Int>, _ value: Int?, date: Bool) -> Bool {
    guard let value else { return false }
    self[keyPath: part] = value
    if date { hasDate = true } else { hasTime = true }
    return true
  }

  private mutating func timePart(_ letter: UInt8) -> Bool {
    switch letter {
    case UInt8(ascii: "H"), UInt8(ascii: "k"): return set(\.hour, number(2), date: false)
    case UInt8(ascii: "h"), UInt8(ascii: "I"), UInt8(ascii: "l"):
      hasTwelve = true
      return set(\.hour, number(2), date: false) && (1...12).contains(hour)
    case UInt8(ascii: "i"): return set(\.minute, number(2), date: false)
    case UInt8(ascii: "s"), UInt8(ascii: "S"): return set(\.second, number(2), date: false)
    case UInt8(ascii: "f"):
      let start = at
      guard var found = number(6) else { return false }
      for _ in (at - start)..<6 { found *= 10 }
      hasFraction = true
      return set(\.microseconds, found, date: false)
    case UInt8(ascii: "p"):
      guard at + 2 <= text.count, text[at + 1] | 0x20 == 0x6D else { return false }
      guard text[at] | 0x20 == 0x61 || text[at] | 0x20 == 0x70 else { return false }
      isAfternoon = text[at] | 0x20 == 0x70
      at += 2
      return true
    case UInt8(ascii: "T"): return read(Array("%H:%i:%S".utf8))
    case UInt8(ascii: "r"): return read(Array("%I:%i:%S %p".utf8))
    case UInt8(ascii: "#"):
      while isDigit(at) { at += 1 }
      return true
    case UInt8(ascii: "%"):
      guard text[at] == 0x25 else { return false }
      at += 1
      return true
    default: return false
    }
  }

  var value: SQLValue {
    var hour = hour
    if hasTwelve || isAfternoon != nil { hour = hour % 12 + (isAfternoon == true ? 12 : 0) }
    guard hour < 24, minute < 60, second < 60 else { return .null }
    let seconds = hour * 3600 + minute * 60 + second
    let digits = hasFraction ? 6 : 0
    guard hasDate else {
      return .time(SQLTime(isNegative: false, seconds: seconds, microseconds: microseconds, digits: digits))
    }
    var date = SQLDate(year: year, month: month, day: day)
    if let dayOfYear, dayOfYear > 0, let first = SQLDate(year: year, month: 1, day: 1) {
      date = SQLDate(daysSinceEpoch: first.daysSinceEpoch + dayOfYear - 1)
    }
    guard let date else { return .null }
    guard hasTime else { return .date(date) }
    return .dateTime(SQLDateTime(date: date, second: seconds, microseconds: microseconds, digits: digits))
  }
}
