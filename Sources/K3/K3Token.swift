internal import Curl
internal import JSON
internal import Pipeline
internal import Synchronization

/// A token and how many were got before it.
struct K3Token: Sendable {
  /// Counts up with each token: tells a token that was refused from the one that has replaced it meanwhile.
  let generation: Int
  /// Percent-encoded, as it stands in the URL.
  let text: String
  /// Not used any more from then on.
  let renewAt: Duration
  /// As K/3 or the installation's store gave it.
  let given: GivenToken
}

/// Keeps the token (vendor-apis.md A.3): one `Token/Create` at a time, whoever waits for it, also in other processes
/// (`TokenStore`).
///
/// It survives each way in which K/3 may hand tokens out: the same while it is valid, a new one beside the old, a new
/// one that ends the old. In the last case two processes without a store end each other's tokens; each then costs the
/// other one refused call and one `Token/Create`, which is slow but right.
actor K3TokenKeeper {
  private let options: K3Options
  private let http: CurlClient
  private let meter: RequestMeter?
  private let now: @Sendable () -> Duration
  private let sleep: @Sendable (Duration) async -> Void
  private var token: K3Token?
  private var generation = 0
  private var renewal: Task<Result<K3Token, K3Outage>, Never>?
  /// The last tokens as K/3 wrote them, for masking.
  private let recent = Mutex<[String]>([])

  init(
    _ options: K3Options, _ http: CurlClient, _ meter: RequestMeter?, now: @escaping @Sendable () -> Duration,
    sleep: @escaping @Sendable (Duration) async -> Void
  ) {
    self.options = options
    self.http = http
    self.meter = meter
    self.now = now
    self.sleep = sleep
  }

  /// What must not be seen in any text: the authority code and the last few tokens.
  nonisolated var secrets: [String] { recent.withLock { $0 } + [options.authorityCode] }

  /// A token to use now.
  /// - Parameter refused: the generation of a token that K/3 has just refused; nil when none was.
  func current(insteadOf refused: Int? = nil) async throws(K3Outage) -> K3Token {
    if let token, token.generation > refused ?? 0, now() < token.renewAt { return token }
    if let renewal { return try await renewal.value.get() }
    generation += 1
    let renewal = Task { [generation] in await renew(generation) }
    self.renewal = renewal
    let result = await renewal.value
    return try result.get()
  }

  private func renew(_ generation: Int) async -> Result<K3Token, K3Outage> {
    let result: Result<K3Token, K3Outage>
    do throws(K3Outage) { result = .success(try await newest(generation)) } catch { result = .failure(error) }
    if case .success(let token) = result { self.token = token }
    renewal = nil
    return result
  }

  private func newest(_ generation: Int) async throws(K3Outage) -> K3Token {
    var asked = now()
    let given: GivenToken
    if let store = options.tokenStore {
      given = try await store.newest("k3 \(options.base)", insteadOf: token?.given, sleep: sleep) {
        () async throws(K3Outage) in
        asked = now()
        return try await create()
      }
    } else {
      given = try await create()
    }
    guard Self.isUsable(given.text) else { throw K3Outage(.k3Unauthorized, "the token that was kept cannot be used") }
    recent.withLock { recent in
      if recent.count == 4 { recent.removeFirst() }
      recent.append(given.text)
    }
    return K3Token(
      generation: generation, text: percentEncoded(query: given.text), renewAt: asked + .seconds(given.seconds),
      given: given)
  }

  private func create() async throws(K3Outage) -> GivenToken {
    let code = percentEncoded(query: options.authorityCode)
    let kind = K3CallKind.token.place
    let request = HTTPRequest(
      .get, "\(options.base)/Token/Create?authorityCode=\(code)", timeoutMilliseconds: options.readTimeoutMilliseconds,
      repeatable: true, tag: kind)
    let reply = K3Reply(await http.perform(request), limits: JSONLimits())
    meter?.count(kind, reply.ending(options.messages, writes: false))
    switch reply {
    case .notSent(let failure): throw K3Outage(.k3Unavailable, failure.description)
    case .unclear(let sentence, _, _): throw K3Outage(.k3Unavailable, sentence)
    case .answer(let answer): return try read(answer)
    }
  }

  private func read(_ answer: K3Answer) throws(K3Outage) -> GivenToken {
    guard answer.isGood else {
      if options.messages.kind(of: answer.message, isFresh: true) == .busy {
        throw K3Outage(.k3Unavailable, "K/3 is too busy to give a token")
      }
      throw K3Outage(.k3Unauthorized, "K/3 does not take the authority code (StatusCode \(answer.status))")
    }
    if answer.data?.kind == .string {
      throw K3Outage(.k3Unauthorized, "K/3 encrypts its answers, which Ferry cannot read")
    }
    guard let text = answer.data?.member("Token")?.string, Self.isUsable(text) else {
      throw K3Outage(.k3Unauthorized, "K/3 answered the authority code without a token")
    }
    // `Validity` is a floating number of seconds; a short-lived token is renewed at half its life.
    let validity = answer.data?.member("Validity")?.text.flatMap { ExactDecimal($0) }?.rounded(scale: 0).wholeNumber
    let life = min(max(validity ?? 3600, 1), 7 * 86_400)
    let margin = min(options.tokenMarginSeconds, life / 2)
    return GivenToken(text: text, seconds: max(life - margin, 1))
  }

  private static func isUsable(_ token: String) -> Bool {
    !token.isEmpty && token.utf8.count <= 4096 && token.utf8.allSatisfy { 33...126 ~= $0 }
  }
}
