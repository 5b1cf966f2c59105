import Pipeline
import Testing

@Suite("Fault points")
struct FaultPointTests {
  @Test("a build that nobody asked to be armed has none: no process can end itself, and no clock is off")
  func unarmed() {
    #expect(!FaultPoint.isArmed)
    #expect(ClockStep.milliseconds == 0)
  }

  @Test("each role has points of its own")
  func names() {
    for role in ["poll", "transform", "load"] {
      #expect(FaultPoint.allCases.filter { $0.rawValue.hasPrefix(role + ".") }.count >= 5)
    }
  }
}
