import Orders
import Pipeline
import PipelineTesting
import Synchronization
import TestSockets
import Testing

@testable import OKKI

@Suite("OKKI's client", .timeLimit(.minutes(2)))
struct ClientTests {
  @Test("one token serves all requests, and many callers at the start cause one token request")
  func oneToken() async throws {
    try await withOKKI { request, _ in
      .ok(details(request))
    } test: { source, server in
      await withTaskGroup(of: Bool.self) { group in
        for number in 1...20 as ClosedRange<Int64> {
          group.addTask {
            await source.details(of: ids(number * 10...number * 10 + 4)).allSatisfy { $0.failure == nil }
          }
        }
        for await good in group { #expect(good) }
      }
      #expect(server.count(tokenPath) == 1)
      #expect(server.count(infoPath) == 100)
      let form = server.requests.first { $0.path == tokenPath }
      #expect(
        form?.body
          == "grant_type=client_credentials&client_id=ferry-demo&client_secret=ferry-demo-secret&scope=invoices%20company"
      )
    }
  }

  static let refusals: [ScriptedServer.Answer] = [
    .status(401, #"{"error":"access_denied","message":"denied"}"#), .status(401, "<html>"),
    .ok(#"{"error":"access_denied"}"#), .ok(#"{"code":401,"message":"expired"}"#),
  ]

  @Test(
    "when a token is revoked, many callers cause one refresh and every request is repeated once", arguments: refusals)
  func revoked(refusal: ScriptedServer.Answer) async throws {
    try await withOKKI { request, _ in
      request.headers["authorization"] == "Bearer T1" ? refusal : .ok(details(request))
    } test: { source, server in
      await withTaskGroup(of: Bool.self) { group in
        for number in 1...20 as ClosedRange<Int64> {
          group.addTask {
            await source.details(of: ids(number * 10...number * 10 + 4)).allSatisfy { $0.failure == nil }
          }
        }
        for await good in group { #expect(good) }
      }
      #expect(server.count(tokenPath) == 2)
      let answered = server.requests.filter { $0.headers["authorization"] == "Bearer T2" }
      #expect(Set(answered.compactMap { $0.parameter("order_id") }).count == 100 && answered.count == 100)
    }
  }

  @Test("a token that is refused again after the refresh is a matter for people, and is not asked for endlessly")
  func refusedAgain() async throws {
    try await withOKKI { _, _ in
      .status(401)
    } test: { source, server in
      guard case .unauthorized = await source.details(of: ids(1...1))[0].failure else {
        Issue.record("a token that is always refused is unauthorised")
        return
      }
      #expect(server.count(tokenPath) == 2 && server.count(infoPath) == 2)
    }
  }

  @Test("wrong credentials are told without repeats, and the secret is in no error")
  func wrongCredentials() async throws {
    let refusal = #"{"error":"invalid_client","access_token":"T/1","message":"not ferry-demo-secret T\/1 T/1 T%2F1"}"#
    try await withOKKI(token: refusal) { _, _ in
      .drop
    } test: { source, server in
      let failure = await source.details(of: ids(1...1))[0].failure
      let answer = #"{"error":"invalid_client","access_token":"***","message":"not *** *** *** ***"}"#
      #expect(failure == .unauthorized("OKKI answered invalid_client", answer: answer))
      #expect(server.count(tokenPath) == 1)
      #expect(!String(reflecting: source.client.options).contains("ferry-demo-secret"))
      var dumped = ""
      dump(source.client.options, to: &dumped)
      #expect(!dumped.contains("ferry-demo-secret"))
    }
  }

  @Test(
    "a token is renewed five minutes early; without expires_in it lives for eight hours; a short one for half its life",
    arguments: [
      (#""expires_in":28800,"#, 28_500), (#""expires_in":"3600","#, 3_300), ("", 28_500), (#""expires_in":60,"#, 30),
      (#""expires_in":0,"#, 1),
    ])
  func renewal(life: String, seconds: Int) async throws {
    let time = VirtualTime()
    try await withOKKI(time: time, token: #"{\#(life)"access_token":"T1"}"#) { request, _ in
      .ok(details(request))
    } test: { source, server in
      _ = await source.details(of: ids(1...1))
      time.advance(.seconds(seconds) - .milliseconds(1))
      _ = await source.details(of: ids(1...1))
      #expect(server.count(tokenPath) == 1)
      time.advance(.milliseconds(1))
      _ = await source.details(of: ids(1...1))
      #expect(server.count(tokenPath) == 2)
    }
  }

  @Test("a token that cannot stand in a header is not used", arguments: ["", "a b", "a\\nb", "a\\r\\nX: y"])
  func badToken(token: String) async throws {
    try await withOKKI(token: #"{"access_token":"\#(token)"}"#, change: { $0.retries = 0 }) { _, _ in
      .drop
    } test: { source, server in
      guard case .transient = await source.details(of: ids(1...1))[0].failure else {
        Issue.record("such a token must not be used")
        return
      }
      #expect(server.requests.count == 1)
    }
  }

  @Test("failures of the moment are asked again: at once, then after growing waits, so often and no more")
  func repeats() async throws {
    let time = VirtualTime()
    try await withOKKI(time: time) { _, _ in
      .status(502)
    } test: { source, server in
      guard case .transient = await source.details(of: ids(1...1))[0].failure else {
        Issue.record("a server error is transient")
        return
      }
      #expect(server.count(infoPath) == 5)
      #expect(time.sleeps == [.milliseconds(200), .milliseconds(400), .milliseconds(800)])
    }
  }

  @Test("only what failed is asked again, and results keep their order")
  func repeatsFailures() async throws {
    let failed = Mutex<Set<String>>([])
    try await withOKKI { request, _ in
      let id = request.parameter("order_id") ?? ""
      let isFirst = failed.withLock { $0.insert(id).inserted }
      if id.hasSuffix("3"), isFirst { return .ok(#"{"code":200,"data":{"order_id":"#) }
      return id.hasSuffix("5") ? .ok(#"{"code":404,"message":"Not Found Resource"}"#) : .ok(details(request))
    } test: { source, server in
      let asked = ids(1...200)
      let results = await source.details(of: asked)
      for (id, result) in zip(asked, results) {
        if id.description.hasSuffix("5") {
          #expect(result.failure == .absent)
        } else {
          #expect((try? result.get())?.id == id)
        }
      }
      #expect(server.count(infoPath) == 220)
    }
  }

  @Test("oversized answers and missing rights are not asked again")
  func final() async throws {
    try await withOKKI(change: { $0.maxOrderBytes = 100 }) { _, _ in
      .ok(envelope(#"{"x":"\#(String(repeating: "x", count: 5_000))"}"#))
    } test: { source, server in
      _ = await source.details(of: ids(1...1))
      #expect(server.count(infoPath) == 1)
    }
  }

  @Test("no more requests are under way than allowed")
  func bounded() async throws {
    try await withOKKI(change: { $0.concurrency = 3 }) { request, _ in
      .ok(details(request))
    } test: { source, server in
      #expect(await source.details(of: ids(1...300)).allSatisfy { $0.failure == nil })
      #expect(1...3 ~= server.mostAtOnce)
    }
  }

  @Test("requests keep the rate, repeats and token requests included")
  func rate() async throws {
    let time = VirtualTime()
    try await withOKKI(
      time: time,
      change: { options in
        options.ratePerSecond = 10
        options.burst = 1
      }
    ) { request, number in
      number == 1 ? .status(500) : .ok(details(request))
    } test: { source, server in
      #expect(await source.details(of: ids(1...20)).allSatisfy { $0.failure == nil })
      // One token request, 20 questions, one repeat; the first is free.
      #expect(server.requests.count == 22)
      #expect(time.now == .milliseconds(2_100))
    }
  }

  @Test("repeats with a new token keep the rate too")
  func rateOfRefreshed() async throws {
    let time = VirtualTime()
    try await withOKKI(
      time: time,
      change: { options in
        options.ratePerSecond = 10
        options.burst = 9
      }
    ) { request, _ in
      request.headers["authorization"] == "Bearer T1" ? .status(401) : .ok(details(request))
    } test: { source, server in
      #expect(await source.details(of: ids(1...8)).allSatisfy { $0.failure == nil })
      // Two token requests and sixteen questions, nine of all these at once.
      #expect(server.requests.count == 18)
      #expect(time.now == .milliseconds(900))
    }
  }

  @Test("being throttled stops all requests for as long as the vendor says, and then they succeed")
  func throttled() async throws {
    let time = VirtualTime()
    try await withOKKI(time: time) { request, number in
      number == 1 ? .status(429, headers: ["Retry-After: 9"]) : .ok(details(request))
    } test: { source, _ in
      #expect(await source.details(of: ids(1...4)).allSatisfy { $0.failure == nil })
      #expect(time.now >= .seconds(9) && time.now < .seconds(10))
    }
  }

  @Test("a pause longer than the patience ends the call with what the vendor said, without waiting")
  func impatient() async throws {
    let time = VirtualTime()
    try await withOKKI(time: time) { _, _ in
      .status(429, headers: ["Retry-After: 600"])
    } test: { source, server in
      let failures = await source.details(of: ids(1...100)).map(\.failure)
      #expect(failures.allSatisfy { $0 == .throttled(afterSeconds: 600) })
      #expect(time.now == .zero)
      #expect(server.count(infoPath) <= 16)
    }
  }

  @Test("a server that is away is transient, and options out of range are refused")
  func away() async throws {
    let url = "http://127.0.0.1:1"
    try await withScriptedServer { _ in
      .drop
    } _: { server in
      server.refuse()
      let away = try OKKIOrderSource(options(server.url), time: VirtualTime().keeper)
      guard case .transient = await away.details(of: ids(1...1))[0].failure else {
        Issue.record("a refused connection is transient")
        return
      }
      await away.close()
    }
    #expect(throws: SetupProblem.self) { try OKKIOrderSource(options(url) { $0.clientSecret = "" }) }
    #expect(throws: SetupProblem.self) { try OKKIOrderSource(options(url) { $0.ratePerSecond = 0 }) }
    #expect(throws: SetupProblem.self) { try OKKIOrderSource(options(url) { $0.certificateAuthorityFile = "/none" }) }
  }

  @Test("the end of each request is told, of those for a token too: a call of many is not taken for stuck")
  func progress() async throws {
    let ends = Probe<Void>()
    try await withScriptedServer { _ in
      .status(500)
    } _: { server in
      let source = try OKKIOrderSource(
        options(server.url) { $0.onProgress = { ends.report(()) } }, time: VirtualTime().keeper)
      guard case .transient = await source.details(of: ids(1...1))[0].failure else {
        Issue.record("no token is transient")
        return
      }
      #expect(server.count("/v1/oauth2/access_token") == server.requests.count)
      #expect(server.requests.count > 1)
      #expect(ends.events.count == server.requests.count)
      await source.close()
    }
  }

  @Test("a cancelled call ends, with a result for every order")
  func cancelled() async throws {
    try await withOKKI { request, _ in
      .ok(details(request))
    } test: { source, _ in
      let task = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return await source.details(of: ids(1...50))
      }
      let results = try await ended(task)
      #expect(results.count == 50)
      for result in results {
        guard case .transient = result.failure else {
          Issue.record("cancelled work is transient")
          return
        }
      }
    }
  }
}
