import Curl
import Foundation
import TestSockets
import Testing

@Suite("what goes over the wire", .timeLimit(.minutes(1)))
struct RequestTests {
  @Test("method, path, headers and body arrive as given, with nothing added that would disturb")
  func onTheWire() async throws {
    try await withServer({ _ in .ok() }, options: { $0.userAgent = "ferry-test" }) { server, client in
      let headers = [
        HTTPHeader("X-One", "a, b"), HTTPHeader("X-Empty", ""), HTTPHeader("Content-Type", "application/json"),
      ]
      let big = [UInt8](repeating: 65, count: 3 << 20)
      _ = await client.perform(HTTPRequest(.post, server.url + "/p?q=%20", headers: headers, body: big))
      _ = await client.perform(HTTPRequest(.post, server.url + "/empty"))
      _ = await client.perform(HTTPRequest(.put, server.url + "/put", body: Array("x".utf8)))
      _ = await client.perform(HTTPRequest(.delete, server.url + "/delete"))
      _ = await client.perform(HTTPRequest(.delete, server.url + "/delete-body", body: Array("y".utf8)))
      _ = await client.perform(HTTPRequest(.get, server.url + "/get"))
      let seen = server.requests
      #expect(
        seen.map { String($0.head.prefix { $0 != "\r\n" }) } == [
          "POST /p?q=%20 HTTP/1.1", "POST /empty HTTP/1.1", "PUT /put HTTP/1.1", "DELETE /delete HTTP/1.1",
          "DELETE /delete-body HTTP/1.1", "GET /get HTTP/1.1",
        ])
      #expect(seen.map(\.body.count) == [3 << 20, 0, 1, 0, 1, 0])
      #expect(seen[0].body == big)
      #expect(seen[0].header("X-One") == "a, b")
      #expect(seen[0].header("X-Empty") == "")
      #expect(seen[0].header("Content-Type") == "application/json")
      #expect(seen[1].header("Content-Length") == "0")
      for request in seen {
        #expect(request.header("Expect") == nil)
        #expect(request.header("User-Agent") == "ferry-test")
        #expect(request.header("Accept-Encoding") == "gzip")
      }
      for request in seen.dropFirst() {
        #expect(request.header("Content-Type") == nil)
        #expect(request.header("X-One") == nil)
      }
      #expect(server.connections == 1)
    }
  }

  @Test(
    "CR, LF, NUL and other line-breaking tricks are refused before anything is sent",
    arguments: [
      HTTPHeader("X-A", "a\r\nX-B: b"), HTTPHeader("X-A", "a\nb"), HTTPHeader("X-A", "a\rb"), HTTPHeader("X-A", "a\0b"),
      HTTPHeader("X-A\r\n", "a"), HTTPHeader("X A", "a"), HTTPHeader("X-A:", "a"), HTTPHeader("", "a"),
      HTTPHeader("X-Ä", "a"), HTTPHeader("Content-Length", "5"), HTTPHeader("transfer-encoding", "chunked"),
    ])
  func headerInjection(header: HTTPHeader) async throws {
    try await withServer({ _ in .ok() }) { server, client in
      let outcome = await client.perform(HTTPRequest(.get, server.url, headers: [header]))
      #expect(outcome.notSent?.kind == .invalid)
      #expect(server.connections == 0)
    }
  }

  @Test(
    "URLs with control, blank or non-ASCII characters are refused",
    arguments: ["/a\r\nX: y", "/a\n", "/a\0b", "/a b", "/ä", "/a\tb", "/\u{7f}"])
  func urlInjection(path: String) async throws {
    try await withServer({ _ in .ok() }) { server, client in
      let outcome = await client.perform(HTTPRequest(.get, server.url + path))
      #expect(outcome.notSent?.kind == .invalid)
      #expect(server.connections == 0)
    }
  }

  @Test("a GET with a body and a timeout out of range are refused")
  func oddRequests() async throws {
    try await withServer({ _ in .ok() }) { server, client in
      let outcomes = await client.perform([
        HTTPRequest(.get, server.url, body: [1]), HTTPRequest(.get, server.url, timeoutMilliseconds: 0),
        HTTPRequest(.get, server.url, timeoutMilliseconds: 3_600_001), HTTPRequest(.get, server.url),
      ])
      #expect(outcomes.map { $0.notSent?.kind } == [.invalid, .invalid, .invalid, nil])
      #expect(outcomes[3].text == "ok")
    }
  }

  @Test("http is refused unless allowed, other schemes always", arguments: [false, true])
  func schemes(plain: Bool) async throws {
    let server = RawServer { _ in .ok() }
    let client = try plainClient { $0.allowsPlainHTTP = plain }
    #expect(await client.perform(HTTPRequest(.get, server.url)).notSent?.kind == (plain ? nil : .invalid))
    #expect(
      await client.perform(HTTPRequest(.get, "HTTP://127.0.0.1:\(server.port)")).notSent?.kind
        == (plain ? nil : .invalid))
    for scheme in ["ftp", "file", "gopher", "httpx", "dict"] {
      #expect(
        await client.perform(HTTPRequest(.get, "\(scheme)://127.0.0.1:\(server.port)/")).notSent?.kind == .invalid)
    }
    #expect(server.requests.count == (plain ? 2 : 0))
    await client.shutdown()
    server.stop()
  }

  @Test("the environment's proxy is not used")
  func proxy() async {
    // In a process of its own, because the environment belongs to all tests.
    await #expect(processExitsWith: .success) {
      for name in ["http_proxy", "all_proxy", "ALL_PROXY"] { setenv(name, "http://127.0.0.1:\(closedPort())", 1) }
      try await withServer({ _ in .ok() }) { server, client in
        let outcome = await client.perform(HTTPRequest(.get, server.url))
        try #require(outcome.text == "ok")
      }
    }
  }

  @Test("options out of range and an unreadable CA file are refused")
  func options() {
    let changes: [(inout CurlOptions) -> Void] = [
      { $0.maxConnections = 0 }, { $0.maxConnections = 1025 }, { $0.connectTimeoutMilliseconds = 0 },
      { $0.maxResponseBytes = -1 }, { $0.idleConnectionSeconds = 0 }, { $0.lowSpeedSeconds = -1 },
      { $0.userAgent = "a\r\nb" }, { $0.certificateAuthorityFile = "/nowhere/ca.pem" },
    ]
    for change in changes {
      #expect { try plainClient(change) } throws: { ($0 as? HTTPFailure)?.kind == .invalid }
    }
  }

  @Test("everything but RFC 3986's unreserved characters is percent-encoded")
  func encoding() {
    #expect(percentEncoded(query: "AZaz09-._~") == "AZaz09-._~")
    #expect(percentEncoded(query: "a b&c=d+e/f?g#h%i\r\n\0") == "a%20b%26c%3Dd%2Be%2Ff%3Fg%23h%25i%0D%0A%00")
    #expect(percentEncoded(query: "订单") == "%E8%AE%A2%E5%8D%95")
    #expect(percentEncoded(query: "") == "")
  }
}
