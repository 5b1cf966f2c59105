import JSON

@testable import VendorStage

/// 2024-01-15 10:00:00 in Beijing: the clock that tests start from.
let noon = 1_705_284_000

/// A running server, spoken to over a real socket.
final class Desk {
  let server: SimServer
  private(set) var link: HTTPLink
  var headers: [String] = []
  /// Added to every target, for K/3's token.
  var suffix = ""

  init(_ server: SimServer) throws {
    self.server = server
    link = try HTTPLink(host: "127.0.0.1", port: server.port)
  }

  /// A new connection; needed after the server closed one.
  func reconnect() throws { link = try HTTPLink(host: "127.0.0.1", port: server.port) }

  func get(_ target: String) throws -> HTTPLink.Answer { try link.exchange("GET", target + suffix, headers: headers) }

  func post(_ target: String, _ body: String) throws -> HTTPLink.Answer {
    try link.exchange("POST", target + suffix, headers: headers, body: [UInt8](body.utf8))
  }

  /// Changes settings, faults or the clock; the answer must be 200.
  func sim(_ name: String, _ body: String) throws {
    let answer = try link.exchange("POST", "/_sim/\(name)", body: [UInt8](body.utf8))
    guard answer.status == 200 else { throw LinkFailure("/_sim/\(name) answered \(answer.status): \(answer.text)") }
  }

  func stats() throws -> JSONValue { try link.exchange("GET", "/_sim/stats").json() }
}

extension HTTPLink.Answer {
  func json() throws -> JSONValue { try JSONDocument(body).root }
}

extension JSONValue {
  /// The value at a path of member names and positions.
  func at(_ path: String) -> JSONValue? {
    var value: JSONValue? = self
    for step in path.split(separator: ".") {
      if let position = Int(step), value?.kind == .array {
        value = value?[position]
      } else {
        value = value?[String(step)]
      }
    }
    return value
  }

  var list: [JSONValue] { Array(elements) }
}

/// Runs a test against a simulated OKKI of 60 orders, logged in.
func withOKKI(_ change: (inout OKKIPlan) -> Void = { _ in }, _ body: (Desk) async throws -> Void) async throws {
  var plan = OKKIPlan()
  plan.orders = 60
  plan.companies = 20
  plan.now = noon
  change(&plan)
  let server = try await Stage.okki(plan, host: "127.0.0.1", port: 0)
  do {
    let desk = try Desk(server)
    try desk.sim("clock", #"{"frozen":true,"now":"2024-01-15 10:00:00"}"#)
    desk.headers = [try "Authorization: Bearer \(okkiToken(desk))"]
    try await body(desk)
  } catch {
    await server.stop()
    throw error
  }
  await server.stop()
}

let okkiLogin = "grant_type=client_credentials&client_id=ferry-demo&client_secret=ferry-demo-secret"

func okkiToken(_ desk: Desk) throws -> String {
  let answer = try desk.link.exchange("POST", "/v1/oauth2/access_token", body: [UInt8](okkiLogin.utf8))
  guard let token = try answer.json()["access_token"]?.string else { throw LinkFailure("no token: \(answer.text)") }
  return token
}

let k3Login = "/K3API/Token/Create?authorityCode=\(K3Tokens.authorityCode)"

/// Runs a test against a simulated K/3, with a token at the end of every target.
func withK3(_ change: (inout K3Plan) -> Void = { _ in }, _ body: (Desk) async throws -> Void) async throws {
  var plan = K3Plan()
  plan.now = noon
  change(&plan)
  let server = try await Stage.k3(plan, host: "127.0.0.1", port: 0)
  do {
    let desk = try Desk(server)
    try desk.sim("clock", #"{"frozen":true,"now":"2024-01-15 10:00:00"}"#)
    desk.suffix = "?Token=" + (try k3Token(desk))
    try await body(desk)
  } catch {
    await server.stop()
    throw error
  }
  await server.stop()
}

func k3Token(_ desk: Desk) throws -> String {
  let answer = try desk.link.exchange("GET", k3Login)
  guard let token = try answer.json().at("Data.Token")?.string else { throw LinkFailure("no token: \(answer.text)") }
  return token
}

/// A small bill for `SO/Save`. The parts are JSON text, so that a test can spoil one.
struct BillText {
  var number = "SO-1"
  var date = "2024-01-15"
  var customer = #"{"FNumber":"C00001","FName":""}"#
  var head = ""
  var material = #"{"FNumber":"202400000","FName":""}"#
  var unit = #"{"FNumber":"S01","FName":""}"#
  var quantity = #""10""#
  var line = #","FAuxTaxPrice":"11.3","FCess":13"#
  var lines = 1

  var text: String {
    let row = """
      {"FItemID":\(material),"FUnitID":\(unit),"Fauxqty":\(quantity),"FDate1":"2024-02-15"\(line)}
      """
    return """
      {"Data":{"Page1":[{"FBillNo":"\(number)","Fdate":"\(date)","FCustID":\(customer),"FDeptID":{"FNumber":"D20"},\
      "FEmpID":{"FNumber":"2747"},"FCancellation":"false"\(head)}],"Page2":[\(Array(repeating: row, count: lines).joined(separator: ","))]}}
      """
  }
}
