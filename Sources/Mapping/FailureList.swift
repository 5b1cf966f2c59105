/// Gathers what is wrong with an order. Somebody mends the fields one by one, so all are told; but one broken order must not
/// grow a report without bound.
struct FailureList {
  /// Most that are told.
  static let most = 1_000
  /// Most bytes of those.
  private static let mostBytes = 64 << 10

  private(set) var told: [MappingFailure] = []
  private(set) var count = 0
  private var bytes = 0

  /// Whether another one would be told.
  var hasRoom: Bool { told.count < Self.most && bytes < Self.mostBytes }

  mutating func add(_ failure: MappingFailure) {
    guard hasRoom else { return add(untold: 1) }
    count += 1
    bytes += failure.target.utf8.count + failure.sentence.utf8.count
    for source in failure.sources { bytes += source.utf8.count }
    told.append(failure)
  }

  /// Adds those that nobody tells.
  mutating func add(untold: Int) { count += untold }

  /// All of them; nil when there are none.
  var failures: MappingFailures? {
    told.isEmpty ? nil : MappingFailures(failures: told, untold: count - told.count)
  }
}
