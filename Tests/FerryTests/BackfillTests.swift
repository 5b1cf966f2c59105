import ArgumentParser
import Orders
import Pipeline
import Testing

@testable import ferry

@Suite("Backfills at the terminal")
struct BackfillTests {
  private let now = BeijingTime("2026-03-05 10:00:00")

  private func window(_ from: String, _ to: String) throws -> TimeWindow {
    try BackfillWindow.window(from: from, to: to, now: #require(now))
  }

  private func complaint(_ from: String, _ to: String) throws -> String {
    do {
      let window = try window(from, to)
      return "taken: \(window.from) to \(window.to)"
    } catch let problem as ValidationError { return problem.message }
  }

  @Test("seconds are taken as written, a day as its first or last second, and today until now")
  func times() throws {
    func text(_ window: TimeWindow) -> String { "\(window.from) to \(window.to)" }
    #expect(
      try text(window("2025-01-01", "2025-12-31")) == "2025-01-01 00:00:00 to 2025-12-31 23:59:59")
    #expect(
      try text(window("2025-01-01 08:00:00", "2025-01-01 08:00:00")) == "2025-01-01 08:00:00 to 2025-01-01 08:00:00")
    #expect(try text(window("2026-03-05", "2026-03-05")) == "2026-03-05 00:00:00 to 2026-03-05 10:00:00")
    #expect(try text(window("2026-03-04T08:00:00", "2026-03-05 10:00:00")).hasSuffix("10:00:00"))
  }

  @Test("what is no window is told, with the end that is wrong")
  func complaints() throws {
    #expect(
      try complaint("2025-01-02", "2025-01-01") == "--to 2025-01-01 23:59:59 lies before --from 2025-01-02 00:00:00")
    #expect(
      try complaint("yesterday", "2025-01-01")
        == "--from «yesterday» must be written yyyy-MM-dd HH:mm:ss or yyyy-MM-dd, Beijing time")
    #expect(try complaint("2025-01-01", "2025-02-30").hasPrefix("--to «2025-02-30» must be written"))
    #expect(try complaint("2025-01-01", "2026-03-05 10:00:01").contains("lies in the future"))
    #expect(try complaint("2025-01-01", "2026-03-06").contains("lies in the future"))
  }

  @Test("slips in the arguments are refused before anything is asked")
  func arguments() {
    for arguments in [
      ["start", "--from", "2025-01-02", "--to", "2025-01-01"], ["start", "--from", "2025-01-02"],
      ["start", "--from", "2025-01-01", "--to", "2025-01-02", "--by", "day"], ["pause"],
      ["start", "--from", "2025-01-01", "--to", "2025-01-02", "--by", "create", "--again"], ["resume", "first"],
    ] {
      #expect(throws: (any Error).self) { try BackfillCommand.parseAsRoot(arguments) }
    }
  }

  @Test("a line and an object tell window, state, how far, and what became of the orders")
  func texts() throws {
    let window = try window("2025-01-01 00:00:00", "2025-01-01 00:01:39")
    var findings = SweepFindings()
    (findings.read, findings.missed, findings.changed, findings.failed) = (50, 20, 3, 4)
    var sweep = Sweep(
      id: 7, kind: .backfill, basis: .update, window: window, next: window.from.advanced(bySeconds: 25),
      state: .paused, findings: findings)
    #expect(
      sweep.line
        == "7\tbackfill\tpaused\tby update\t2025-01-01 00:00:00 to 2025-01-01 00:01:39\t25 %\tread 50\tpublished 23\tfailed 4"
    )
    #expect(
      sweep.json.contains(#""read_to":"2025-01-01 00:00:24","percent":25,"read":50,"published":23"#), "\(sweep.json)")
    sweep.next = window.from
    #expect(sweep.json.contains(#""read_to":null,"percent":0"#))
    sweep.next = window.to.advanced(bySeconds: 1)
    #expect(sweep.percent == 100)
  }
}
