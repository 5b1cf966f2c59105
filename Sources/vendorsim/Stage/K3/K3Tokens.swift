import JSON

/// Tokens of the simulated K/3.
struct K3Tokens {
  /// The authority code of the demo; no real server knows it.
  static let authorityCode = "0123456789abcdef0123456789abcdef0123456789abcdef"

  private var grants: [String: (expires: Int, client: String)] = [:]
  private var current: String?
  private var made = 0

  mutating func create(client: String, settings: K3Settings, now: Int, seed: UInt64) -> (token: String, created: Int) {
    grants = grants.filter { $0.value.expires > now }
    if settings.reissue == .same, let token = current, let grant = grants[token] {
      return (token, grant.expires - settings.validitySeconds)
    }
    if settings.reissue == .newInvalidateOld { grants = [:] }
    made += 1
    var chance = Chance(seed: seed, stream: "token", index: made)
    let token = (0..<5).map { _ in
      let digits = String(chance.next(), radix: 16, uppercase: true)
      return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }.joined()
    grants[token] = (now + settings.validitySeconds, client)
    current = token
    return (token, now)
  }

  mutating func admits(_ token: String?, client: String, settings: K3Settings, now: Int) -> Bool {
    guard let token, let grant = grants[token], grant.expires > now else { return false }
    if settings.bindsAddress, grant.client != client { return false }
    if settings.slidingExpiry { grants[token]?.expires = now + settings.validitySeconds }
    return true
  }

  mutating func revokeAll() {
    grants = [:]
    current = nil
  }
}
