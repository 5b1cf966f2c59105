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
    let halves = text.split(separator: " ", omittingEmptySubsequences: true)
    guard (1...2).contains(halves.count), let days = days(halves[0]) else { return nil }
    var seconds = days * 86_400 - offset
    if halves.count == 1 { return endOfDay ? seconds + 86_399 : seconds }
    let clock = halves[1].split(separator: ":", omittingEmptySubsequences: false).map { $0.count == 2 ? Int($0) : nil }
    guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2],
      (0..<24).contains(hour), (0..<60).contains(minute), (0..<60).contains(second)
    else { return nil }
    seconds += hour * 3_600 + minute * 60 + second
    return seconds
  }

  private static func days(_ text: Substring) -> Int? {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].count == 4, let year = Int(parts[0]), let month = Int(parts[1]),
      let day = Int(parts[2]),
      (1...12).contains(month), (1...31).contains(day)
    else { return nil }
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    let result = era * 146_097 + dayOfEra - 719_468
    // The 31st of a short month would roll over: such a date is not one.
    return date(result * 86_400 - offset) == text ? result : nil
  }
}
