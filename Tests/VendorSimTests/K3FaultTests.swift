import JSON
import Testing

@testable import VendorStage

@Suite("K/3 tokens and faults", .timeLimit(.minutes(2)))
struct K3FaultTests {
  private func save(_ desk: Desk, _ number: String = "SO-1") throws -> HTTPLink.Answer {
    try desk.post("/K3API/SO/Save", BillText(number: number).text)
  }

  private func bills(_ desk: Desk) throws -> Int64 { try desk.stats()["bills"]?.int64 ?? -1 }

  @Test("a token is 80 upper-case hex digits, Validity a floating number, the code \"Y\"")
  func tokenShape() async throws {
    try await withK3 { desk in
      let reply = try desk.link.exchange("GET", k3Login).json()
      let token = reply.at("Data.Token")?.string ?? ""
      #expect(token.utf8.count == 80)
      #expect(token == token.uppercased())
      #expect(reply.at("Data.Validity")?.numberText == "3600.0")
      #expect(reply.at("Data.Code")?.string == "Y")
      #expect(
        try desk.link.exchange("GET", "/K3API/Token/Create/?authorityCode=\(K3Tokens.authorityCode)").json()[
          "StatusCode"]?.int64 == 200)
    }
  }

  @Test("a wrong authority code is 201 with code \"N\"")
  func wrongCode() async throws {
    try await withK3 { desk in
      let reply = try desk.link.exchange("GET", "/K3API/Token/Create?authorityCode=no").json()
      #expect(reply["StatusCode"]?.int64 == 201)
      #expect(reply["Message"]?.string == "授权码无效")
      #expect(reply.at("Data.Code")?.string == "N")
    }
  }

  @Test("the three ways of asking for a token again")
  func reissue() async throws {
    try await withK3 { desk in
      let first = desk.suffix
      #expect(try "?Token=" + k3Token(desk) == first)
      try desk.sim("settings", #"{"reissue":"newKeepOld"}"#)
      let second = try "?token=" + k3Token(desk)
      #expect(second.dropFirst(7) != first.dropFirst(7))
      #expect(try save(desk, "A").json()["StatusCode"]?.int64 == 200)
      desk.suffix = second
      #expect(try save(desk, "B").json()["StatusCode"]?.int64 == 200)
      try desk.sim("settings", #"{"reissue":"newInvalidateOld"}"#)
      _ = try k3Token(desk)
      #expect(try save(desk, "C").json()["Message"]?.string == "Token无效或已过期")
    }
  }

  @Test("a token ends a fixed time after its creation; asking again meanwhile does not prolong it")
  func fixedExpiry() async throws {
    try await withK3 { desk in
      try desk.sim("clock", #"{"advance_seconds":3599}"#)
      _ = try k3Token(desk)
      #expect(try save(desk, "A").json()["StatusCode"]?.int64 == 200)
      try desk.sim("clock", #"{"advance_seconds":1}"#)
      let reply = try save(desk, "B").json()
      #expect(reply["StatusCode"]?.int64 == 201)
      #expect(reply["Data"]?.isNull == true)
    }
  }

  @Test("with slidingExpiry each use renews the token")
  func slidingExpiry() async throws {
    try await withK3 { desk in
      try desk.sim("settings", #"{"slidingExpiry":true}"#)
      for turn in 0..<3 {
        try desk.sim("clock", #"{"advance_seconds":3000}"#)
        #expect(try save(desk, "A\(turn)").json()["StatusCode"]?.int64 == 200)
      }
    }
  }

  @Test("a token may be bound to the address that asked for it")
  func addressBinding() {
    var tokens = K3Tokens()
    var settings = K3Settings()
    let token = tokens.create(client: "10.0.0.1", settings: settings, now: 0, seed: 1).token
    let free = tokens.admits(token, client: "10.0.0.2", settings: settings, now: 0)
    settings.bindsAddress = true
    let other = tokens.admits(token, client: "10.0.0.2", settings: settings, now: 0)
    let own = tokens.admits(token, client: "10.0.0.1", settings: settings, now: 0)
    #expect(free && !other && own)
  }

  @Test("after revokeAfterSaves stored bills every token is revoked, once")
  func earlyRevocation() async throws {
    try await withK3 { desk in
      try desk.sim("settings", #"{"revokeAfterSaves":2}"#)
      _ = try save(desk, "A")
      #expect(try save(desk, "B").json()["StatusCode"]?.int64 == 200)
      #expect(try save(desk, "C").json()["Message"]?.string == "Token无效或已过期")
      desk.suffix = try "?Token=" + k3Token(desk)
      for turn in 0..<3 { #expect(try save(desk, "D\(turn)").json()["StatusCode"]?.int64 == 200) }
    }
  }

  @Test("a bill whose reply is lost after commit is stored; one dropped before is not", arguments: [true, false])
  func drops(stored: Bool) async throws {
    try await withK3 { desk in
      try desk.sim("faults", stored ? #"{"save_then_drop":{"next":1}}"# : #"{"drop_before_save":{"next":1}}"#)
      #expect(throws: LinkFailure.self) { try save(desk) }
      try desk.reconnect()
      #expect(try bills(desk) == (stored ? 1 : 0))
      #expect(try save(desk).json()["StatusCode"]?.int64 == (stored ? 201 : 200))
      #expect(try bills(desk) == 1)
    }
  }

  @Test(
    "faults before the Save store nothing",
    arguments: [(K3Fault.serverError, 500), (.unavailable, 503), (.busy, 200), (.failedRow, 200), (.tokenRevoked, 200)])
  func faultsBefore(fault: K3Fault, status: Int) async throws {
    try await withK3 { desk in
      try desk.sim("faults", #"{"\#(fault.rawValue)":{"next":1}}"#)
      #expect(try save(desk).status == status)
      #expect(try bills(desk) == 0)
      desk.suffix = try "?Token=" + k3Token(desk)
      #expect(try save(desk).json()["StatusCode"]?.int64 == 200)
    }
  }

  @Test("faults after the Save leave the bill stored", arguments: [K3Fault.saveThenError, .truncated, .emptyBody])
  func faultsAfter(fault: K3Fault) async throws {
    try await withK3 { desk in
      try desk.sim("faults", #"{"\#(fault.rawValue)":{"next":1}}"#)
      let answer = try save(desk)
      #expect(answer.status == (fault == .saveThenError ? 500 : 200))
      #expect((try? JSONDocument(answer.body)) == nil)
      #expect(try bills(desk) == 1)
    }
  }

  @Test("failed_row is 200 \"Successful\" with a row that says no")
  func failedRow() async throws {
    try await withK3 { desk in
      try desk.sim("faults", #"{"failed_row":{"next":1}}"#)
      let reply = try save(desk).json()
      #expect(reply["StatusCode"]?.int64 == 200)
      #expect(reply["Message"]?.string == "Successful")
      #expect(reply.at("Data.0.FStatus")?.bool == false)
    }
  }

  @Test("null_page answers no rows and a positive count")
  func nullPage() async throws {
    try await withK3 { desk in
      try desk.sim("faults", #"{"null_page":{"next":1}}"#)
      let reply = try desk.post("/K3API/SO/GetList", #"{"Data":{"Fields":"FBillNo"}}"#).json()
      #expect((reply.at("Data.ROWCOUNT")?.int64 ?? 0) > 0)
      #expect(reply.at("Data.DATA")?.isNull == true)
    }
  }

  @Test("match strikes one bill only")
  func matching() async throws {
    try await withK3 { desk in
      try desk.sim("faults", #"{"save_then_500":{"probability":1,"match":"SO-2"}}"#)
      #expect(try save(desk, "SO-1").status == 200)
      #expect(try save(desk, "SO-2").status == 500)
    }
  }

  @Test("refusals may come as rows")
  func rowShape() async throws {
    try await withK3 { desk in
      try desk.sim("settings", #"{"failureShape":"rows"}"#)
      _ = try save(desk)
      let reply = try save(desk).json()
      #expect(reply.at("Data.0.FStatus")?.bool == false)
      #expect(reply.at("Data.0.FMessage")?.string == "单据编号[SO-1]已存在")
    }
  }

  @Test("beyond the concurrency cap a request is refused in the set form", arguments: ["busy", "http503"])
  func overload(form: String) throws {
    let site = K3Site(K3Plan())
    let wish = #"{"concurrencyCap":1,"overload":"\#(form)"}"#
    _ = site.answer(Request(method: "POST", path: "/_sim/settings", body: [UInt8](wish.utf8)))
    let request = Request(method: "POST", path: "/K3API/SO/Save", body: [UInt8](BillText().text.utf8))
    site.load.begin()
    #expect(try JSONDocument(site.answer(request).body).root["Message"]?.string == "Token无效或已过期")
    site.load.begin()
    let refused = site.answer(request)
    if form == "busy" {
      #expect(try JSONDocument(refused.body).root["Data"]?.string == "系统繁忙,请稍后再试")
    } else {
      #expect(refused.status == 503)
    }
  }

  @Test("the journal names endpoint, key, status and fault, and no token")
  func journal() async throws {
    try await withK3 { desk in
      try desk.sim("faults", #"{"save_then_500":{"next":1}}"#)
      _ = try save(desk, "SO-7")
      let journal = try desk.link.exchange("GET", "/_sim/journal?key=SO-7")
      let entry = try journal.json().at("entries.0")
      #expect(entry?["endpoint"]?.string == "SO/Save")
      #expect(entry?["status"]?.int64 == 500)
      #expect(entry?["fault"]?.string == "save_then_500")
      #expect(!journal.text.contains(desk.suffix.dropFirst(7)))
    }
  }

  @Test("a late Delete closes the connection first and is done when its time has come")
  func lateChange() async throws {
    try await withK3 { desk in
      _ = try save(desk)
      try desk.sim("faults", #"{"late_change":{"next":1}}"#)
      #expect(throws: LinkFailure.self) { try desk.post("/K3API/SO/Delete", #"{"Data":{"FBillNo":"SO-1"}}"#) }
      try desk.reconnect()
      #expect(try bills(desk) == 1)
      try desk.sim("clock", #"{"advance_seconds":2}"#)
      #expect(try bills(desk) == 0)
      #expect(try save(desk).json()["StatusCode"]?.int64 == 200)
      #expect(try bills(desk) == 1)
    }
  }

  @Test("requests written one after the other on one connection are answered in order, delays or not")
  func pipelining() async throws {
    try await withK3 { desk in
      try desk.sim("settings", #"{"slowMilliseconds":50}"#)
      try desk.sim("faults", #"{"slow":{"next":1}}"#)
      var text = ""
      for number in ["A", "B", "C"] {
        let body = BillText(number: number).text
        text +=
          "POST /K3API/SO/Save\(desk.suffix) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body
      }
      try desk.link.send([UInt8](text.utf8))
      let numbers = try (0..<3).map { _ in try desk.link.receive().json().at("Data.BillNo")?.string }
      #expect(numbers == ["A", "B", "C"])
    }
  }

  @Test("a client that says close gets its reply and the end of the connection; too large a body gets 413")
  func connections() async throws {
    try await withK3 { desk in
      desk.headers = ["Connection: close"]
      #expect(try save(desk).status == 200)
      #expect(throws: LinkFailure.self) { try desk.get("/K3API/SO/GetTemplate") }
      desk.headers = []
      try desk.reconnect()
      let answer = try desk.link.exchange("POST", "/K3API/SO/Save", body: [UInt8](repeating: 32, count: (16 << 20) + 1))
      #expect(answer.status == 413)
    }
  }
}
