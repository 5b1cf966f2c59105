internal import Curl
internal import JSON
internal import Pipeline

/// A token and how many were got before it.
struct OKKIToken: Sendable {
  /// Counts up with each token: tells a token that was refused from the one that has replaced it meanwhile.
  let generation: Int
  /// The request header that carries it.
  let header: HTTPHeader
  /// Not used any more from then on.
  let renewAt: Duration
  /// As OKKI or the installation's store gave it.
  let given: GivenToken
}

/// Keeps the token (vendor-apis.md B.2): one request for a new one at a time, whoever waits for it, also in other
/// processes (`TokenStore`).
actor OKKITokenKeeper {
  private let options: OKKIOptions
  private let http: CurlClient
  private let limit: RateLimit
  private let meter: RequestMeter?
  private let time: Timekeeper
  private var token: OKKIToken?
  private var generation = 0
  private var renewal: Task<Result<OKKIToken, SourceFailure>, Never>?

  init(
    _ options: OKKIOptions, _ http: CurlClient, _ limit: RateLimit, _ meter: RequestMeter?, _ time: Timekeeper
  ) {
    self.meter = meter
    self.options = options
    self.http = http
    self.limit = limit
    self.time = time
  }

  /// A token to use now.
  /// - Parameter refused: the generation of a token that OKKI has just refused; nil when none was.
  func current(insteadOf refused: Int? = nil) async throws(SourceFailure) -> OKKIToken {
    if let token, token.generation > refused ?? 0, time.now() < token.renewAt { return token }
    if let renewal { return try await renewal.value.get() }
    generation += 1
    let renewal = Task { [generation] in await renew(generation) }
    self.renewal = renewal
    let result = await renewal.value
    return try result.get()
  }

  private func renew(_ generation: Int) async -> Result<OKKIToken, SourceFailure> {
    let result: Result<OKKIToken, SourceFailure>
    do throws(SourceFailure) { result = .success(try await newest(generation)) } catch { result = .failure(error) }
    if case .success(let token) = result { self.token = token }
    renewal = nil
    return result
  }

  private func newest(_ generation: Int) async throws(SourceFailure) -> OKKIToken {
    let time = time
    var asked = time.now()
    let given: GivenToken
    if let store = options.tokenStore {
      // Cancelled early is what the caller asked for.
      let sleep: @Sendable (Duration) async -> Void = { try? await time.sleep($0) }
      given = try await store.newest("okki \(options.base) \(options.clientID)", insteadOf: token?.given, sleep: sleep)
      {
        () async throws(SourceFailure) in
        let (given, moment) = try await request()
        asked = moment
        return given
      }
    } else {
      (given, asked) = try await request()
    }
    guard Self.isUsable(given.text) else { throw .unauthorized("the token that was kept cannot be used") }
    return OKKIToken(
      generation: generation, header: HTTPHeader("Authorization", "Bearer \(given.text)"),
      renewAt: asked + .seconds(given.seconds), given: given)
  }

  /// - Returns: a token, and when it was asked for.
  private func request() async throws(SourceFailure) -> (GivenToken, Duration) {
    var attempt = 0
    while true {
      _ = try await limit.take(upTo: 1)
      let asked = time.now()
      let outcome = await http.perform(tokenRequest())
      options.onProgress()
      do throws(OKKIRefusal) {
        let given = try read(outcome)
        meter?.count(OKKICallKind.token.place, .ok)
        return (given, asked)
      } catch {
        meter?.count(OKKICallKind.token.place, error.ending(outcome))
        if case .throttled(let seconds) = error.failure { await limit.throttled(seconds: seconds) }
        guard case .again(let failure) = error else { throw refusedCredentials(error) }
        guard attempt < options.retries else { throw failure }
        attempt += 1
      }
    }
  }

  private func tokenRequest() -> HTTPRequest {
    let fields = [
      ("grant_type", "client_credentials"), ("client_id", options.clientID), ("client_secret", options.clientSecret),
      ("scope", options.scope),
    ]
    let body = fields.map { "\($0)=\(percentEncoded(query: $1))" }.joined(separator: "&")
    return HTTPRequest(
      .post, "\(options.base)/v1/oauth2/access_token",
      headers: [
        HTTPHeader("Content-Type", "application/x-www-form-urlencoded"), HTTPHeader("Accept", "application/json"),
      ],
      body: Array(body.utf8), timeoutMilliseconds: options.timeoutMilliseconds, repeatable: true,
      tag: OKKICallKind.token.place)
  }

  private func read(_ outcome: HTTPOutcome) throws(OKKIRefusal) -> GivenToken {
    let response = try OKKIWire.response(outcome)
    if response.status == 429 || response.status == 503 {
      throw .again(.throttled(afterSeconds: response.retryAfterSeconds))
    }
    guard let root = try? JSONDocument(response.body).root, root.kind == .object else {
      let sentence = "OKKI answered the token request with HTTP \(response.status) and no JSON"
      throw .again(.transient(sentence))
    }
    if let refusal = OKKIWire.refusal(in: root, response) {
      // Such an answer is about the request, not about an order.
      if case .absent = refusal.failure { throw .final(.transient("OKKI answered the token request with code 404")) }
      let tokens = ["access_token", "refresh_token"].compactMap { root[$0]?.string }
      throw refusal.keeping(.response(response), without: tokens + [options.clientSecret])
    }
    guard let token = root["access_token"]?.string, Self.isUsable(token) else {
      throw .again(.transient("OKKI's answer to the token request holds no token (HTTP \(response.status))"))
    }
    // Without a figure a token lives for eight hours; a short-lived one is renewed at half its life.
    let life = root["expires_in"]?.text.flatMap { Int64($0) }.map { min(max($0, 0), 30 * 86_400) } ?? 28_800
    let margin = min(300, life / 2)
    return GivenToken(text: token, seconds: max(life - margin, 1))
  }

  private func refusedCredentials(_ refusal: OKKIRefusal) -> SourceFailure {
    if case .token = refusal { return .unauthorized("OKKI refuses the client id or secret") }
    return refusal.failure
  }

  /// What may stand in a header.
  private static func isUsable(_ token: String) -> Bool {
    !token.isEmpty && token.utf8.count <= 8192 && token.utf8.allSatisfy { 33...126 ~= $0 }
  }
}
