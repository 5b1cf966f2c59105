import Pipeline
import PipelineTesting
import Synchronization
import Testing

@testable import OKKI

extension VirtualTime {
  /// For a ledger in memory.
  var micros: Int64 { Int64((now.inSeconds * 1e6).rounded()) }
}

@Suite("The installation's rate limit, as one process sees it", .timeLimit(.minutes(2)))
struct SharedRateLimitTests {
  private let time = VirtualTime()
  private let ledger: MemoryRateLedger

  init() { ledger = MemoryRateLedger { [time] in time.micros } }

  private func process(perSecond: Double = 20, patience: Int = 30) -> RateLimit {
    RateLimit(
      perSecond: perSecond, burst: 1_000, patience: .seconds(patience), time: time.keeper, shared: ledger,
      jitter: { 1 })
  }

  @Test("two processes together get what one would get")
  func together() async throws {
    let (one, other) = (process(), process())
    var granted = 0
    while time.now < .seconds(30) {
      granted += try await one.take(upTo: 3)
      granted += try await other.take(upTo: 3)
    }
    #expect(590...606 ~= granted)
  }

  @Test("a lease serves several callers, and what is left of it after a quarter of a second is void")
  func lease() async throws {
    let limit = process(perSecond: 1_000)
    #expect(try await limit.take(upTo: 1) == 1)
    #expect(try await limit.take(upTo: 64) == 64)
    time.advance(.milliseconds(249))
    #expect(try await limit.take(upTo: 5) == 5)
    #expect(ledger.asked == 1)
    time.advance(.milliseconds(1))
    _ = try await limit.take(upTo: 1)
    #expect(ledger.asked == 2)
  }

  @Test(
    "free requests are what is left of a lease while it is good, none in a pause, and one at most without PostgreSQL")
  func freeRequests() async throws {
    let limit = process(perSecond: 1_000)
    #expect(limit.free == 0)
    // A tenth of a second's at once.
    #expect(try await limit.take(upTo: 1) == 1 && limit.free == 99)
    time.advance(.milliseconds(249))
    #expect(limit.free == 99)
    time.advance(.milliseconds(1))
    #expect(limit.free == 0)
    #expect(try await limit.take(upTo: 40) == 40 && limit.free == 60)
    await limit.throttled(seconds: 7)
    #expect(limit.free == 0)
    time.advance(.seconds(7))
    #expect(limit.free == 0)
    ledger.fail(.unavailable("connection refused"))
    #expect(try await limit.take(upTo: 1) == 1 && limit.free == 0)
    time.advance(.seconds(3))
    #expect(limit.free == 1)
  }

  /// Answers each lease when it is let go.
  private struct HeldLedger: RateLedger {
    let inner: MemoryRateLedger
    let asked: AsyncStream<CheckedContinuation<Void, Never>>.Continuation

    func lease(_ ask: RateAsk) async throws(LedgerFailure) -> RateLease {
      await withCheckedContinuation { _ = asked.yield($0) }
      return try await inner.lease(ask)
    }

    func pause(_ bucket: String, seconds: Int?, jitterPermille: Int) async throws(LedgerFailure) -> Int64 {
      try await inner.pause(bucket, seconds: seconds, jitterPermille: jitterPermille)
    }
  }

  @Test("two callers that ask at once lose nothing of what both are given")
  func twoAtOnce() async throws {
    let (leases, asked) = AsyncStream<CheckedContinuation<Void, Never>>.makeStream()
    let limit = RateLimit(
      perSecond: 1_000, burst: 1_000, patience: .seconds(30), time: time.keeper,
      shared: HeldLedger(inner: ledger, asked: asked), jitter: { 1 })
    async let one = limit.take(upTo: 1)
    async let other = limit.take(upTo: 1)
    var held = leases.makeAsyncIterator()
    let both = [await held.next(), await held.next()]
    for lease in both { lease?.resume() }
    #expect(try await one + other == 2)
    #expect(ledger.asked == 2)
    // 100 each, of which two are used.
    #expect(try await limit.take(upTo: 500) == 198)
  }

  /// A process whose leases are held until somebody lets them go, each of 100.
  private func heldLimit(_ asked: AsyncStream<CheckedContinuation<Void, Never>>.Continuation) -> RateLimit {
    RateLimit(
      perSecond: 1_000, burst: 1_000, patience: .seconds(30), time: time.keeper,
      shared: HeldLedger(inner: ledger, asked: asked), jitter: { 1 })
  }

  @Test(
    "of two leases that are long on their way neither is good for longer than a quarter of a second after its question",
    arguments: [(240, 251), (300, 300)])
  func twoLate(answered: Int, used: Int) async throws {
    let (leases, asked) = AsyncStream<CheckedContinuation<Void, Never>>.makeStream()
    let limit = heldLimit(asked)
    var held = leases.makeAsyncIterator()
    async let one = limit.take(upTo: 1)
    let first = await held.next()
    time.advance(.milliseconds(200))
    async let other = limit.take(upTo: 1)
    let second = await held.next()
    time.advance(.milliseconds(answered - 200))
    first?.resume()
    // Answered too late, the first one asks again.
    let third = answered < 250 ? nil : await held.next()
    if third == nil { _ = try await one }
    second?.resume()
    _ = try await other
    time.advance(.milliseconds(used - answered))
    // Each lease was of 100.
    async let rest = limit.take(upTo: 500)
    let answering = Task {
      third?.resume()
      for await lease in leases { lease.resume() }
    }
    #expect(try await rest <= 100)
    _ = try await one
    answering.cancel()
  }

  @Test("a lease whose answer comes after its own end leaves what another one gave")
  func lateBesideGood() async throws {
    let (leases, asked) = AsyncStream<CheckedContinuation<Void, Never>>.makeStream()
    let limit = heldLimit(asked)
    var held = leases.makeAsyncIterator()
    async let one = limit.take(upTo: 1)
    let first = await held.next()
    time.advance(.milliseconds(200))
    async let other = limit.take(upTo: 1)
    let second = await held.next()
    time.advance(.milliseconds(40))
    second?.resume()
    _ = try await other
    time.advance(.milliseconds(60))
    let answering = Task {
      var questions = 0
      for await lease in leases {
        questions += 1
        lease.resume()
      }
      return questions
    }
    first?.resume()
    _ = try await one
    asked.finish()
    #expect(await answering.value == 0)
  }

  @Test("the vendor's pause reaches a process that was told nothing, at the latest when its lease ends")
  func pause() async throws {
    let (one, other) = (process(perSecond: 1_000), process(perSecond: 1_000))
    _ = try await other.take(upTo: 1)
    await one.throttled(seconds: 7)
    _ = try await other.take(upTo: 1)
    #expect(time.now == .zero)
    time.advance(.milliseconds(250))
    _ = try await other.take(upTo: 1)
    #expect(time.now >= .seconds(7))
    #expect(time.now < .milliseconds(7_100))
  }

  @Test("who heard it stops at once, with the rest of its lease")
  func pauseHere() async throws {
    let one = process(perSecond: 1_000)
    _ = try await one.take(upTo: 1)
    await one.throttled(seconds: 7)
    _ = try await one.take(upTo: 1)
    #expect(time.now >= .seconds(7))
  }

  @Test("a pause longer than the patience is told in every process instead of waited out")
  func patience() async throws {
    await process().throttled(seconds: 31)
    await #expect(throws: SourceFailure.throttled(afterSeconds: 31)) { try await process().take(upTo: 1) }
    #expect(time.sleeps.isEmpty)
  }

  @Test("pauses without a figure double over all processes, and begin anew after a good answer of any")
  func backoff() async throws {
    let (one, other) = (process(), process())
    for limit in [one, other, one] {
      await limit.throttled(seconds: nil)
      _ = try await limit.take(upTo: 1)
    }
    // 0.2, 0.4 and 0.8 s, each with a request's time after it.
    #expect((1_400_000...1_600_000).contains(time.micros))
    one.relax()
    _ = try await one.take(upTo: 1)
    let before = time.now
    await other.throttled(seconds: nil)
    _ = try await other.take(upTo: 1)
    #expect(time.now - before < .milliseconds(300))
  }

  @Test(
    "without PostgreSQL it goes on for ten seconds at half of what it was given, then stops, and starts again with it")
  func away() async throws {
    let limit = process()
    while time.now < .seconds(20) { _ = try await limit.take(upTo: 1) }
    ledger.fail(.unavailable("connection refused"))
    var granted = 0
    var told: SourceFailure?
    while told == nil {
      do throws(SourceFailure) { granted += try await limit.take(upTo: 8) } catch { told = error }
    }
    #expect(told == .throttled(afterSeconds: 1))
    #expect(time.now >= .seconds(30))
    #expect(time.now < .seconds(31))
    #expect(85...101 ~= granted)
    let asked = ledger.asked
    await #expect(throws: SourceFailure.self) { try await limit.take(upTo: 1) }
    #expect(ledger.asked <= asked + 1)
    ledger.fail(nil)
    time.advance(.seconds(1))
    #expect(try await limit.take(upTo: 1) == 1)
  }

  @Test("a process that was never given anything sends nothing while PostgreSQL is away")
  func neverGiven() async throws {
    ledger.fail(.unavailable("connection refused"))
    let limit = process()
    await #expect(throws: SourceFailure.throttled(afterSeconds: 1)) { try await limit.take(upTo: 1) }
  }

  @Test("while PostgreSQL is away a pause holds in the process that heard of it")
  func pauseAlone() async throws {
    let limit = process()
    while time.now < .seconds(10) { _ = try await limit.take(upTo: 1) }
    ledger.fail(.unavailable("connection refused"))
    await limit.throttled(seconds: 5)
    let before = time.now
    _ = try await limit.take(upTo: 1)
    #expect(time.now - before >= .seconds(5))
  }

  static let figures: [(header: String?, ClosedRange<Double>)] = [
    ("Retry-After: 9", 9...9.5), ("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", 0.1...0.7), (nil, 0.1...0.7),
    ("Date: Wed, 21 Oct 2015 07:27:51 GMT\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT", 9...9.5),
    ("Retry-After: 0", 0.1...0.7),
    ("Retry-After: -5", 0.1...0.7), ("Retry-After: soon", 0.1...0.7),
    ("Retry-After: 99999999999999999999", 3600...3601),
    ("Retry-After: Fri, 31 Dec 2100 23:59:59 GMT", 3600...3601),
  ]

  @Test(
    "what one process hears in any of the vendor's forms, for a token too, another one obeys before its first request",
    arguments: 0..<8, figures)
  func forms(kind: Int, figure: (header: String?, seconds: ClosedRange<Double>)) async throws {
    let (form, isForToken) = (kind / 2, kind % 2 == 1)
    let headers = figure.header.map { [$0] } ?? []
    let refusal: ScriptedServer.Answer =
      switch form {
      case 0: .status(429, headers: headers)
      case 1: .reply(status: 200, body: #"{"code":429,"message":"请求过于频繁","data":null}"#, headers: headers)
      case 2: .status(503, headers: headers)
      default: .reply(status: 400, body: #"{"error":"too many requests"}"#, headers: headers)
      }
    let change: (inout OKKIOptions) -> Void = { [ledger] options in
      options.ratePerSecond = 100
      options.retries = 0
      options.patienceSeconds = 3_600
      options.rateLedger = ledger
    }
    let isFirst = Mutex(true)
    try await withScriptedServer { request in
      let isRefused = isFirst.withLock { first in
        guard first, (request.path == tokenPath) == isForToken else { return false }
        first = false
        return true
      }
      if isRefused { return refusal }
      return .ok(request.path == tokenPath ? #"{"access_token":"T1"}"# : details(request))
    } _: { server in
      let source = try OKKIOrderSource(options(server.url, change), time: time.keeper)
      let answer = await source.details(of: ids(1...1))[0]
      guard case .failure(.throttled) = answer else {
        Issue.record("\(answer)")
        return
      }
      let before = time.now
      let other = try OKKIOrderSource(options(server.url, change), time: time.keeper)
      let second = await other.details(of: ids(2...2))[0]
      #expect((try? second.get()) != nil)
      #expect(figure.seconds.contains((time.now - before).inSeconds))
      #expect(server.requests.count == (isForToken ? 3 : 4))
      await other.close()
      await source.close()
    }
  }
}
