import Orders

/// How many pages of the list make a round: large enough that few requests for details wait for a round's last ones, and
/// bounded by what the orders weigh.
struct RoundSize: Sendable {
  /// Orders of several pages at most; as many as the largest page has (vendor-apis.md B-5).
  static let mostOrders = 500
  /// Bytes of contents of several pages, by what the orders before had on average.
  static let mostBytes = 2 << 20
  private var bytesPerOrder: Int?

  /// Pages of so many orders; 1 before any order was fetched.
  func pages(of size: Int) -> Int {
    guard let bytesPerOrder else { return 1 }
    return max(1, min(Self.mostOrders, Self.mostBytes / max(bytesPerOrder, 1)) / max(size, 1))
  }

  /// These were fetched.
  mutating func hasFetched(_ details: [Result<SourceOrder, SourceFailure>]) {
    var orders = 0
    var bytes = 0
    for case .success(let order) in details {
      orders += 1
      bytes += order.content.count
    }
    if orders > 0 { bytesPerOrder = bytes / orders }
  }
}
