internal import Curl
internal import JSON
internal import Pipeline
internal import Synchronization

/// Why K/3 could not be asked at all.
struct K3Outage: Error {
  let reason: Reason

  init(_ code: ReasonCode, _ sentence: String) { reason = Reason(code, sentence) }
}

/// Asks K/3: token, envelope, one repeat with a fresh token for what K/3 refused because of the old one.
///
/// The token travels in the URL's query (vendor-apis.md A.2), so no URL is ever logged or put into an error.
final class K3Client: Sendable {
  let options: K3Options
  /// What an answer may look like.
  let limits: JSONLimits
  private let http: CurlClient
  private let tokens: K3TokenKeeper
  private let load: K3Load
  private let meter: RequestMeter?

  /// One POST with a JSON body.
  struct Call: Sendable {
    /// Object and action, such as `SO/Save`.
    let path: String
    let body: [UInt8]
    let notAfter: ContinuousClock.Instant?
    /// Whether it may be sent more than once.
    let repeatable: Bool

    init(_ path: String, _ body: [UInt8], notAfter: ContinuousClock.Instant? = nil, repeatable: Bool = true) {
      self.path = path
      self.body = body
      self.notAfter = notAfter
      self.repeatable = repeatable
    }
  }

  init<C: Clock & Sendable>(_ options: K3Options, clock: C) throws(SetupProblem) where C.Duration == Duration {
    try options.check()
    self.options = options
    var limits = JSONLimits()
    limits.maxBytes = options.maxAnswerBytes
    self.limits = limits
    load = K3Load(options)
    var curl = options.curl
    curl.steer = { [load] in load.note($0) }
    meter = options.metrics?.requests(K3CallKind.self, K3CallKind.endings)
    if let meter { curl.onEnd = { meter.time($0, $1) } }
    do { http = try CurlClient(curl) } catch {
      throw SetupProblem("K/3's HTTP client cannot be set up: \(error).", remedy: "Mend the option that it names.")
    }
    let start = clock.now
    tokens = K3TokenKeeper(
      options, http, meter, now: { start.duration(to: clock.now) },
      // Cancelled early is what the caller asked for.
      sleep: { try? await clock.sleep(for: $0) })
  }

  func close() async { await http.shutdown(graceMilliseconds: options.saveTimeoutMilliseconds) }

  /// How many requests may be under way now.
  var concurrencyLimit: Int { load.limit }

  /// A token that is good now.
  func token() async throws(K3Outage) -> K3Token { try await tokens.current() }

  /// Posts calls, `concurrency` at a time. One reply each, in order.
  ///
  /// What K/3 refuses with words about the token goes once more with a new one: a refusal that could be read is proof
  /// that nothing was written.
  /// - Parameter renewing: false: with the token that there is, which is good as far as anybody knows.
  /// - Throws: when there is no token; nothing was sent then.
  func post(_ calls: [Call], renewing: Bool = true) async throws(K3Outage) -> [K3Reply] {
    var token = try await tokens.current()
    var replies = await send(calls, token)
    guard renewing else { return replies }
    let refused = calls.indices.filter { isTokenRefusal(replies[$0]) }
    guard !refused.isEmpty else { return replies }
    do throws(K3Outage) { token = try await tokens.current(insteadOf: token.generation) } catch { return replies }
    let again = await send(refused.map { calls[$0] }, token)
    for (index, reply) in zip(refused, again) { replies[index] = reply }
    return replies
  }

  /// Gets one thing: object and action.
  func get(_ path: String) async throws(K3Outage) -> K3Reply {
    var token = try await tokens.current()
    var reply = await read(path, token)
    if isTokenRefusal(reply) {
      token = try await tokens.current(insteadOf: token.generation)
      reply = await read(path, token)
    }
    return reply
  }

  private func read(_ path: String, _ token: K3Token) async -> K3Reply {
    let kind = K3CallKind(path).place
    let request = HTTPRequest(
      .get, url(path, token), timeoutMilliseconds: options.readTimeoutMilliseconds, repeatable: true, tag: kind)
    let reply = K3Reply(await http.perform(request), limits: limits)
    meter?.count(kind, reply.ending(options.messages, writes: false))
    return reply
  }

  private func send(_ calls: [Call], _ token: K3Token) async -> [K3Reply] {
    var requests: [HTTPRequest] = []
    requests.reserveCapacity(calls.count)
    // Calls of a batch go to one or two paths: each URL is made once.
    var paths: [String: (url: String, kind: Int)] = [:]
    for call in calls {
      let known = paths[call.path]
      let (url, kind) = known ?? (self.url(call.path, token), K3CallKind(call.path).place)
      if known == nil { paths[call.path] = (url, kind) }
      let timeout = call.repeatable ? options.readTimeoutMilliseconds : options.saveTimeoutMilliseconds
      requests.append(
        HTTPRequest(
          .post, url, headers: Self.headers, body: call.body, timeoutMilliseconds: timeout, notAfter: call.notAfter,
          repeatable: call.repeatable, tag: kind))
    }
    let replies = await http.perform(requests).map { K3Reply($0, limits: limits) }
    if let meter {
      for ((call, request), reply) in zip(zip(calls, requests), replies) {
        meter.count(request.tag, reply.ending(options.messages, writes: !call.repeatable))
      }
    }
    return replies
  }

  private static let headers = [HTTPHeader("Content-Type", "application/json")]

  private func url(_ path: String, _ token: K3Token) -> String { "\(options.base)/\(path)?Token=\(token.text)" }

  private func isTokenRefusal(_ reply: K3Reply) -> Bool {
    guard case .answer(let answer) = reply, !answer.isGood else { return false }
    return options.messages.kind(of: answer.refusal, isFresh: false) == .token
  }

  /// The beginning of an answer that was not expected, as `shown`; nil of an empty one.
  func excerpt(_ body: [UInt8]) -> String? {
    body.isEmpty ? nil : shown(String(decoding: body.prefix(2_048), as: UTF8.self))
  }

  /// A vendor's text for people: at most 200 characters, without control characters, and without token and authority
  /// code, which K/3 might echo: both are known, and both look like long hexadecimal numbers.
  func shown(_ text: String) -> String {
    var masked = text
    for secret in tokens.secrets { masked = masked.replacing(secret, with: "***") }
    var shown = String.UnicodeScalarView()
    var hexadecimal = 0
    for scalar in masked.unicodeScalars {
      hexadecimal = scalar.properties.isASCIIHexDigit ? hexadecimal + 1 : 0
      guard hexadecimal < 32 else {
        if hexadecimal == 32 {
          shown.removeLast(31)
          shown.append(contentsOf: "***".unicodeScalars)
        }
        continue
      }
      shown.append(scalar.value < 32 || scalar.value == 127 ? " " : scalar)
    }
    return String(String.UnicodeScalarView(shown.prefix(200)))
  }
}
