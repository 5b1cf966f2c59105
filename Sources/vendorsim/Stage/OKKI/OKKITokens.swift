import JSON

/// Access and refresh tokens of the simulated OKKI.
struct OKKITokens {
  struct Grant {
    var expires: Int
    var scopes: [Substring]
  }

  /// Credentials of the demo; no real system knows them.
  static let clientID = "ferry-demo"
  static let clientSecret = "ferry-demo-secret"
  static let user = "demo@example.com"
  /// SHA-256 of `ferry-demo-password`.
  static let passwordHash = "6ac08df5b21b64dc2fa3a3394575f6b496d90844818ca350f1e233ad6f76da1e"

  private var grants: [String: Grant] = [:]
  private var refresh: [String: (scopes: [Substring], used: Bool)] = [:]
  private var current: (token: String, expires: Int)?
  private var made = 0
  private static let allScopes = Substring("invoices company product user")

  /// `POST /v1/oauth2/access_token`, form or JSON.
  mutating func issue(_ fields: (String) -> String?, settings: OKKISettings, now: Int, seed: UInt64) -> Reply {
    guard fields("client_id") == Self.clientID, fields("client_secret") == Self.clientSecret else {
      return Self.refusal("invalid_client", "Client authentication failed")
    }
    let scopes = Self.scopes(fields("scope"))
    switch fields("grant_type") {
    case "client_credentials":
      return granted(scopes, settings: settings, now: now, seed: seed, refreshable: false)
    case "password":
      guard fields("username") == Self.user, fields("password") == Self.passwordHash else {
        return Self.refusal("invalid_grant", "The user credentials were incorrect.")
      }
      return granted(scopes, settings: settings, now: now, seed: seed, refreshable: true)
    default:
      return Self.refusal("unsupported_grant_type", "The authorization grant type is not supported", status: 400)
    }
  }

  /// `POST /v1/oauth2/refresh_token`; a refresh token works once.
  mutating func renew(_ fields: (String) -> String?, settings: OKKISettings, now: Int, seed: UInt64) -> Reply {
    guard fields("client_id") == Self.clientID, fields("client_secret") == Self.clientSecret else {
      return Self.refusal("invalid_client", "Client authentication failed")
    }
    guard let text = fields("refresh_token"), let known = refresh[text], !known.used else {
      return Reply(
        jsonObject { writer in
          writer.member("error", "invalid_request")
          writer.member("error_description", "The refresh token is invalid.")
          writer.member("hint", "Token has been revoked")
          writer.member("message", "The refresh token is invalid.")
        }, status: 401)
    }
    refresh[text]?.used = true
    current = nil
    return granted(known.scopes, settings: settings, now: now, seed: seed, refreshable: true)
  }

  /// What an `Authorization` header allows; nil when it is not in force.
  func grant(_ authorization: String?, now: Int) -> Grant? {
    guard let authorization, authorization.hasPrefix("Bearer ") else { return nil }
    guard let grant = grants[String(authorization.dropFirst(7))], grant.expires > now else { return nil }
    return grant
  }

  mutating func revokeAll() {
    grants = [:]
    current = nil
  }

  mutating func reset() { self = OKKITokens() }

  private mutating func granted(
    _ scopes: [Substring], settings: OKKISettings, now: Int, seed: UInt64, refreshable: Bool
  ) -> Reply {
    if let known = current, known.expires <= now { current = nil }
    grants = grants.filter { $0.value.expires > now }
    let expires =
      settings.reissue == .newFreshExpiry
      ? now + settings.expiresSeconds : current?.expires ?? now + settings.expiresSeconds
    let token: String
    if settings.reissue == .same, let known = current {
      token = known.token
    } else {
      token = jwt(scopes, expires: expires, now: now, seed: seed)
    }
    current = (token, expires)
    grants[token] = Grant(expires: expires, scopes: scopes)
    let again = refreshable ? "def50200" + hex(seed: seed, "refresh", count: 8) : nil
    if let again { refresh[again] = (scopes, false) }
    return Reply(
      jsonObject(reserving: 1_024) { writer in
        writer.member("token_type", "Bearer")
        if !settings.hidesExpiry { writer.member("expires_in", expires - now) }
        writer.member("access_token", token)
        if let again { writer.member("refresh_token", again) }
      })
  }

  /// The shape of an RS256 JWT; its signature is nothing but noise.
  private mutating func jwt(_ scopes: [Substring], expires: Int, now: Int, seed: UInt64) -> String {
    made += 1
    let identity = hex(seed: seed, "jti", count: 4)
    let payload = jsonObject { writer in
      writer.member("aud", Self.clientID)
      writer.member("jti", identity)
      writer.member("iat", now)
      writer.member("nbf", now)
      writer.member("exp", expires)
      writer.member("sub", "11858712")
      writer.member("scopes", array: { list in for scope in scopes { list.string(String(scope)) } })
    }
    let signature = [UInt8](hex(seed: seed, "signature", count: 16).utf8)
    return [[UInt8](#"{"typ":"JWT","alg":"RS256"}"#.utf8), payload, signature].map { Base64.text($0, forURL: true) }
      .joined(separator: ".")
  }

  private func hex(seed: UInt64, _ purpose: String, count: Int) -> String {
    var chance = Chance(seed: seed, stream: purpose, index: made)
    return (0..<count).map { _ in
      let digits = String(chance.next(), radix: 16)
      return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }.joined()
  }

  private static func scopes(_ text: String?) -> [Substring] {
    let wanted = text.map { Substring($0) } ?? allScopes
    return wanted.split(separator: " ")
  }

  private static func refusal(_ error: String, _ text: String, status: Int = 401) -> Reply {
    Reply(
      jsonObject { writer in
        writer.member("error", error)
        writer.member("error_description", text)
        writer.member("message", text)
      }, status: status)
  }
}
