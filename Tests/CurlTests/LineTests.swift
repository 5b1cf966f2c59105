import Glibc
import TestSockets
import Testing

@testable import Curl

@Suite("connections that carry one request after another", .timeLimit(.minutes(1)))
struct LineTests {
  /// Runs a test against a server that does what `serve` says with each connection.
  private func with(
    _ serve: @escaping LoopbackServer.Serve, options: (inout CurlOptions) -> Void = { _ in },
    _ body: (LoopbackServer, CurlClient, String) async throws -> Void
  ) async throws {
    let server = LoopbackServer(serve)
    let client = try plainClient {
      $0.maxConnections = 1
      options(&$0)
    }
    try await body(server, client, "http://127.0.0.1:\(server.port)")
    await client.shutdown(graceMilliseconds: 0)
    server.stop()
  }

  private static let ok = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8)

  @Test(
    "bytes behind an answer end its connection, whether they come with it or later", arguments: [false, true])
  func stray(later: Bool) async throws {
    let (strays, strayed) = AsyncStream<Void>.makeStream()
    let gate = Gate()
    try await with({ _, socket, _ in
      var reader = RequestReader(socket)
      guard reader.next() != nil else { return }
      let stray = Array("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".utf8)
      _ = sendAll(socket, later ? Self.ok : Self.ok + stray)
      if later {
        gate.pass()
        _ = sendAll(socket, stray)
        strayed.yield()
      }
      while reader.next() != nil { _ = sendAll(socket, stray) }
    }) { server, client, url in
      var ends = strays.makeAsyncIterator()
      for number in 1...3 {
        #expect(await client.perform(HTTPRequest(.post, url + "/\(number)", body: [1])).text == "ok")
        if later {
          gate.open()
          _ = await ends.next()
        }
      }
      #expect(server.connections == 3)
    }
  }

  @Test(
    "an answer that says so ends its connection",
    arguments: ["HTTP/1.1 200 OK\r\nConnection: close", "HTTP/1.0 200 OK"])
  func close(head: String) async throws {
    try await with({ _, socket, _ in
      var reader = RequestReader(socket)
      while reader.next() != nil { _ = sendAll(socket, Array("\(head)\r\nContent-Length: 2\r\n\r\nok".utf8)) }
    }) { server, client, url in
      for _ in 0..<3 { #expect(await client.perform(HTTPRequest(.post, url)).text == "ok") }
      #expect(server.connections == 3)
    }
  }

  @Test("interim answers and chunks with extensions and trailers leave the connection as it was")
  func chunks() async throws {
    try await with({ _, socket, _ in
      var reader = RequestReader(socket)
      while reader.next() != nil {
        for part in [
          "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 X\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-",
          "Encoding: chunked\r\n",
          "\r\n1;a=b\r\no\r\n", "1\r", "\nk\r\n0\r\nX-Sum: 5\r\n", "\r\n",
        ] { _ = sendAll(socket, part.utf8) }
      }
    }) { server, client, url in
      for _ in 0..<5 { #expect(await client.perform(HTTPRequest(.post, url, body: [1])).text == "ok") }
      #expect(server.connections == 1)
    }
  }

  @Test(
    "an answer that comes before the request is sent is an answer, and ends the connection", arguments: [false, true])
  func early(closes: Bool) async throws {
    let gate = Gate()
    try await with({ _, socket, connection in
      var reader = RequestReader(socket)
      guard connection == 1 else {
        while reader.next() != nil { _ = sendAll(socket, Self.ok) }
        return
      }
      _ = receiveSome(socket)
      _ = sendAll(socket, "HTTP/1.1 413 Large\r\nContent-Length: 5\r\n\r\nlarge".utf8)
      if closes { Glibc.shutdown(socket, Int32(SHUT_RDWR)) } else { gate.pass() }
    }) { server, client, url in
      let large = [UInt8](repeating: 1, count: 30_000_000)
      let outcome = await client.perform(HTTPRequest(.post, url, body: large))
      #expect(outcome.response?.status == 413, "\(outcome)")
      #expect(outcome.text == "large")
      #expect(await client.perform(HTTPRequest(.post, url)).text == "ok")
      #expect(server.connections == 2)
      gate.open()
    }
  }

  @Test(
    "an answer that came whole before the connection broke under its request is one; where only the end tells, it is none",
    arguments: [true, false])
  func broken(tellsItsLength: Bool) async throws {
    let (begins, begun) = AsyncStream<Void>.makeStream()
    let (resets, wasReset) = AsyncStream<Void>.makeStream()
    let (holds, held) = AsyncStream<Void>.makeStream()
    let (answering, holding) = (Gate(), Gate())
    try await with(
      { _, socket, _ in
        guard String(decoding: receiveSome(socket), as: UTF8.self).hasPrefix("POST /large") else {
          _ = sendAll(socket, Self.ok)
          return
        }
        begun.yield()
        answering.pass()
        _ = sendAll(socket, "HTTP/1.1 413 Large\r\n\(tellsItsLength ? "Content-Length: 5\r\n" : "")\r\nlarge".utf8)
        reset(socket)
        wasReset.yield()
      },
      options: {
        $0.maxConnections = 2
        // Holds the client's thread up, so that it sees the answer and the end at once.
        $0.steer = { ended in
          if ended.request.url.hasSuffix("/hold") {
            held.yield()
            holding.pass()
          }
          return 2
        }
      }
    ) { server, client, url in
      let large = HTTPRequest(.post, url + "/large", body: [UInt8](repeating: 1, count: 30_000_000))
      async let outcome = client.perform(large)
      var signals = [begins, holds, resets].map { $0.makeAsyncIterator() }
      _ = await signals[0].next()
      async let other = client.perform(HTTPRequest(.get, url + "/hold"))
      _ = await signals[1].next()
      answering.open()
      _ = await signals[2].next()
      holding.open()
      if tellsItsLength {
        #expect(await outcome.text == "large")
      } else {
        #expect(await outcome.uncertain?.kind == .dropped)
      }
      #expect(await other.text == "ok")
    }
  }

  @Test("a body that ends with its connection is whole when the peer has closed its half, and only then")
  func halfClosed() async throws {
    let gate = Gate()
    try await with({ _, socket, connection in
      var reader = RequestReader(socket)
      guard let request = reader.next() else { return }
      _ = sendAll(socket, "HTTP/1.1 200 OK\r\n\r\nhel".utf8)
      _ = sendAll(socket, "lo".utf8)
      if request.target == "/reset" { return reset(socket) }
      Glibc.shutdown(socket, Int32(SHUT_WR))
      gate.pass()
    }) { server, client, url in
      #expect(await client.perform(HTTPRequest(.post, url + "/half")).text == "hello")
      gate.open()
      #expect(await client.perform(HTTPRequest(.post, url + "/reset")).uncertain?.kind == .dropped)
      #expect(server.connections == 2)
    }
  }

  @Test(
    "a connection that is reset amid an answer, or before it, leaves a request that goes once uncertain",
    arguments: [0, 20, 40])
  func resets(size: Int) async throws {
    try await with({ _, socket, _ in
      var reader = RequestReader(socket)
      var answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel".utf8)
      guard let request = reader.next() else { return }
      if request.target == "/first" {
        _ = sendAll(socket, Self.ok)
        guard reader.next() != nil else { return }
      } else {
        answer = Self.ok
      }
      _ = sendAll(socket, answer.prefix(request.target == "/first" ? size : answer.count))
      if request.target == "/first" { reset(socket) }
    }) { server, client, url in
      #expect(await client.perform(HTTPRequest(.post, url + "/first")).text == "ok")
      #expect(await client.perform(HTTPRequest(.post, url + "/reset", body: [1])).uncertain?.kind == .dropped)
      #expect(await client.perform(HTTPRequest(.post, url + "/next")).text == "ok")
      #expect(server.connections == 2)
    }
  }

  @Test("a repeatable request whose answer was begun is not repeated")
  func begun() async throws {
    try await with({ _, socket, _ in
      var reader = RequestReader(socket)
      guard reader.next() != nil, sendAll(socket, Self.ok), reader.next() != nil else { return }
      _ = sendAll(socket, "H".utf8)
    }) { server, client, url in
      #expect(await client.perform(HTTPRequest(.get, url)).text == "ok")
      #expect(await client.perform(HTTPRequest(.get, url)).uncertain?.kind == .dropped)
      #expect(server.connections == 1)
    }
  }

  @Test("a repeatable request is repeated once")
  func once() async throws {
    try await with({ _, socket, connection in
      var reader = RequestReader(socket)
      guard reader.next() != nil else { return }
      if connection == 1, sendAll(socket, Self.ok) { _ = reader.next() }
    }) { server, client, url in
      #expect(await client.perform(HTTPRequest(.get, url)).text == "ok")
      #expect(await client.perform(HTTPRequest(.get, url)).uncertain?.kind == .dropped)
      #expect(server.connections == 2)
    }
  }

  @Test("a repeatable request that cannot be repeated is uncertain: it may have been sent")
  func gone() async throws {
    try await with({ server, socket, _ in
      var reader = RequestReader(socket)
      guard reader.next() != nil, sendAll(socket, Self.ok), reader.next() != nil else { return }
      server.refuse()
    }) { server, client, url in
      #expect(await client.perform(HTTPRequest(.get, url)).text == "ok")
      #expect(await client.perform(HTTPRequest(.get, url)).uncertain?.kind == .connect)
    }
  }

  @Test("there are never more connections than allowed: one that idles makes room for another server's")
  func room() async throws {
    let (closings, closed) = AsyncStream<Void>.makeStream()
    try await with({ _, socket, _ in
      var reader = RequestReader(socket)
      while reader.next() != nil { _ = sendAll(socket, Self.ok) }
      closed.yield()
    }) { server, client, url in
      let other = "http://localhost:\(server.port)"
      var ends = closings.makeAsyncIterator()
      for number in 0..<4 {
        #expect(await client.perform(HTTPRequest(.post, number % 2 == 0 ? url : other)).text == "ok")
        if number > 0 { _ = await ends.next() }
      }
      #expect(server.connections == 4)
    }
  }

  @Test("a connection that its peer ends while it idles is closed without waiting for a request")
  func closedAtOnce() async throws {
    let (closings, closed) = AsyncStream<Void>.makeStream()
    let answered = Gate()
    try await with({ _, socket, _ in
      var reader = RequestReader(socket)
      guard reader.next() != nil, sendAll(socket, Self.ok) else { return }
      answered.pass()
      Glibc.shutdown(socket, Int32(SHUT_WR))
      // Ends when the client has closed its half.
      if receiveSome(socket).isEmpty { closed.yield() }
    }) { server, client, url in
      #expect(await client.perform(HTTPRequest(.post, url)).text == "ok")
      answered.open()
      var ends = closings.makeAsyncIterator()
      #expect(await ends.next() != nil)
    }
  }

  @Test("a connection is not used again when it is old, or has idled for long")
  func fresh() {
    var options = CurlOptions()
    options.idleConnectionSeconds = 20
    options.maxConnectionLifetimeSeconds = 300
    let start = ContinuousClock.now
    let line = HTTPLine(plain: -1, "http://a.test:80/", start)
    #expect(line.isFresh(start + .seconds(20), options))
    #expect(!line.isFresh(start + .seconds(21), options))
    line.idleSince = start + .seconds(290)
    #expect(line.isFresh(start + .seconds(300), options))
    #expect(!line.isFresh(start + .seconds(301), options))
  }

  @Test("a socket is quiet until a byte or an end comes")
  func quiet() {
    var room = [UInt8](repeating: 0, count: 16)
    for ends in [false, true] {
      var pair: [Int32] = [-1, -1]
      #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
      let line = HTTPLine(plain: pair[0], "http://a.test:80/", .now)
      #expect(line.isQuiet(&room))
      if ends { Glibc.close(pair[1]) } else { #expect(sendAll(pair[1], [1])) }
      #expect(!line.isQuiet(&room))
      #expect(line.send([1], [], from: 0) == (ends ? .broken : .moved(1)))
      _ = line.end()
      if !ends { Glibc.close(pair[1]) }
    }
  }
}

/// Has the connection reset: to close it discards what was not sent, and the peer is told so.
private func reset(_ socket: Int32) {
  // The descriptor is the server's to close; an unconnected address resets at once.
  var nowhere = sockaddr()
  nowhere.sa_family = sa_family_t(AF_UNSPEC)
  connect(socket, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
}
