import Testing

/// The simulation as a process: it takes all tasks of its process, so it cannot run beside other tests.
@Suite("The simulation", .timeLimit(.minutes(10)))
struct SimulationTests {
  @Test("the first histories hold")
  func holds() async throws {
    let program = try Program("ferrysim", ["--histories", "100"])
    #expect(await program.exit() == 0, "\(program.output)")
    #expect(program.output.contains("100 histories"))
  }

  @Test("a seed is the same history each time, to the last step", arguments: [3, 18, 45])
  func deterministic(seed: Int) async throws {
    let first = try Program("ferrysim", ["--seed", "\(seed)"])
    let second = try Program("ferrysim", ["--seed", "\(seed)"])
    #expect(await first.exit() == 0)
    #expect(await second.exit() == 0)
    #expect(first.output == second.output)
    #expect(first.output.contains("trace"))
  }

  @Test("a slip in its arguments is told", arguments: [["--seed"], ["--histories", "many"], ["--what", "1"]])
  func usage(arguments: [String]) async throws {
    let program = try Program("ferrysim", arguments)
    #expect(await program.exit() == 64)
    #expect(program.output.contains("usage: ferrysim"))
  }
}
