import Foundation

/// Measures parts of Ferry by themselves: `ferrybench json [--rounds N] [--seconds S] [--only NAME]`. Of use in release alone.
@main
enum FerryBench {
  static func main() {
    var rounds = 7
    var seconds = 0.5
    var only = ""
    var suites: [String] = []
    var arguments = CommandLine.arguments.dropFirst()
    while let argument = arguments.popFirst() {
      switch argument {
      case "--rounds": rounds = arguments.popFirst().flatMap(Int.init) ?? 0
      case "--seconds": seconds = arguments.popFirst().flatMap(Double.init) ?? 0
      case "--only": only = arguments.popFirst() ?? ""
      default: suites.append(argument)
      }
    }
    guard rounds > 0, seconds > 0, !suites.isEmpty, suites.allSatisfy({ $0 == "json" }) else {
      FileHandle.standardError.write(Data("usage: ferrybench json [--rounds N] [--seconds S] [--only NAME]\n".utf8))
      exit(64)
    }
    JSONBench.run(Measure(rounds: rounds, seconds: seconds, only: only))
  }
}
