/// MySQL's formats of dates, as DATE_FORMAT and STR_TO_DATE take them.
enum DateFormat {
  static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]
  static let weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

  static func text(of moment: SQLDateTime, _ format: String) -> String { written(format, moment.date, moment.time) }

  static func text(of time: SQLTime, _ format: String) -> String { written(format, nil, time) }

  /// Each `%` and its letter replaced; a letter without a meaning stays.
  private static func written(_ format: String, _ date: SQLDate?, _ time: SQLTime) -> String {
    Digits.text { digits in
      var isLetter = false
      for byte in format.utf8 {
        if isLetter {
          isLetter = false
          if !put(byte, date, &digits), !put(byte, time, &digits) { digits.put(byte: byte) }
        } else if byte == 0x25 {
          isLetter = true
        } else {
          digits.put(byte: byte)
        }
      }
      if isLetter { digits.put(byte: 0x25) }
    }
  }

  /// Without a date, zeros.
  private static func put(_ letter: UInt8, _ date: SQLDate?, _ digits: inout Digits) -> Bool {
    switch letter {
    case UInt8(ascii: "Y"): digits.put(date?.year ?? 0, 4)
    case UInt8(ascii: "y"): digits.put((date?.year ?? 0) % 100, 2)
    case UInt8(ascii: "m"): digits.put(date?.month ?? 0, 2)
    case UInt8(ascii: "c"): digits.put(date?.month ?? 0, 1)
    case UInt8(ascii: "d"): digits.put(date?.day ?? 0, 2)
    case UInt8(ascii: "e"): digits.put(date?.day ?? 0, 1)
    default:
      guard let date else { return false }
      return putName(letter, date, &digits)
    }
    return true
  }

  private static func putName(_ letter: UInt8, _ date: SQLDate, _ digits: inout Digits) -> Bool {
    switch letter {
    case UInt8(ascii: "M"): digits.put(months[date.month - 1])
    case UInt8(ascii: "b"): digits.put(String(months[date.month - 1].prefix(3)))
    case UInt8(ascii: "W"): digits.put(weekdays[date.weekday])
    case UInt8(ascii: "a"): digits.put(String(weekdays[date.weekday].prefix(3)))
    case UInt8(ascii: "w"): digits.put((date.weekday + 1) % 7, 1)
    case UInt8(ascii: "j"): digits.put(date.dayOfYear, 3)
    case UInt8(ascii: "D"):
      digits.put(date.day, 1)
      digits.put(ending(date.day))
    case UInt8(ascii: "U"): digits.put(date.week(mode: 0).week, 2)
    case UInt8(ascii: "u"): digits.put(date.week(mode: 1).week, 2)
    case UInt8(ascii: "V"): digits.put(date.week(mode: 2).week, 2)
    case UInt8(ascii: "v"): digits.put(date.week(mode: 3).week, 2)
    case UInt8(ascii: "X"): digits.put(date.week(mode: 2).year, 4)
    case UInt8(ascii: "x"): digits.put(date.week(mode: 3).year, 4)
    default: return false
    }
    return true
  }

  private static func ending(_ day: Int) -> String {
    if (11...13).contains(day) { return "th" }
    return [1: "st", 2: "nd", 3: "rd"][day % 10] ?? "th"
  }

  private static func put(_ letter: UInt8, _ time: SQLTime, _ digits: inout Digits) -> Bool {
    let hour = time.seconds / 3600
    switch letter {
    case UInt8(ascii: "H"): digits.put(hour, 2)
    case UInt8(ascii: "k"): digits.put(hour, 1)
    case UInt8(ascii: "h"), UInt8(ascii: "I"): digits.put((hour % 24 + 11) % 12 + 1, 2)
    case UInt8(ascii: "l"): digits.put((hour % 24 + 11) % 12 + 1, 1)
    case UInt8(ascii: "i"): digits.put(time.seconds / 60 % 60, 2)
    case UInt8(ascii: "s"), UInt8(ascii: "S"): digits.put(time.seconds % 60, 2)
    case UInt8(ascii: "f"): digits.put(time.microseconds, 6)
    case UInt8(ascii: "p"): digits.put(hour % 24 < 12 ? "AM" : "PM")
    case UInt8(ascii: "T"): putClock(hour, time, &digits)
    case UInt8(ascii: "r"):
      putClock((hour % 24 + 11) % 12 + 1, time, &digits)
      digits.put(hour % 24 < 12 ? " AM" : " PM")
    default: return false
    }
    return true
  }

  private static func putClock(_ hour: Int, _ time: SQLTime, _ digits: inout Digits) {
    digits.put(hour, 2)
    digits.put(byte: 0x3A)
    digits.put(time.seconds / 60 % 60, 2)
    digits.put(byte: 0x3A)
    digits.put(time.seconds % 60, 2)
  }
}
