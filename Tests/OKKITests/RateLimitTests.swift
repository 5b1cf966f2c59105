import Pipeline
import Synchronization
import TestSockets
import Testing

@testable import OKKI

@Suite("Rate limit", .timeLimit(.minutes(2)))
struct RateLimitTests {
  private func limit(_ time: VirtualTime, perSecond: Double = 5, burst: Int = 10, patience: Int = 30) -> RateLimit {
    RateLimit(
      perSecond: perSecond, burst: burst, patience: .seconds(patience), time: time.keeper, jitter: { 1 })
  }

  @Test("a batch takes what the bucket has, then waits once for each next token")
  func batch() async throws {
    let time = VirtualTime()
    let limit = limit(time)
    #expect(try await limit.take(upTo: 64) == 10)
    #expect(time.sleeps.isEmpty)
    #expect(try await limit.take(upTo: 64) == 1)
    #expect(try await limit.take(upTo: 64) == 1)
    #expect(time.sleeps == [.milliseconds(200), .milliseconds(200)])
  }

  @Test(
    "over a long time no more than the rate and one burst get through, at any rate", arguments: [0.5, 5, 300, 20_000])
  func rate(perSecond: Double) async throws {
    let time = VirtualTime()
    let limit = limit(time, perSecond: perSecond, burst: 10)
    var granted = 0
    while time.now < .seconds(20) { granted += try await limit.take(upTo: 64) }
    let most = time.now.inSeconds * perSecond + 10
    #expect(Double(granted) <= most + 1)
    #expect(Double(granted) >= most - 64)
  }

  @Test("at a high rate one wake-up grants ten milliseconds of tokens")
  func fewWakeUps() async throws {
    let time = VirtualTime()
    let limit = limit(time, perSecond: 10_000, burst: 1)
    _ = try await limit.take(upTo: 64)
    var granted = 0
    while granted < 6_400 { granted += try await limit.take(upTo: 64) }
    #expect(time.sleeps.count == 100)
  }

  @Test("tokens that were not used add up to the burst and no further")
  func burst() async throws {
    let time = VirtualTime()
    let limit = limit(time)
    _ = try await limit.take(upTo: 10)
    time.advance(.seconds(3600))
    #expect(try await limit.take(upTo: 64) == 10)
  }

  @Test("Retry-After stops everybody, also who has already reserved a token")
  func retryAfter() async throws {
    let time = VirtualTime()
    let limit = limit(time)
    _ = try await limit.take(upTo: 10)
    let isFirst = Mutex(true)
    time.onSleep { _ in
      // Another request learns of the limit while this one sleeps towards its reserved token.
      if isFirst.withLock({ first in
        defer { first = false }; return first
      }) {
        limit.pause(seconds: 7)
      }
    }
    _ = try await limit.take(upTo: 1)
    #expect(time.now == .milliseconds(7_200))
  }

  @Test("after a pause there is no burst")
  func noBurstAfterPause() async throws {
    let time = VirtualTime()
    let limit = limit(time)
    limit.pause(seconds: 7)
    #expect(try await limit.take(upTo: 64) == 1)
    #expect(time.now == .milliseconds(7_200))
  }

  @Test("a pause longer than the patience is told instead of waited out")
  func patience() async throws {
    let time = VirtualTime()
    let limit = limit(time)
    limit.pause(seconds: 31)
    await #expect(throws: SourceFailure.throttled(afterSeconds: 31)) { try await limit.take(upTo: 1) }
    #expect(time.sleeps.isEmpty)
    time.advance(.seconds(32))
    _ = try await limit.take(upTo: 1)
  }

  @Test("pauses without the vendor's figure double from 0.2 to 30 seconds, and begin anew after a success")
  func backoff() async throws {
    let time = VirtualTime()
    let limit = limit(time, perSecond: 1_000_000, patience: 3600)
    var waits: [Double] = []
    for _ in 0..<10 {
      limit.pause(seconds: nil)
      // Requests that were under way tell nothing new.
      limit.pause(seconds: nil)
      let before = time.now
      _ = try await limit.take(upTo: 1)
      waits.append(((time.now - before).inSeconds * 10).rounded() / 10)
    }
    #expect(waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30])
    limit.relax()
    limit.pause(seconds: nil)
    let before = time.now
    _ = try await limit.take(upTo: 1)
    #expect((time.now - before).inSeconds < 0.3)
  }

  @Test("a cancelled taker gives its reserved tokens back")
  func cancelled() async throws {
    let time = VirtualTime()
    let limit = limit(time, perSecond: 1, burst: 1)
    _ = try await limit.take(upTo: 1)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await limit.take(upTo: 1)
    }
    await #expect(throws: SourceFailure.transient("the call to OKKI was cancelled")) { try await ended(task) }
    _ = try await limit.take(upTo: 1)
    #expect(time.now == .seconds(1))
  }
}
