import CCurl
import Curl
import Testing

/// libcurl 7.88 by itself repeats a POST on a reused connection that ends without an answer.
@Suite("a request that must go at most once", .timeLimit(.minutes(1)))
struct DoubleSendTests {
  /// Answers whatever comes first on a connection; commits a later /save and drops the connection without a word.
  private static func commitThenDrop(_ request: RawRequest) -> RawAnswer {
    request.number > 1 ? .replyAndClose([]) : .ok()
  }

  @Test(
    "a committed POST on a dropped reused connection is sent once and ends uncertain", arguments: [0, 20, 300_000])
  func sentOnce(size: Int) async throws {
    try await withServer(Self.commitThenDrop, options: { $0.maxConnections = 1 }) { server, client in
      let body = [UInt8](repeating: 120, count: size)
      let outcomes = await client.perform([
        HTTPRequest(.get, server.url + "/warm"), HTTPRequest(.post, server.url + "/save", body: body),
      ])
      #expect(outcomes[0].response?.status == 200)
      #expect(outcomes[1].uncertain?.kind == .dropped)
      #expect(server.requests.filter { $0.path == "/save" }.count == 1)
      #expect(server.talkedConnections == 1)
      #expect(server.requests.last?.body == body)
    }
  }

  @Test(
    "a committed DELETE or PUT on a dropped reused connection is sent once",
    arguments: [HTTPRequest.Method.delete, .put])
  func otherMethods(method: HTTPRequest.Method) async throws {
    try await withServer(Self.commitThenDrop, options: { $0.maxConnections = 1 }) { server, client in
      let outcomes = await client.perform([
        HTTPRequest(.get, server.url + "/warm"), HTTPRequest(method, server.url + "/save"),
      ])
      #expect(outcomes[1].uncertain?.kind == .dropped)
      #expect(server.requests.filter { $0.path == "/save" }.count == 1)
    }
  }

  @Test("a repeatable request on a dropped reused connection is repeated and answered", arguments: [0, 300_000])
  func repeated(size: Int) async throws {
    try await withServer(Self.commitThenDrop, options: { $0.maxConnections = 1 }) { server, client in
      let body = [UInt8](repeating: 120, count: size)
      let outcomes = await client.perform([
        HTTPRequest(.get, server.url + "/warm"),
        HTTPRequest(.post, server.url + "/save", body: body, repeatable: true),
      ])
      #expect(outcomes[1].text == "ok")
      #expect(server.requests.filter { $0.path == "/save" }.map(\.body) == [body, body])
    }
  }

  @Test(
    "after a request that died on a reused connection the next one goes through", arguments: [0, 20, 300_000],
    [HTTPRequest.Method.post, .get])
  func nextRequest(size: Int, next: HTTPRequest.Method) async throws {
    try await withServer(
      { $0.connection == 1 ? Self.commitThenDrop($0) : .ok("next") }, options: { $0.maxConnections = 1 }
    ) { server, client in
      let body = [UInt8](repeating: 120, count: size)
      let outcomes = await client.perform([
        HTTPRequest(.get, server.url + "/warm"), HTTPRequest(.post, server.url + "/save", body: body),
        HTTPRequest(next, server.url + "/next", body: next == .post ? body : []),
      ])
      #expect(outcomes[1].uncertain?.kind == .dropped)
      #expect(outcomes[2].text == "next", "\(outcomes[2])")
      #expect(server.requests.map(\.path) == ["/warm", "/save", "/next"])
    }
  }

  @Test("control: plain libcurl sends the same POST twice and reports success")
  func control() throws {
    let server = RawServer(Self.commitThenDrop)
    defer { server.stop() }
    let easy = try #require(curl_easy_init())
    defer { curl_easy_cleanup(easy) }
    let sink: curl_write_callback = { _, size, count, _ in size * count }
    _ = ferry_curl_set_write(easy, CURLOPT_WRITEFUNCTION, sink)
    _ = ferry_curl_set_long(easy, CURLOPT_NOSIGNAL, 1)
    _ = ferry_curl_set_string(easy, CURLOPT_PROXY, "")
    _ = ferry_curl_set_string(easy, CURLOPT_URL, server.url + "/warm")
    #expect(curl_easy_perform(easy) == CURLE_OK)
    _ = ferry_curl_set_string(easy, CURLOPT_URL, server.url + "/save")
    _ = ferry_curl_set_string(easy, CURLOPT_COPYPOSTFIELDS, "an order")
    #expect(curl_easy_perform(easy) == CURLE_OK)
    #expect(server.requests.filter { $0.path == "/save" }.count == 2)
  }
}
