import Curl
import Glibc
import TestSockets
import Testing

@Suite("headers and body in one segment", .timeLimit(.minutes(1)))
struct JoiningTests {
  /// Answers each request with how many segments with data have come over its connection so far.
  private static func teller() -> LoopbackServer {
    LoopbackServer { _, socket, _ in
      var reader = RequestReader(socket)
      while reader.next() != nil {
        let answer = "\(segments(socket))"
        let head = "HTTP/1.1 200 OK\r\nContent-Length: \(answer.utf8.count)\r\n\r\n"
        guard sendAll(socket, (head + answer).utf8) else { return }
      }
    }
  }

  /// `tcpi_data_segs_in` of Linux's `tcp_info`, of which Glibc's header knows only the beginning.
  private static func segments(_ socket: Int32) -> UInt32 {
    var info = [UInt8](repeating: 0, count: 256)
    var length = socklen_t(info.count)
    guard getsockopt(socket, Int32(IPPROTO_TCP), TCP_INFO, &info, &length) == 0, length >= 156 else { return 0 }
    return info.withUnsafeBytes { $0.load(fromByteOffset: 152, as: UInt32.self) }
  }

  @Test("a body leaves with its headers, on a new connection and on a used one")
  func together() async throws {
    let server = Self.teller()
    let client = try plainClient {
      $0.joinsHeadersAndBody = true
      $0.maxConnections = 1
    }
    let post = HTTPRequest(
      .post, "http://127.0.0.1:\(server.port)/save", body: [UInt8](repeating: 7, count: 300))
    let outcomes = await client.perform(Array(repeating: post, count: 20))
    #expect(outcomes.map(\.text) == (1...20).map { "\($0)" })
    #expect(server.connections == 1)
    await client.shutdown(graceMilliseconds: 0)
    server.stop()
  }

  @Test(
    "bodies of every size arrive whole, one after another on one connection, beside requests without",
    arguments: [0, 1, 2_000, 65_000, 70_000, 300_000, 5_000_000])
  func sizes(size: Int) async throws {
    try await withServer(
      { _ in .ok() },
      options: {
        $0.joinsHeadersAndBody = true
        $0.maxConnections = 1
      }
    ) { server, client in
      let body = [UInt8](repeating: 120, count: size)
      let pair = [HTTPRequest(.post, server.url + "/save", body: body), HTTPRequest(.get, server.url + "/get")]
      #expect(await client.perform(pair + pair).allSatisfy { $0.text == "ok" })
      #expect(server.requests.map(\.body) == [body, [], body, []])
      #expect(server.connections == 1)
    }
  }
}
