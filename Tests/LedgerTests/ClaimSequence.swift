import Orders
import Pipeline

/// What happens to two orders, by a seed; and what two ledgers answered.
struct ClaimSequence {
  /// Steps of a sequence.
  static let length = 24
  /// Claim, settle, remove, expire.
  static let kinds = 4

  struct Step {
    var kind = 0
    var order = OrderID(rawValue: 0)
    var claims: [ClaimRequest] = []
    var removal: RemovalRequest?
    /// Since when everything of the order is due, in days.
    var days = 0
    var result = Settlement.Result.clean
    var followsProof = false
    var isOther = false
    /// Which of the granted claims is settled.
    var place = 0

    /// What its claims share with those of the same kind; nil where they do not even share it among themselves.
    var kindOfClaims: String? {
      let kinds = Set(
        claims.map { "\($0.bill.stream) \($0.bill.part) \($0.object) \($0.keyField) \($0.isOneOfSeveral)" })
      return kinds.count == 1 ? kinds.first : nil
    }
    /// It settles a bill as written, and says nothing else of it.
    var isWritten: Bool {
      if case .written = result { !followsProof && !isOther } else { false }
    }
  }

  private struct Granted {
    let bill: BillID
    let left: Int64
    let right: Int64
  }

  let seed: UInt64
  /// Where the ledgers first differed.
  private(set) var difference: String?
  private(set) var story: [String] = []
  private var random: Chance
  private var granted: [Granted] = []
  private let policy: ChangedOrders
  private let beside: [String]?
  /// A sequence is of a few kinds of trouble: with all of them at once it would soon be at an end.
  private let orders: [Int64]
  private let streams: [String]
  private let cuts: [Int]
  private let kinds: [Int]
  private var steps = 0

  init(_ seed: UInt64) {
    self.seed = seed
    random = Chance(seed)
    policy = random.pick(ChangedOrders.allCases)
    beside = random.pick([nil, [], ["SO", "D"]])
    orders = random.pick([[1], [1], [1, 1, 1, 2]])
    streams = random.pick([["SO"], ["SO"], ["SO", "SO", "SO", "D"]])
    cuts = random.pick([[0], [2], [2, 2, 2, 2, 2, 3], [0, 0, 2, 2, 2, 3]])
    kinds = random.pick([[0, 0, 1], [0, 0, 0, 0, 1, 1, 1, 3], [0, 0, 0, 0, 1, 1, 1, 2, 3]])
  }

  mutating func next() -> Step {
    var step = Step()
    step.order = OrderID(rawValue: Int64(seed) * 10 + random.pick(orders))
    step.kind = random.pick(kinds)
    steps += 1
    switch step.kind {
    case 0:
      let revision = someRevision
      for _ in 0..<random.pick([1, 1, 2, 3]) { step.claims.append(claim(step.order, revision)) }
    case 1:
      if granted.isEmpty {
        (step.kind, step.claims) = (0, [claim(step.order, someRevision)])
      } else {
        // Mostly the last one; else one that may be over.
        step.place = random.below(4) > 0 ? granted.count - 1 : random.below(granted.count)
        step.result = result
        step.followsProof = random.below(4) == 0
        step.isOther = random.below(4) == 0
      }
    case 2: step.removal = RemovalRequest(step.order, revision: someRevision, cancels: random.below(3) > 0)
    default: step.days = random.pick([0, 0, 0, 2])
    }
    return step
  }

  private mutating func claim(_ order: OrderID, _ revision: Int64) -> ClaimRequest {
    let stream = random.pick(streams)
    let parts = random.pick(cuts)
    let id = BillID(order, stream: stream, part: parts == 0 ? 1 : 1 + random.below(parts))
    let object = random.below(8) == 0 ? "X" : stream
    // The sequence's orders share some numbers, which upper and lower case do not tell apart.
    let owner = random.below(3) == 0 ? "\(random.pick(["s", "S"]))\(seed)" : "\(order)"
    var request = ClaimRequest(
      id, revision: random.below(4) == 0 ? someRevision : revision, object: object,
      billNumber: "\(stream)\(owner)-\(id.part)", payloadHash: Int64(1 + random.below(3)))
    request.parts = parts
    request.change = policy
    request.keyField = random.pick([Bill.numberField, Bill.numberField, "FHeadSelfS0154"])
    request.beside = random.below(8) == 0 ? nil : beside
    return request
  }

  /// Few at a time, so that they collide, and newer ones as it goes on.
  private var someRevision: Int64 { mutating get { Int64(1 + steps / 6 + random.below(3)) } }

  private var result: Settlement.Result {
    mutating get {
      switch random.below(10) {
      case 0...2: .written(WrittenBill(number: "K\(random.below(3))", internalID: random.pick([nil, 7])))
      case 3: .clean
      case 4: .inDoubt(lookUpAfterSeconds: random.pick([0, 3_600]), absences: random.below(2))
      case 5: .cancelled
      case 6: .cancelling(lookUpAfterSeconds: random.pick([0, 3_600]), absences: random.below(2))
      case 7: .parked(.k3Rejected)
      case 8:
        .standing(
          WrittenBill(number: "K\(random.below(3))", internalID: random.pick([nil, 7])),
          lookUpAfterSeconds: random.pick([0, 3_600]), absences: random.below(2))
      default: .parked(random.pick([.conflict, .changedAfterWritten, .removedAfterWritten]))
      }
    }
  }

  /// The same settlement with each ledger's token.
  func settlement(_ step: Step) -> (Settlement, Settlement) {
    let claim = granted[step.place]
    var left = Settlement(claim.bill, token: claim.left, result: step.result)
    var right = Settlement(claim.bill, token: claim.right, result: step.result)
    (left.followsProof, right.followsProof) = (step.followsProof, step.followsProof)
    (left.isOther, right.isOther) = (step.isOther, step.isOther)
    return (left, right)
  }

  mutating func note(_ request: ClaimRequest, _ left: ClaimAnswer, _ right: ClaimAnswer) {
    note(
      "claim \(request.bill) \(request.billNumber) r\(request.revision) hash \(request.payloadHash) of \(request.parts) \(request.object)"
        + " \(request.keyField) \(request.change) beside \(request.beside ?? ["any"])",
      Self.plain(left), Self.plain(right))
    guard let one = Self.token(left), let other = Self.token(right) else { return }
    granted.append(Granted(bill: request.bill, left: one, right: other))
  }

  mutating func note(_ request: RemovalRequest, _ left: RemovalAnswer, _ right: RemovalAnswer) {
    note("remove r\(request.revision) cancels \(request.cancels) \(request.order)", Self.plain(left), Self.plain(right))
    for bill in left.claimed {
      guard let other = right.claimed.first(where: { $0.bill == bill.bill }) else { continue }
      granted.append(Granted(bill: bill.bill, left: bill.token, right: other.token))
    }
  }

  mutating func note(_ what: String, _ left: String, _ right: String) {
    story.append("\(what): \(left)\(left == right ? "" : ", but by the rules \(right)")")
    if left != right, difference == nil { difference = story.last }
  }

  /// Seconds are long or short: PostgreSQL's clock moves.
  private static func time(_ seconds: Int) -> String { seconds > 1_800 ? "long" : "short" }

  /// Without tokens, which each ledger makes by itself.
  private static func plain(_ answer: ClaimAnswer) -> String {
    func told(_ claim: Claim) -> String {
      "\(claim.object) \(claim.keyField) \(claim.key) doubtful \(claim.doubtfulRevision ?? 0) absences \(claim.absences) standing "
        + "\(claim.standing ?? "-") removed \(claim.isRemoved)"
    }
    return switch answer {
    case .new(let claim): "new \(told(claim))"
    case .inDoubt(let claim): "in doubt \(told(claim))"
    case .unanswered: "unanswered"
    case .busy(let seconds): "busy \(time(seconds))"
    case .tooEarly(let seconds): "too early \(time(seconds))"
    default: "\(answer)"
    }
  }

  private static func token(_ answer: ClaimAnswer) -> Int64? {
    switch answer {
    case .new(let claim), .inDoubt(let claim): claim.token
    default: nil
    }
  }

  private static func plain(_ answer: RemovalAnswer) -> String {
    let claimed = answer.claimed.map {
      "\($0.bill) \($0.object) \($0.number) \($0.internalID ?? 0) \($0.isInDoubt) \($0.absences)"
    }
    return "\(answer.isStale ? "stale " : "")claimed \(claimed.sorted()) held \(answer.held.map { "\($0)" }.sorted()) "
      + "wait \(answer.waitSeconds.map(time) ?? "-")"
  }
}

/// Numbers that are the same for the same seed on every machine (SplitMix64).
private struct Chance {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x2545_F491_4F6C_DD1D &+ 0x1234_5678_9ABC_DEF1 }

  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int(truncatingIfNeeded: (mixed ^ (mixed >> 31)) >> 33) % bound
  }

  mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }
}
