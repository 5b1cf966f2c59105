/// MySQL's formats of dates, as DATE_FORMAT and STR_TO_DATE take them.
enum DateFormat {
  static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]
  static let weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

  static func text(of moment: SQLDateTime, _ format: String) -> String {
    written(format) { letter in date(moment.date, letter) ?? time(moment.time, letter) }
  }

  static func text(of time: SQLTime, _ format: String) -> String {
    written(format) { letter in self.time(time, letter) ?? date(nil, letter) }
  }

  /// Each `%` and its letter replaced; a letter without a meaning stays.
  private static func written(_ format: String, _ part: (UInt8) -> String?) -> String {
    var result = ""
    var literal: [UInt8] = []
    var isLetter = false
    for byte in format.utf8 {
      if !isLetter {
        if byte == 0x25 { isLetter = true } else { literal.append(byte) }
        continue
      }
      isLetter = false
      if let part = part(byte) {
        result += String(decoding: literal, as: UTF8.self) + part
        literal = []
      } else {
        literal.append(byte)
      }
    }
    if isLetter { literal.append(0x25) }
    return result + String(decoding: literal, as: UTF8.self)
  }

  /// Without a date, zeros.
  private static func date(_ date: SQLDate?, _ letter: UInt8) -> String? {
    let (year, month, day) = (date?.year ?? 0, date?.month ?? 0, date?.day ?? 0)
    switch letter {
    case UInt8(ascii: "Y"): return padded(year, 4)
    case UInt8(ascii: "y"): return padded(year % 100, 2)
    case UInt8(ascii: "m"): return padded(month, 2)
    case UInt8(ascii: "c"): return String(month)
    case UInt8(ascii: "d"): return padded(day, 2)
    case UInt8(ascii: "e"): return String(day)
    default: return date.flatMap { longDate($0, letter) }
    }
  }

  private static func longDate(_ date: SQLDate, _ letter: UInt8) -> String? {
    switch letter {
    case UInt8(ascii: "M"): return months[date.month - 1]
    case UInt8(ascii: "b"): return String(months[date.month - 1].prefix(3))
    case UInt8(ascii: "W"): return weekdays[date.weekday]
    case UInt8(ascii: "a"): return String(weekdays[date.weekday].prefix(3))
    case UInt8(ascii: "w"): return String((date.weekday + 1) % 7)
    case UInt8(ascii: "j"): return padded(date.dayOfYear, 3)
    case UInt8(ascii: "D"): return "\(date.day)\(ending(date.day))"
    case UInt8(ascii: "U"): return padded(date.week(mode: 0).week, 2)
    case UInt8(ascii: "u"): return padded(date.week(mode: 1).week, 2)
    case UInt8(ascii: "V"): return padded(date.week(mode: 2).week, 2)
    case UInt8(ascii: "v"): return padded(date.week(mode: 3).week, 2)
    case UInt8(ascii: "X"): return padded(date.week(mode: 2).year, 4)
    case UInt8(ascii: "x"): return padded(date.week(mode: 3).year, 4)
    default: return nil
    }
  }

  private static func ending(_ day: Int) -> String {
    if (11...13).contains(day) { return "th" }
    return [1: "st", 2: "nd", 3: "rd"][day % 10] ?? "th"
  }

  private static func time(_ time: SQLTime, _ letter: UInt8) -> String? {
    let (hour, minute, second) = (time.seconds / 3600, time.seconds / 60 % 60, time.seconds % 60)
    let twelve = (hour % 24 + 11) % 12 + 1
    let half = hour % 24 < 12 ? "AM" : "PM"
    let rest = "\(padded(minute, 2)):\(padded(second, 2))"
    switch letter {
    case UInt8(ascii: "H"): return padded(hour, 2)
    case UInt8(ascii: "k"): return String(hour)
    case UInt8(ascii: "h"), UInt8(ascii: "I"): return padded(twelve, 2)
    case UInt8(ascii: "l"): return String(twelve)
    case UInt8(ascii: "i"): return padded(minute, 2)
    case UInt8(ascii: "s"), UInt8(ascii: "S"): return padded(second, 2)
    case UInt8(ascii: "f"): return padded(time.microseconds, 6)
    case UInt8(ascii: "p"): return half
    case UInt8(ascii: "T"): return "\(padded(hour, 2)):\(rest)"
    case UInt8(ascii: "r"): return "\(padded(twelve, 2)):\(rest) \(half)"
    default: return nil
    }
  }
}
