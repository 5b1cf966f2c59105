import Foundation

/// Measures parts of Ferry by themselves: `ferrybench json|expressions|mapping|transform|lookups|queues|http [--rounds N]
/// [--seconds S] [--only NAME] [--strategy FOLDER] [--batches N] [--lines N] [--records N] [--messages N] [--requests N]`. Of use
/// in release alone. `lookups` works in
/// a schema of its own at `FERRY_POSTGRES_URL` and `queues` in queues of its own at `FERRY_RABBITMQ_URL`, which they remove;
/// `http` needs lean stand-ins (`HTTPBench`).
@main
enum FerryBench {
  private static let suiteNames = ["json", "expressions", "mapping", "transform", "lookups", "queues", "http"]

  static func main() async {
    var rounds = 7
    var seconds = 0.5
    var only = ""
    var strategy = "deploy/strategies/sales-order"
    var records = 1_000_000
    var requests = 20_000
    var messages = 50_000
    var (batches, lines) = (200, 5)
    var suites: [String] = []
    var arguments = CommandLine.arguments.dropFirst()
    while let argument = arguments.popFirst() {
      switch argument {
      case "--rounds": rounds = arguments.popFirst().flatMap(Int.init) ?? 0
      case "--seconds": seconds = arguments.popFirst().flatMap(Double.init) ?? 0
      case "--only": only = arguments.popFirst() ?? ""
      case "--strategy": strategy = arguments.popFirst() ?? ""
      case "--records": records = arguments.popFirst().flatMap(Int.init) ?? 0
      case "--requests": requests = arguments.popFirst().flatMap(Int.init) ?? 0
      case "--batches": batches = arguments.popFirst().flatMap(Int.init) ?? 0
      case "--lines": lines = arguments.popFirst().flatMap(Int.init) ?? 0
      case "--messages": messages = arguments.popFirst().flatMap(Int.init) ?? 0
      default: suites.append(argument)
      }
    }
    guard rounds > 0, seconds > 0, records >= 1_000, requests > 0, messages > 0, batches > 0, lines > 0,
      !suites.isEmpty,
      suites.allSatisfy({ suiteNames.contains($0) })
    else {
      let usage =
        "usage: ferrybench json|expressions|mapping|transform|lookups|queues|http [--rounds N] [--seconds S] [--only NAME] "
        + "[--strategy FOLDER] [--batches N] [--lines N] [--records N] [--messages N] [--requests N]\n"
      FileHandle.standardError.write(Data(usage.utf8))
      exit(64)
    }
    let measure = Measure(rounds: rounds, seconds: seconds, only: only)
    for suite in suites {
      do {
        switch suite {
        case "json": JSONBench.run(measure)
        case "lookups": try await LookupBench.run(records: records)
        case "transform": try TransformBench.run(batches: batches, lines: lines, strategy: strategy)
        case "http": try await HTTPBench.run(measure, requests: requests)
        case "queues": try await QueueBench.run(messages: messages, only: only)
        case "expressions": try ExpressionBench.run(measure)
        default: try MappingBench.run(measure, strategy: strategy)
        }
      } catch {
        FileHandle.standardError.write(Data("\(suite): \(error)\n".utf8))
        exit(1)
      }
    }
  }
}
