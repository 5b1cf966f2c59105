import Curl
import Foundation
import Synchronization
import TestSockets
import Testing

@Suite("TLS", .timeLimit(.minutes(1)))
struct TLSTests {
  @Test("a server with the right name and a certificate of the given authority is answered")
  func trusted() async throws {
    let authority = try Authority()
    defer { authority.remove() }
    let server = try TLSServer(authority, name: "IP:127.0.0.1,DNS:localhost")
    defer { server.stop() }
    let client = try tlsClient(authority.certificate)
    #expect(await client.perform(HTTPRequest(.get, "https://127.0.0.1:\(server.port)/")).response?.status == 200)
    #expect(await client.perform(HTTPRequest(.get, "https://localhost:\(server.port)/")).response?.status == 200)
    await client.shutdown()
  }

  @Test("the end of the certificate is told of each new connection, of no plain one, and of none that was refused")
  func certificateEnd() async throws {
    let authority = try Authority()
    defer { authority.remove() }
    let server = try TLSServer(authority, name: "IP:127.0.0.1", days: 40)
    defer { server.stop() }
    let swapped = try TLSServer(authority, name: "IP:127.0.0.2", days: 30)
    defer { swapped.stop() }
    let (plain, plainToo) = (RawServer { _ in .ok() }, RawServer { _ in .ok() })
    defer {
      plain.stop()
      plainToo.stop()
    }
    let told = Mutex<[Int64]>([])
    var options = CurlOptions()
    options.certificateAuthorityFile = authority.certificate
    options.allowsPlainHTTP = true
    options.onCertificate = { end in told.withLock { $0.append(end) } }
    let client = try CurlClient(options)
    #expect(await client.perform(HTTPRequest(.get, "http://127.0.0.1:\(plain.port)/")).response?.status == 200)
    #expect(await client.perform(HTTPRequest(.get, "https://127.0.0.1:\(swapped.port)/")).notSent?.kind == .tls)
    #expect(told.withLock { $0 } == [])
    // openssl's pages end with their connection: the second handshake takes up the first one's session.
    for _ in 0..<2 {
      #expect(await client.perform(HTTPRequest(.get, "https://127.0.0.1:\(server.port)/")).response?.status == 200)
    }
    // Connected by the handle that made those two.
    #expect(await client.perform(HTTPRequest(.get, "http://127.0.0.1:\(plainToo.port)/")).response?.status == 200)
    await client.shutdown()
    let ends = told.withLock { $0 }
    #expect(ends.count == 2)
    let expected = Int64(Date().timeIntervalSince1970) + 40 * 86_400
    #expect(ends.allSatisfy { expected - 600...expected ~= $0 }, "\(ends), not \(expected)")
  }

  @Test(
    "a certificate for another name, of another authority, expired or self-signed ends as not sent",
    arguments: BadTLS.allCases)
  func refused(bad: BadTLS) async throws {
    try await bad.isRefused { port, authorities in
      let client = try tlsClient(authorities)
      let outcome = await client.perform(HTTPRequest(.post, "https://127.0.0.1:\(port)/?token=canary", body: [1]))
      await client.shutdown()
      #expect(outcome.notSent?.kind == .tls)
      return outcome.notSent?.description
    }
  }

  @Test("without a given authority the system's are asked, which do not know the server's")
  func systemAuthorities() async throws {
    let authority = try Authority()
    defer { authority.remove() }
    let server = try TLSServer(authority, name: "IP:127.0.0.1")
    defer { server.stop() }
    let client = try tlsClient(nil)
    #expect(await client.perform(HTTPRequest(.get, "https://127.0.0.1:\(server.port)/")).notSent?.kind == .tls)
    await client.shutdown()
  }

  @Test("bodies of every size go over TLS both ways, one after another on one connection")
  func bodies() async throws {
    let authority = try Authority()
    defer { authority.remove() }
    let server = try TLSServer(authority, name: "IP:127.0.0.1", isBridge: true)
    defer { server.stop() }
    let client = try tlsClient(authority.certificate)
    // A server of one connection: another one would wait until its time is over.
    for size in [0, 1, 16_000, 16_384, 70_000, 2_000_000] {
      let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 % 251) }
      let answer = (0..<size).map { UInt8(97 + $0 % 7) }
      let head = "HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n"
      let (bodies, took) = AsyncStream<[UInt8]?>.makeStream()
      // It blocks, which no task may.
      Thread.detachNewThread { took.yield(try? server.take(size, answer: Array(head.utf8) + answer)) }
      let outcome = await client.perform(
        HTTPRequest(.post, "https://127.0.0.1:\(server.port)/save", body: body, timeoutMilliseconds: 50_000))
      try #require(outcome.response?.body == answer, "\(outcome)")
      for await taken in bodies {
        #expect(taken == body)
        break
      }
    }
    await client.shutdown()
  }

  @Test("nothing is sent over a connection with TLS whose server has ended meanwhile")
  func ended() async throws {
    let authority = try Authority()
    defer { authority.remove() }
    let server = try TLSServer(authority, name: "IP:127.0.0.1", isBridge: true)
    defer { server.stop() }
    let client = try tlsClient(authority.certificate)
    Thread.detachNewThread {
      _ = try? server.take(1, answer: Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8))
    }
    let save = HTTPRequest(.post, "https://127.0.0.1:\(server.port)/save", body: [1])
    #expect(await client.perform(save).response?.status == 200)
    server.stop()
    #expect(await client.perform(save).notSent?.kind == .connect)
    await client.shutdown()
  }

  @Test("pages that end with their connection are whole, one after another and several at once")
  func pages() async throws {
    let authority = try Authority()
    defer { authority.remove() }
    let server = try TLSServer(authority, name: "IP:127.0.0.1")
    defer { server.stop() }
    let client = try tlsClient(authority.certificate)
    // openssl's pages end with their connection.
    let page = HTTPRequest(.get, "https://127.0.0.1:\(server.port)/")
    for count in [1, 1, 1, 12] {
      for outcome in await client.perform(Array(repeating: page, count: count)) {
        #expect(outcome.response?.status == 200, "\(outcome)")
      }
    }
    await client.shutdown()
  }

  @Test("a server that does not speak TLS ends as not sent")
  func plainServer() async throws {
    let server = RawServer { _ in .ok() }
    let client = try tlsClient(nil)
    // The raw server reads a handshake as a request without an end, so the connect timeout ends it.
    let outcome = await client.perform(
      HTTPRequest(.post, "https://127.0.0.1:\(server.port)/", timeoutMilliseconds: 300))
    #expect(outcome.notSent?.kind == .timeout)
    await client.shutdown()
    server.stop()
  }

  private func tlsClient(_ authority: String?) throws -> CurlClient {
    var options = CurlOptions()
    options.certificateAuthorityFile = authority
    return try CurlClient(options)
  }
}
