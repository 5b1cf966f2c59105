import JSON

/// A list of faults that a server can commit.
protocol FaultList: RawRepresentable<String>, CaseIterable, Hashable {}

/// How often a fault strikes, and whom.
struct FaultRule {
  /// 0 never … 1 always.
  var probability = 0.0
  /// Strikes the next so many matching requests without asking chance; counts down.
  var next = 0
  /// Strikes every so manieth matching request; 0: not by count.
  var every = 0
  /// Only requests whose key (order id, bill number, …) contains this text.
  var match = ""
  /// Matching requests seen, for `every`.
  var seen = 0

  var isQuiet: Bool { probability == 0 && next == 0 && every == 0 }
}

/// Which faults strike which requests.
///
/// Chance is drawn from a hash of (seed, fault, endpoint, key, attempt), never from the order of arrival: two runs with the same seed
/// hit the same requests however their clients interleave.
struct FaultPlan<Fault: FaultList> {
  let seed: UInt64
  private(set) var rules: [Fault: FaultRule] = [:]
  private(set) var struck: [String: Int] = [:]
  private var attempts: [UInt64: UInt32] = [:]
  private static var mostAttempts: Int { 1_000_000 }

  init(seed: UInt64) { self.seed = seed }

  /// The faults that may strike one request, decided together.
  struct Draw {
    fileprivate var base: UInt64
    var key: String
    /// Which time this request (same endpoint, same key) is seen, from 1.
    var attempt: UInt32
  }

  var isQuiet: Bool { rules.isEmpty }

  mutating func draw(_ endpoint: String, key: String) -> Draw {
    guard !rules.isEmpty else { return Draw(base: 0, key: key, attempt: 0) }
    let base = Chance.hash(key, seed: Chance.hash(endpoint, seed: seed))
    if attempts.count >= Self.mostAttempts { attempts.removeAll() }
    attempts[base, default: 0] += 1
    return Draw(base: base, key: key, attempt: attempts[base] ?? 1)
  }

  /// Whether the fault strikes; if it does it is counted.
  mutating func strikes(_ fault: Fault, _ draw: Draw) -> Bool {
    guard var rule = rules[fault] else { return false }
    guard rule.match.isEmpty || draw.key.contains(rule.match) else { return false }
    rule.seen += 1
    var hit = false
    if rule.next > 0 {
      rule.next -= 1
      hit = true
    } else if rule.every > 0, rule.seen % rule.every == 0 {
      hit = true
    } else if rule.probability > 0 {
      let drawn = Chance.mix(Chance.hash(fault.rawValue, seed: draw.base) &+ UInt64(draw.attempt))
      hit = Chance.unit(drawn) < rule.probability
    }
    rules[fault] = rule.isQuiet ? nil : rule
    if hit { struck[fault.rawValue, default: 0] += 1 }
    return hit
  }

  mutating func count(_ fault: Fault) { struck[fault.rawValue, default: 0] += 1 }

  mutating func set(_ fault: Fault, _ rule: FaultRule) { rules[fault] = rule.isQuiet ? nil : rule }

  mutating func set(_ probabilities: [Fault: Double]) {
    rules = probabilities.mapValues { FaultRule(probability: $0) }.filter { !$0.value.isQuiet }
  }

  /// Forgets attempts and counts, keeps the rules.
  mutating func forget() {
    attempts = [:]
    struck = [:]
  }
}

extension FaultPlan {
  func show(_ writer: inout JSONWriter) {
    for fault in Fault.allCases {
      let rule = rules[fault] ?? FaultRule()
      writer.member(
        fault.rawValue,
        object: { one in
          one.key("probability")
          one.number(text: "\(rule.probability)")
          one.member("next", rule.next)
          one.member("every", rule.every)
          one.member("match", rule.match)
          one.member("struck", struck[fault.rawValue] ?? 0)
        })
    }
  }

  /// Changes the rules that an object names: a number is a probability, an object sets its members.
  /// - Returns: every problem; with any, nothing is changed.
  mutating func change(_ object: JSONValue) -> [String] {
    guard object.kind == .object else { return ["a JSON object is wanted"] }
    var changed = self
    var problems: [String] = []
    for (name, value) in object.members where name != "profile" {
      guard let fault = Fault(rawValue: name) else {
        problems.append("\(name): no such fault; known are \(Fault.allCases.map(\.rawValue).joined(separator: ", "))")
        continue
      }
      switch Self.rule(value) {
      case .success(let rule): changed.set(fault, rule)
      case .failure(let problem): problems.append("\(name): \(problem.description)")
      }
    }
    if problems.isEmpty { self = changed }
    return problems
  }

  private static func rule(_ value: JSONValue) -> Result<FaultRule, LinkFailure> {
    var rule = FaultRule()
    if value.kind == .number {
      guard let probability = share(value) else { return .failure(LinkFailure("a probability of 0 to 1 is wanted")) }
      rule.probability = probability
      return .success(rule)
    }
    guard value.kind == .object else { return .failure(LinkFailure("a probability or an object is wanted")) }
    for (name, member) in value.members {
      switch name {
      case "probability":
        guard let probability = share(member) else { return .failure(LinkFailure("probability is 0 to 1")) }
        rule.probability = probability
      case "next", "every":
        guard let count = member.int64, (0...1_000_000_000).contains(count) else {
          return .failure(LinkFailure("\(name) is a whole number from 0"))
        }
        if name == "next" { rule.next = Int(count) } else { rule.every = Int(count) }
      case "match":
        guard let text = member.string else { return .failure(LinkFailure("match is a text")) }
        rule.match = text
      default:
        return .failure(LinkFailure("\(name) is unknown; known are probability, next, every, match"))
      }
    }
    return .success(rule)
  }

  private static func share(_ value: JSONValue) -> Double? {
    value.numberText.flatMap { Double($0) }.flatMap { (0...1).contains($0) ? $0 : nil }
  }
}

/// How rough the weather is.
public enum FaultProfile: String, CaseIterable, Sendable {
  /// Everything answers as it should.
  case off
  /// About one answer in a hundred is a 5xx, a few Saves lose their reply, one token is revoked early on each side.
  case mild
  /// Much of everything.
  case storm
}
