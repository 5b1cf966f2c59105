import Curl
import Foundation
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

  @Test(
    "a certificate for another name, of another authority, expired or self-signed ends as not sent",
    arguments: Bad.allCases)
  func refused(bad: Bad) async throws {
    let (authority, other) = (try Authority(), try Authority())
    defer {
      authority.remove()
      other.remove()
    }
    let server =
      switch bad {
      case .otherName: try TLSServer(authority, name: "DNS:elsewhere.test")
      case .otherAddress: try TLSServer(authority, name: "IP:127.0.0.2")
      case .otherAuthority: try TLSServer(other, name: "IP:127.0.0.1")
      case .expired: try TLSServer(authority, name: "IP:127.0.0.1", days: -1)
      case .selfSigned: try TLSServer(nil, name: "IP:127.0.0.1")
      case .oldVersion:
        try TLSServer(authority, name: "IP:127.0.0.1", flags: ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
      }
    defer { server.stop() }
    let client = try tlsClient(authority.certificate)
    let outcome = await client.perform(HTTPRequest(.post, "https://127.0.0.1:\(server.port)/?token=canary", body: [1]))
    let failure = try #require(outcome.notSent)
    #expect(failure.kind == .tls)
    #expect(!failure.description.contains("canary"))
    await client.shutdown()
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

  enum Bad: CaseIterable { case otherName, otherAddress, otherAuthority, expired, selfSigned, oldVersion }

  private func tlsClient(_ authority: String?) throws -> CurlClient {
    var options = CurlOptions()
    options.certificateAuthorityFile = authority
    return try CurlClient(options)
  }
}
