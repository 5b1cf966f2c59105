import Foundation
import Testing

/// `ferry strategy check` and `ferrybench mapping` as processes, with a simulated K/3.
@Suite("The commands for strategies", .timeLimit(.minutes(10)))
struct StrategyCommandTests {
  private static let target = #"""
    {"api":"/SO/Save","effect":"EXECUTE","request":[{"field":"Page1","type":"array","children":[
      {"field":"FBillNo","value":"{order_no}"},{"field":"FManagerID","value":"1"}]}]}
    """#

  /// Runs `ferry strategy check` on a file by itself.
  private func check(
    _ settings: [String: String], target: String = target
  ) async throws -> (status: Int32, output: String) {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-\(UUID().uuidString).json")
    try Data(target.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let program = try Program("ferry", ["strategy", "check", file.path], environment: settings)
    return (await program.exit(), program.output.replacing(file.path, with: "…"))
  }

  @Test("a single file is compared with K/3's template, and a field that K/3 does not have is an error")
  func template() async throws {
    let k3 = try Program("vendorsim", ["k3", "--port", "0"])
    defer { k3.kill() }
    let url = try await Stage.url(of: k3)
    let settings = ["FERRY_K3_URL": url, "FERRY_K3_AUTHORITY_CODE": Stage.authorityCode]
    let found = try await check(settings)
    #expect(found.status == 1)
    #expect(
      found.output
        == "…:2:53: error: request.Page1.FManagerID: K/3's template has no «FManagerID»; is «FMangerID» meant?\n")
    #expect(try await check([:]) == (0, "…: usable\n"))
  }

  @Test("K/3 is asked whether its list can be filtered by the field of the key")
  func keyField() async throws {
    let k3 = try Program("vendorsim", ["k3", "--port", "0"])
    defer { k3.kill() }
    let settings = ["FERRY_K3_URL": try await Stage.url(of: k3), "FERRY_K3_AUTHORITY_CODE": Stage.authorityCode]
    for (field, isThere) in [("FHeadSelfS0143", true), ("FHeadSelfS9999", false)] {
      let target =
        #"{"api":"/SO/Save","ferry":{"key":"Page1.\#(field)"},"request":[{"field":"Page1","type":"array","children":["#
        + #"{"field":"\#(field)","value":"{order_no}"}]}]}"#
      let found = try await check(settings, target: target)
      #expect(found.status == (isThere ? 0 : 1), "\(found.output)")
      #expect(found.output.contains("whether its API filters by \(field)") == !isThere, "\(found.output)")
    }
  }

  @Test("with K/3's address and without its code, the setting that lacks is named")
  func missingSetting() async throws {
    let found = try await check(["FERRY_K3_URL": "http://127.0.0.1:1"])
    #expect(found.status == 1)
    let lines = found.output.split(separator: "\n")
    #expect(lines.count == 2 && lines.last == "…: usable", "\(found.output)")
    #expect(
      found.output.hasPrefix(
        "K/3: error: the template cannot be asked for: FERRY_K3_AUTHORITY_CODE is missing "
          + "(or FERRY_K3_AUTHORITY_CODE_FILE)"), "\(found.output)")
  }

  @Test("ferrybench without its strategy says what to name")
  func bench() async throws {
    let program = try Program("ferrybench", ["mapping", "--strategy", "/none"])
    #expect(await program.exit() == 1)
    #expect(
      program.output == "mapping: /none/source.json cannot be read; name a strategy's folder with --strategy FOLDER\n")
  }
}
