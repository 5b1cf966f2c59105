import JSON
import Testing

@testable import VendorStage

@Suite("OKKI tokens", .timeLimit(.minutes(2)))
struct OKKITokenTests {
  private let list = "/v1/invoices/order/list"

  @Test("a wrong secret is refused with invalid_client and 401")
  func wrongSecret() async throws {
    try await withOKKI { desk in
      let answer = try desk.post(
        "/v1/oauth2/access_token", "grant_type=client_credentials&client_id=ferry-demo&client_secret=no")
      #expect(answer.status == 401)
      #expect(try answer.json()["error"]?.string == "invalid_client")
    }
  }

  @Test("a call without a token gets 401 and access_denied, flat")
  func withoutToken() async throws {
    try await withOKKI { desk in
      desk.headers = []
      let answer = try desk.get(list)
      #expect(answer.status == 401)
      #expect(try answer.json()["error"]?.string == "access_denied")
      #expect(try answer.json()["code"] == nil)
    }
  }

  @Test("a second request gets a new token with the first one's expiry, and both are good")
  func secondToken() async throws {
    try await withOKKI { desk in
      let first = desk.headers
      try desk.sim("clock", #"{"advance_seconds":1000}"#)
      let answer = try desk.post("/v1/oauth2/access_token", okkiLogin).json()
      #expect(answer["expires_in"]?.int64 == 27_800)
      #expect(try desk.get(list).status == 200)
      desk.headers = ["Authorization: Bearer \(answer["access_token"]?.string ?? "")"]
      #expect(desk.headers != first)
      #expect(try desk.get(list).status == 200)
    }
  }

  @Test("asking again does not prolong: after eight hours both tokens are over")
  func expiry() async throws {
    try await withOKKI { desk in
      try desk.sim("clock", #"{"advance_seconds":28799}"#)
      desk.headers = [try "Authorization: Bearer \(okkiToken(desk))"]
      #expect(try desk.get(list).status == 200)
      try desk.sim("clock", #"{"advance_seconds":1}"#)
      #expect(try desk.get(list).status == 401)
    }
  }

  @Test("with reissue = same the same token comes back")
  func sameToken() async throws {
    try await withOKKI { desk in
      try desk.sim("settings", #"{"reissue":"same"}"#)
      #expect(try "Authorization: Bearer \(okkiToken(desk))" == desk.headers[0])
    }
  }

  @Test("a missing scope is told with 403 and the module's name")
  func missingScope() async throws {
    try await withOKKI { desk in
      let answer = try desk.post("/v1/oauth2/access_token", okkiLogin + "&scope=invoices+product").json()
      desk.headers = ["Authorization: Bearer \(answer["access_token"]?.string ?? "")"]
      #expect(try desk.get(list).status == 200)
      let refusal = try desk.get("/v1/company/list")
      #expect(refusal.status == 403)
      #expect(try refusal.json()["message"]?.string == "no permission company scopes")
    }
  }

  @Test("a JSON body serves as well as a form, and expires_in may be hidden")
  func jsonBody() async throws {
    try await withOKKI { desk in
      try desk.sim("settings", #"{"hidesExpiry":true}"#)
      desk.headers = ["Content-Type: application/json"]
      let answer = try desk.post(
        "/v1/oauth2/access_token",
        #"{"grant_type":"client_credentials","client_id":"ferry-demo","client_secret":"ferry-demo-secret"}"#)
      #expect(answer.status == 200)
      #expect(try answer.json()["access_token"]?.string != nil)
      #expect(try answer.json()["expires_in"] == nil)
    }
  }

  @Test("a password grant brings a refresh token, which works once")
  func refreshing() async throws {
    try await withOKKI { desk in
      let login =
        "grant_type=password&client_id=ferry-demo&client_secret=ferry-demo-secret&username=demo%40example.com&password="
        + OKKITokens.passwordHash
      let refresh = try desk.post("/v1/oauth2/access_token", login).json()["refresh_token"]?.string ?? ""
      #expect(!refresh.isEmpty)
      let body =
        "grant_type=refresh_token&client_id=ferry-demo&client_secret=ferry-demo-secret&refresh_token=" + refresh
      let renewed = try desk.post("/v1/oauth2/refresh_token", body)
      #expect(renewed.status == 200)
      #expect(try renewed.json()["refresh_token"]?.string != refresh)
      let again = try desk.post("/v1/oauth2/refresh_token", body)
      #expect(again.status == 401)
      #expect(try again.json()["hint"]?.string == "Token has been revoked")
    }
  }

  @Test("after revokeAfterInfos order/info replies every token is revoked, once")
  func earlyRevocation() async throws {
    try await withOKKI { desk in
      try desk.sim("settings", #"{"revokeAfterInfos":2}"#)
      let info = "/v1/invoices/order/info?order_id=\(OrderMaker.firstID)"
      #expect(try desk.get(info).status == 200)
      #expect(try desk.get(info).status == 200)
      #expect(try desk.get(info).status == 401)
      desk.headers = [try "Authorization: Bearer \(okkiToken(desk))"]
      for _ in 0..<4 { #expect(try desk.get(info).status == 200) }
    }
  }
}
