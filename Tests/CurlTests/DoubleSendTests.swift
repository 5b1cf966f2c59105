import CCurl
import Curl
import Glibc
import TestSockets
import Testing

/// libcurl 7.88 by itself repeats a POST on a reused connection that ends without an answer.
@Suite("a request that must go at most once", .timeLimit(.minutes(1)))
struct DoubleSendTests {
  /// Answers whatever comes first on a connection; commits a later /save and drops the connection without a word.
  private static func commitThenDrop(_ request: RawRequest) -> RawAnswer {
    request.number > 1 ? .replyAndClose([]) : .ok()
  }

  @Test(
    "a committed POST on a dropped reused connection is sent once and ends uncertain", arguments: [0, 20, 300_000],
    [false, true])
  func sentOnce(size: Int, joined: Bool) async throws {
    try await withServer(
      Self.commitThenDrop,
      options: {
        $0.maxConnections = 1
        $0.joinsHeadersAndBody = joined
      }
    ) { server, client in
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

  /// Ends its first connection as soon as its second request begins; afterwards it answers everything, or is gone.
  private static func killedMidRequest(isGone: Bool) -> LoopbackServer {
    LoopbackServer { server, socket, connection in
      var reader = RequestReader(socket)
      var number = 0
      while reader.next() != nil {
        number += 1
        guard sendAll(socket, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext".utf8) else { return }
        guard connection == 1 else { continue }
        _ = receiveSome(socket)
        if isGone { server.refuse() }
        return
      }
    }
  }

  @Test(
    "after a request that was cut off on a reused connection the next one goes through",
    arguments: [20, 300_000, 5_000_000], [true, false])
  func nextRequest(size: Int, isGone: Bool) async throws {
    let server = Self.killedMidRequest(isGone: isGone)
    let other = Self.killedMidRequest(isGone: false)
    let client = try plainClient { $0.maxConnections = 1 }
    let url = "http://127.0.0.1:\(server.port)"
    let body = [UInt8](repeating: 120, count: size)
    let outcomes = await client.perform([
      HTTPRequest(.get, url + "/warm"), HTTPRequest(.post, url + "/save", body: body),
      HTTPRequest(.post, "http://127.0.0.1:\(other.port)/next", body: body),
    ])
    #expect(outcomes[0].text == "next")
    #expect(outcomes[1].uncertain != nil, "\(outcomes[1])")
    // libcurl means to rewind before it repeats; where it cannot connect for that, the wish outlives the transfer.
    #expect(outcomes[2].text == "next", "\(outcomes[2])")
    await client.shutdown(graceMilliseconds: 0)
    server.stop()
    other.stop()
  }

  @Test("control: plain libcurl sends the same POST twice and reports success")
  func control() throws {
    let server = RawServer(Self.commitThenDrop)
    defer { server.stop() }
    let easy = try #require(curl_easy_init())
    defer { curl_easy_cleanup(easy) }
    let sink = try #require(fopen("/dev/null", "w"))
    defer { fclose(sink) }
    _ = ferry_curl_set_pointer(easy, CURLOPT_WRITEDATA, sink)
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
