import Glibc
import Mapping
import Pipeline

/// Seeded histories of Ferry's own code: `ferrysim --histories N [--from SEED]`, or `ferrysim --seed SEED` for one of them
/// with its story.
@main
enum FerrySim {
  static func main() {
    // Sets and dictionaries in the same order each time, or a seed would not tell the same story twice.
    if getenv("SWIFT_DETERMINISTIC_HASHING") == nil {
      setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
      var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
      execv("/proc/self/exe", &arguments)
      fatalError("the program cannot start itself")
    }
    guard let options = Options(Array(CommandLine.arguments.dropFirst())) else {
      print("usage: ferrysim --histories N [--from SEED] | --seed SEED")
      exit(64)
    }
    let edition = #",{"field":"FEdition","type":"string","value":"2"}"#
    guard let editions = try? [strategies(), strategies(more: edition), strategies(object: "XO")] else {
      fatalError("the simulation's strategy cannot be read")
    }
    Scheduler.install()
    exit(options.seed.map { one($0, editions) } ?? many(options, editions))
  }

  struct Options {
    var histories = 1_000
    var from: UInt64 = 1
    var seed: UInt64?

    init?(_ arguments: [String]) {
      var rest = arguments[...]
      while let name = rest.popFirst() {
        guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
        switch name {
        case "--histories": histories = Int(clamping: value)
        case "--from": from = value
        case "--seed": seed = value
        default: return nil
        }
      }
    }
  }

  /// - Parameters:
  ///   - more: a field behind the others, of another edition: no look-up compares it.
  ///   - object: K/3's object, of one more edition; the stream is the same.
  private static func strategies(more: String = "", object: String = "SO") throws -> StrategySet {
    let target = #"""
      {"api":"/\#(object)/Save","ferry":{"key":"Page1.FBillNo","stream":"SO"},"request":[{"field":"Page1","type":"array","children":[
        {"field":"FBillNo","type":"string","value":"{order_no}","is_required":true},
        {"field":"FOrder","type":"string","value":"{order_id}"},
        {"field":"FVersion","type":"string","value":"{version}"}\#(more)]}]}
      """#
    return try StrategySet([Strategy(name: "simulation", source: Array("{}".utf8), target: Array(target.utf8))])
  }

  private static func one(_ seed: UInt64, _ editions: [StrategySet]) -> Int32 {
    let result = History(seed: seed, editions: editions, tells: true).run()
    for line in result.story { print(line) }
    print("seed \(seed): \(result.violation ?? "all holds"); \(result.steps) steps, trace \(result.trace)")
    return result.violation == nil ? 0 : 1
  }

  private static func many(_ options: Options, _ editions: [StrategySet]) -> Int32 {
    var steps = 0
    var counts: [String: Int] = [:]
    var failed: [UInt64] = []
    for number in 0..<UInt64(options.histories) {
      let result = History(seed: options.from + number, editions: editions, tells: false).run()
      steps += result.steps
      counts.merge(result.counts, uniquingKeysWith: +)
      guard let violation = result.violation else { continue }
      failed.append(result.seed)
      print("seed \(result.seed): \(violation)")
      if failed.count >= 10 { break }
    }
    let lacks = options.histories >= 1_000 && failed.isEmpty ? lacks(counts) : []
    for lack in lacks { print("all histories together: \(lack)") }
    let told = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    print(
      "\(options.histories) histories, \(steps) steps, \(told): \(lacks.isEmpty ? "" : "too little of it; ")\(failed.isEmpty ? "all hold" : "\(failed.count) do not hold")"
    )
    return failed.isEmpty && lacks.isEmpty ? 0 : 1
  }

  /// What many histories show together: a program that parks what it could carry, or that never gets to something, holds
  /// in each of them. The bounds lie well off what is usual: 0.78 bills an order, and 7 of 1,000 orders parked unread.
  private static func lacks(_ counts: [String: Int]) -> [String] {
    let orders = counts["orders"] ?? 0
    var lacks: [String] = []
    if (counts["bills"] ?? 0) * 10 < orders * 7 { lacks.append("less than 7 bills for 10 orders") }
    if (counts["unread"] ?? 0) * 100 > orders * 2 { lacks.append("more than 2 of 100 orders are parked unread") }
    for name in ["backfilled", "read anew", "reconciled", "look-ups", "updates", "deletes"] where counts[name] ?? 0 == 0
    {
      lacks.append("\(name): none")
    }
    return lacks
  }
}
