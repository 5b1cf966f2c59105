/// Dates as HTTP headers write them.
enum HTTPDate {
  private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  /// `Mon, 15 Jan 2024 02:00:00 GMT`
  /// - Parameter seconds: since 1970, not before.
  static func text(_ seconds: Int) -> String {
    // 2024-01-15 02:00:00, without the eight hours that Beijing is ahead.
    let parts = BeijingTime.text(seconds - 28_800).split(whereSeparator: { $0 == "-" || $0 == " " })
    let month = months[(Int(parts[1]) ?? 1) - 1]
    return "\(days[seconds / 86_400 % 7]), \(parts[2]) \(month) \(parts[0]) \(parts[3]) GMT"
  }
}
