import JSON
public import Orders

/// What a value may read besides the order: the clock, the run before, the page, chance. Inputs, so that the same
/// inputs give the same bill, byte for byte.
public struct MappingInputs: Sendable {
  /// `CURRENT_TIME`, and what the times ago are counted from.
  public var now: BeijingTime?
  /// `LAST_SYNC_TIME`: when the last run began.
  public var lastSync: BeijingTime?
  /// `PAGINATION_PAGE_SIZE`: rows of a page.
  public var pageSize: Int?
  /// `PAGINATION_START_ROW`, from 0.
  public var startRow: Int?
  /// `PAGINATION_START_PAGE`, usually from 1.
  public var startPage: Int?
  /// What `{{random}}` is made from; the same seed gives the same text.
  public var randomSeed: UInt64?

  /// Inputs; what is not given is not known, and a field that reads it fails.
  public init(
    now: BeijingTime? = nil, lastSync: BeijingTime? = nil, pageSize: Int? = nil, startRow: Int? = nil,
    startPage: Int? = nil, randomSeed: UInt64? = nil
  ) {
    self.now = now
    self.lastSync = lastSync
    self.pageSize = pageSize
    self.startRow = startRow
    self.startPage = startPage
    self.randomSeed = randomSeed
  }
}

/// A name that stands for a time, a page or chance instead of a field (mapping-language.md §5.3). Times are epoch
/// seconds.
enum Variable: Sendable, Hashable {
  case lastSyncTime
  case currentTime
  /// So many seconds before now.
  case ago(seconds: Int64)
  case pageSize
  case startRow
  case startPage
  case random

  init?(_ name: String) {
    switch name {
    case "LAST_SYNC_TIME": self = .lastSyncTime
    case "CURRENT_TIME": self = .currentTime
    case "PAGINATION_PAGE_SIZE": self = .pageSize
    case "PAGINATION_START_ROW": self = .startRow
    case "PAGINATION_START_PAGE": self = .startPage
    case "random": self = .random
    default:
      guard let ago = Self.ago(name) else { return nil }
      self = ago
    }
  }

  /// `MINUTE_AGO_30`, `DAYS_AGO_2`.
  private static func ago(_ name: String) -> Variable? {
    let parts = name.split(separator: "_", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[1] == "AGO", parts[2].count <= 7, parts[2].allSatisfy({ "0"..."9" ~= $0 }),
      let count = Int64(parts[2])
    else { return nil }
    switch parts[0] {
    case "MINUTE", "MINUTES": return .ago(seconds: count * 60)
    case "HOUR", "HOURS": return .ago(seconds: count * 3600)
    case "DAY", "DAYS": return .ago(seconds: count * 86_400)
    default: return nil
    }
  }

  /// Its value; nil when the inputs do not give it.
  func value(_ inputs: MappingInputs) -> Value? {
    func time(_ time: BeijingTime?) -> Value? { time.map { .number(.init($0.epochSeconds)) } }
    func number(_ number: Int?) -> Value? { number.map { .number(.init(Int64($0))) } }
    return switch self {
    case .lastSyncTime: time(inputs.lastSync)
    case .currentTime: time(inputs.now)
    case .ago(let seconds): time(inputs.now?.advanced(bySeconds: -seconds))
    case .pageSize: number(inputs.pageSize)
    case .startRow: number(inputs.startRow)
    case .startPage: number(inputs.startPage)
    case .random: inputs.randomSeed.map { .text(Self.randomText($0)) }
    }
  }

  /// A UUID of version 4 from a seed: the same order gets the same ones whenever it is mapped, each call another one.
  /// - Parameter draw: which of the calls.
  static func uuid(_ seed: UInt64, draw: Int) -> String {
    var digits = Array(randomText(seed &+ 0x5555_5555 &+ UInt64(draw) &* 0xD1B5_4A32_D192_ED03))
    digits[12] = "4"
    digits[16] = "a"
    for place in [8, 13, 18, 23] { digits.insert("-", at: place) }
    return String(digits)
  }

  /// 32 hexadecimal digits from a seed (SplitMix64): an idempotency key, no secret.
  private static func randomText(_ seed: UInt64) -> String {
    var state = seed
    return (0..<2).map { _ in
      state &+= 0x9E37_79B9_7F4A_7C15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
      mixed ^= mixed >> 31
      let digits = String(mixed, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}
