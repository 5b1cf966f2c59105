import Curl
import TestSockets
import Testing

@Suite("what became of a request", .timeLimit(.minutes(1)))
struct OutcomeTests {
  @Test("a refused connection means that nothing was sent")
  func refused() async throws {
    let client = try plainClient()
    let outcome = await client.perform(HTTPRequest(.post, "http://127.0.0.1:\(closedPort())/save?token=canary"))
    #expect(outcome.notSent?.kind == .connect)
    #expect(outcome.notSent?.curlCode == 7)
    await client.shutdown()
  }

  @Test("a name that cannot be resolved means that nothing was sent")
  func unresolved() async throws {
    let client = try plainClient()
    // A label of more than 63 bytes is refused without asking anybody.
    let outcome = await client.perform(HTTPRequest(.post, "http://\(String(repeating: "a", count: 64)).invalid/"))
    #expect(outcome.notSent?.kind == .resolve)
    await client.shutdown()
  }

  @Test("a server that does not accept ends as not sent at the connect timeout")
  func connectTimeout() async throws {
    // A listener with a full backlog: the kernel drops further connection attempts.
    let full = FullListener()
    let client = try plainClient { $0.connectTimeoutMilliseconds = 200 }
    let outcome = await client.perform(HTTPRequest(.post, "http://127.0.0.1:\(full.port)/"))
    #expect(outcome.notSent?.kind == .timeout)
    await client.shutdown()
    full.close()
  }

  @Test("no answer within the time is uncertain, and its connection is not used again")
  func timeout() async throws {
    let gate = Gate()
    try await withServer({ request in
      if request.path == "/slow" { gate.pass() }
      return .ok()
    }) { server, client in
      let outcome = await client.perform(HTTPRequest(.post, server.url + "/slow", timeoutMilliseconds: 1_000))
      #expect(outcome.uncertain?.kind == .timeout)
      #expect(await client.perform(HTTPRequest(.get, server.url + "/next")).text == "ok")
      #expect(server.connections == 2)
      gate.open()
    }
  }

  @Test("an answer that stalls half-way ends at the low-speed limit")
  func stall() async throws {
    let gate = Gate()
    try await withServer(
      { request in
        gate.pass()
        return .ok()
      }, options: { $0.lowSpeedSeconds = 1 }
    ) { server, client in
      let outcome = await client.perform(HTTPRequest(.post, server.url + "/slow"))
      #expect(outcome.uncertain?.kind == .timeout)
      gate.open()
    }
  }

  @Test(
    "an answer that ends too early or is no HTTP is uncertain",
    arguments: [
      "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n", "hello\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
    ])
  func truncated(answer: String) async throws {
    try await withServer({ _ in .replyAndClose(Array(answer.utf8)) }) { server, client in
      let outcome = await client.perform(HTTPRequest(.post, server.url + "/save", body: [1]))
      #expect(outcome.uncertain?.kind == .dropped)
      #expect(server.requests.count == 1)
    }
  }

  @Test("every status is a response", arguments: [200, 204, 301, 400, 401, 404, 429, 500, 503])
  func statuses(status: Int) async throws {
    try await withServer({ _ in .status("\(status) X") }) { server, client in
      let outcome = await client.perform(HTTPRequest(.post, server.url + "/save", body: [1]))
      #expect(outcome.response?.status == status)
    }
  }

  @Test("a redirect is not followed", arguments: ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
  func redirect(status: String) async throws {
    try await withServer({ request in
      request.path == "/save" ? .status(status, "", headers: ["Location: /elsewhere"]) : .ok()
    }) { server, client in
      let outcome = await client.perform(HTTPRequest(.post, server.url + "/save", body: [1]))
      #expect(outcome.response?.status == Int(status.prefix(3)))
      #expect(server.requests.map(\.path) == ["/save"])
    }
  }

  @Test("the bodies and the outcomes' order are kept")
  func order() async throws {
    try await withServer(
      { request in .ok("answer to \(request.path)") }, options: { $0.maxConnections = 4 }
    ) { server, client in
      let outcomes = await client.perform((0..<100).map { HTTPRequest(.get, server.url + "/\($0)") })
      #expect(outcomes.map(\.text) == (0..<100).map { "answer to /\($0)" })
      #expect(server.connections <= 4)
      #expect(client.inFlight == 0)
      #expect(client.queued == 0)
    }
  }

  @Test(
    "Retry-After is read as seconds or date, clamped, and nil when absent or unreadable",
    arguments: [
      ("Retry-After: 7", 7), ("Retry-After: 0", 0), ("Retry-After: 99999", 3600),
      ("Retry-After: 99999999999999999999999999", 3600), ("Retry-After: -5", nil), ("Retry-After: soon", nil),
      ("Retry-After: 20301231", 3600), ("Retry-After:", nil), ("Retry-After: 1.5", nil), ("X-Other: 1", nil),
      ("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Retry-After: Fri, 31 Dec 2100 23:59:59 GMT", 3600),
    ] as [(String, Int?)])
  func retryAfter(header: String, seconds: Int?) async throws {
    try await withServer({ _ in .status("429 Slow down", headers: [header]) }) { server, client in
      let outcome = await client.perform(HTTPRequest(.get, server.url))
      #expect(outcome.response?.status == 429)
      #expect(outcome.response?.retryAfterSeconds == seconds)
    }
  }

  @Test(
    "a date in Retry-After is taken from the answer's own Date, whatever this machine's clock says",
    arguments: [
      ("Wed, 21 Oct 2015 07:28:00 GMT", 30), ("Wed, 21 Oct 2015 07:28:30 GMT", 0),
      ("Wed, 21 Oct 2015 09:28:30 GMT", 0), ("Wed, 21 Oct 2015 05:28:29 GMT", 3_600),
      // Then this machine's counts, by which that day is long over.
      ("yesterday", 0), ("", 0),
    ])
  func retryAfterDate(date: String, seconds: Int) async throws {
    let headers = ["Date: \(date)", "Retry-After: Wed, 21 Oct 2015 07:28:30 GMT"]
    try await withServer({ _ in .status("429 Slow down", headers: headers) }) { server, client in
      let outcome = await client.perform(HTTPRequest(.get, server.url))
      #expect(outcome.response?.retryAfterSeconds == seconds)
    }
  }

  @Test("no failure shows the user part, the query or the fragment of its URL")
  func redaction() async throws {
    let client = try plainClient { $0.connectTimeoutMilliseconds = 500 }
    let secrets = "who:canary1@127.0.0.1:\(closedPort())/a/b?token=canary2&x=canary3#canary4"
    let odd = "127.0.0.1:\(closedPort())?canary5"
    let slash = "http://who:canary/canary@127.0.0.1:\(closedPort())/"
    for url in [slash, "http://" + secrets, "https://" + secrets, "http://" + odd, "ftp://" + secrets, "canary6"] {
      let outcome = await client.perform(HTTPRequest(.get, url))
      let failure = try #require(outcome.notSent)
      #expect(!"\(failure)".contains("canary"), "\(failure)")
      #expect(failure.description.hasPrefix("GET "))
    }
    await client.shutdown()
    try await withServer({ _ in .replyAndClose(Array("HTTP/1.1 canary7\r\n\r\n".utf8)) }) { server, client in
      let outcome = await client.perform(HTTPRequest(.post, server.url + "/save?token=canary8"))
      let failure = try #require(outcome.uncertain)
      #expect(failure.description.contains("POST http://127.0.0.1:\(server.port)/save: "))
      #expect(!failure.description.contains("canary"))
    }
  }
}
