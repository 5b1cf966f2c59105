internal import Curl
internal import JSON
internal import Pipeline

/// Asks OKKI many things at a time: token, rate limit, bounded repeats.
///
/// Requests go out in whole chunks, as large as the rate limit grants, so that no request costs a task of its own.
/// Everything asked here is a GET and may be repeated.
final class OKKIClient: Sendable {
  let options: OKKIOptions
  private let http: CurlClient
  private let limit: RateLimit
  private let tokens: OKKITokenKeeper
  private let time: Timekeeper
  private let meter: RequestMeter?

  init(_ options: OKKIOptions, time: Timekeeper) throws(SetupProblem) {
    try options.check()
    self.options = options
    self.time = time
    let meter = options.metrics?.requests(OKKICallKind.self, OKKICallKind.endings)
    self.meter = meter
    var curl = options.curl
    if let meter { curl.onEnd = { meter.time($0, $1) } }
    do { http = try CurlClient(curl) } catch {
      throw SetupProblem("OKKI's HTTP client cannot be set up: \(error).", remedy: "Mend the option that it names.")
    }
    limit = RateLimit(
      perSecond: options.ratePerSecond, burst: options.burst, patience: .seconds(options.patienceSeconds), time: time,
      shared: options.rateLedger, bucket: "okki/\(options.clientID)", meter: options.metrics?.rateWait())
    tokens = OKKITokenKeeper(options, http, limit, meter, time)
  }

  /// Requests that may be sent at once now.
  var freeRequests: Int { limit.free }

  func close() async { await http.shutdown(graceMilliseconds: 2_000) }

  /// What became of one question.
  private enum Attempt<Value: Sendable>: Sendable {
    case done(Result<Value, SourceFailure>)
    case again(SourceFailure)
  }

  /// Which question, and what became of it.
  private typealias Attempts<Value: Sendable> = [(index: Int, attempt: Attempt<Value>)]

  /// Asks for one list.
  /// - Parameter names: the members that an unreadable row is left with.
  func ask<Value: Sendable>(
    _ path: String, keeping names: [String], read: @escaping @Sendable (OKKIAnswer) throws(SourceFailure) -> Value
  ) async throws(SourceFailure) -> Value {
    try await ask([path], maxBytes: options.maxAnswerBytes, keeping: names) { answer, _ throws(SourceFailure) in
      try read(answer)
    }[0].get()
  }

  /// Asks many things, `concurrency` at a time; one result each, in order.
  /// - Parameters:
  ///   - paths: path and query, from `/v1`.
  ///   - maxBytes: the largest answer that is read.
  ///   - read: takes the value out of an answer to the path at this index. What it throws as `.malformed` or
  ///     `.transient` is asked again.
  func ask<Value: Sendable>(
    _ paths: [String], maxBytes: Int, keeping names: [String]? = nil,
    read: @escaping @Sendable (OKKIAnswer, Int) throws(SourceFailure) -> Value
  ) async -> [Result<Value, SourceFailure>] {
    var limits = JSONLimits()
    limits.maxBytes = maxBytes
    let reader: @Sendable (HTTPOutcome, Int) throws(OKKIRefusal) -> Value = {
      [limits] outcome, index throws(OKKIRefusal) in
      let answer = try OKKIWire.answer(outcome, limits: limits, keeping: names)
      do throws(SourceFailure) { return try read(answer, index) } catch {
        switch error {
        case .transient, .malformed: throw .again(error)
        default: throw .final(error)
        }
      }
    }
    var results = [Result<Value, SourceFailure>?](repeating: nil, count: paths.count)
    var open = Array(paths.indices)
    for round in 0...options.retries where !open.isEmpty {
      // The first repeat goes at once: most failures are single ones.
      if round > 1, (try? await time.sleep(.milliseconds(min(50 << round, 5_000)))) == nil { break }
      let attempts = await pass(open, of: paths, reader)
      open = []
      for (index, attempt) in attempts {
        switch attempt {
        case .done(let result): results[index] = result
        case .again(let failure):
          results[index] = .failure(failure)
          open.append(index)
        }
      }
      open.sort()
    }
    return results.map { $0 ?? .failure(.transient("the call to OKKI was cancelled")) }
  }

  /// One attempt at each of these questions.
  private func pass<Value: Sendable>(
    _ open: [Int], of paths: [String], _ reader: @escaping @Sendable (HTTPOutcome, Int) throws(OKKIRefusal) -> Value
  ) async -> Attempts<Value> {
    // Twice what can be under way keeps the connections busy while finished chunks are read.
    let window = options.concurrency * 2
    return await withTaskGroup(of: Attempts<Value>.self) { group in
      var attempts: Attempts<Value> = []
      var next = 0
      var underWay = 0
      while next < open.count {
        while underWay >= window, let done = await group.next() {
          underWay -= done.count
          attempts += done
        }
        do throws(SourceFailure) {
          let count = try await limit.take(upTo: min(window - underWay, options.concurrency, open.count - next))
          let chunk = Array(open[next..<next + count])
          next += count
          underWay += count
          group.addTask { await self.perform(chunk, of: paths, reader) }
        } catch {
          attempts += open[next...].map { ($0, .done(.failure(error))) }
          break
        }
      }
      for await done in group { attempts += done }
      return attempts
    }
  }

  /// Sends a chunk for which the rate limit has granted tokens; what is refused for its token is sent once more with a
  /// new one.
  private func perform<Value: Sendable>(
    _ chunk: [Int], of paths: [String], _ reader: @Sendable (HTTPOutcome, Int) throws(OKKIRefusal) -> Value
  ) async -> Attempts<Value> {
    var token: OKKIToken
    do throws(SourceFailure) { token = try await tokens.current() } catch {
      return chunk.map { ($0, .done(.failure(error))) }
    }
    var attempts: Attempts<Value> = []
    var open = await send(chunk, of: paths, token, reader, into: &attempts)
    guard !open.isEmpty else { return attempts }
    do throws(SourceFailure) {
      token = try await tokens.current(insteadOf: token.generation)
      while !open.isEmpty {
        let count = try await limit.take(upTo: open.count)
        let refused = await send(Array(open.prefix(count)), of: paths, token, reader, into: &attempts)
        attempts += refused.map { ($0, .done(.failure(OKKIRefusal.token.failure))) }
        open.removeFirst(count)
      }
    } catch {
      attempts += open.map { ($0, .done(.failure(error))) }
    }
    return attempts
  }

  /// Sends a chunk once. Returns those that were refused for their token.
  private func send<Value: Sendable>(
    _ chunk: [Int], of paths: [String], _ token: OKKIToken,
    _ reader: @Sendable (HTTPOutcome, Int) throws(OKKIRefusal) -> Value, into attempts: inout Attempts<Value>
  ) async -> [Int] {
    let headers = [token.header, HTTPHeader("Accept", "application/json")]
    // All questions of a call are of one kind.
    let kind = OKKICallKind(chunk.first.map { paths[$0] } ?? "").place
    let outcomes = await http.perform(
      chunk.map {
        HTTPRequest(
          .get, options.base + paths[$0], headers: headers, timeoutMilliseconds: options.timeoutMilliseconds, tag: kind)
      })
    options.onProgress()
    var refused: [Int] = []
    var hasAnswer = false
    for (index, outcome) in zip(chunk, outcomes) {
      do throws(OKKIRefusal) {
        attempts.append((index, .done(.success(try reader(outcome, index)))))
        hasAnswer = true
        meter?.count(kind, .ok)
      } catch {
        meter?.count(kind, error.ending(outcome))
        if case .throttled(let seconds) = error.failure { await limit.throttled(seconds: seconds) }
        switch error.keeping(outcome, without: [token.header.value, options.clientSecret]) {
        case .token: refused.append(index)
        case .again(let failure): attempts.append((index, .again(failure)))
        case .final(let failure): attempts.append((index, .done(.failure(failure))))
        }
      }
    }
    if hasAnswer { limit.relax() }
    return refused
  }
}
