/// Beijing wall-clock time as both vendors write it, without zone. Seconds are Unix seconds.
enum BeijingTime {
  private static let offset = 8 * 3_600

  /// `2024-01-15 09:30:00`
  static func text(_ seconds: Int) -> String {
    let local = seconds + offset
    let inDay = ((local % 86_400) + 86_400) % 86_400
    return "\(date(seconds)) \(padded(inDay / 3_600, 2)):\(padded(inDay / 60 % 60, 2)):\(padded(inDay % 60, 2))"
  }

  /// `2024-01-15`
  static func date(_ seconds: Int) -> String {
    let local = seconds + offset
    let days = local >= 0 ? local / 86_400 : (local - 86_399) / 86_400
    // Howard Hinnant's calendar arithmetic: years begin in March so that the leap day comes last.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfYear - (153 * marchMonth + 2) / 5 + 1, 2))"
  }

  /// Reads `YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS`. Of a bare date, the first second or (for the end of a window) the last.
  static func seconds(_ text: String, endOfDay: Bool = false) -> Int? {
    var text = text
    return text.withUTF8 { bytes in
      guard bytes.count == 10 || bytes.count == 19, let days = days(bytes) else { return nil }
      let midnight = days * 86_400 - offset
      if bytes.count == 10 { return endOfDay ? midnight + 86_399 : midnight }
      guard bytes[10] == UInt8(ascii: " "), bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
        let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]), let second = number(bytes[17..<19]),
        hour < 24, minute < 60, second < 60
      else { return nil }
      return midnight + hour * 3_600 + minute * 60 + second
    }
  }

  private static func days(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    guard bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"), let year = number(bytes[0..<4]),
      let month = number(bytes[5..<7]), let day = number(bytes[8..<10]), (1...12).contains(month), day >= 1,
      day <= length(ofMonth: month, year: year)
    else { return nil }
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  private static func length(ofMonth month: Int, year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  private static func number(_ digits: Slice<UnsafeBufferPointer<UInt8>>) -> Int? {
    var value = 0
    for byte in digits {
      guard (0x30...0x39).contains(byte) else { return nil }
      value = value * 10 + Int(byte) - 0x30
    }
    return value
  }
}
