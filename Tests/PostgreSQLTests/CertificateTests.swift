import Foundation
import Glibc
import PostgreSQL
import Synchronization
import TestSockets
import Testing

extension PostgreSQLTests {
  /// The real server with TLS, and servers in its place that must be refused.
  @Suite("Certificates of PostgreSQL", .timeLimit(.minutes(1)))
  struct CertificateTests {
    private func variable(_ name: String) throws -> String {
      guard let value = ProcessInfo.processInfo.environment[name] else { throw NoServer() }
      return value
    }

    /// The real server, under this host and with these parameters.
    private func url(_ host: String, _ query: String) throws -> String {
      try serverURL { parts in
        parts.host = host
        parts.query = query
      }
    }

    private func options(_ url: String, _ authorities: String?) -> PostgresOptions {
      var options = PostgresOptions(url: url)
      options.certificateAuthorityFile = authorities
      options.connections = 1
      return options
    }

    /// The version of TLS that a connection speaks; nil in the clear.
    private func encryption(_ options: PostgresOptions) async throws -> String? {
      let client = PostgresClient(options)
      let result: Result<PostgresRows, PostgresFailure>
      do throws(PostgresFailure) {
        result = .success(
          try await client.run(
            PostgresStatement("select version from pg_stat_ssl where pid = pg_backend_pid() and ssl")))
      } catch { result = .failure(error) }
      await client.close()
      let rows = try result.get()
      return rows.count > 0 ? rows[0, 0] : nil
    }

    private func refusal(_ options: PostgresOptions) async -> String? {
      let refused = await failure { _ = try await encryption(options) }
      guard case .unreachable? = refused else { return refused.map { "another failure: \($0)" } }
      return refused?.description
    }

    @Test(
      "a certificate of the given authority is trusted, by name and by address", arguments: ["127.0.0.1", "localhost"])
    func trusted(host: String) async throws {
      let authority = try variable("FERRY_TEST_CA_FILE")
      #expect(try await encryption(options(try url(host, "sslmode=verify-full"), authority)) == "TLSv1.3")
    }

    @Test("the end of the server's own certificate is told of each connection, and of none in the clear or refused")
    func endOfCertificate() async throws {
      let authority = try variable("FERRY_TEST_CA_FILE")
      let file = URL(fileURLWithPath: authority).deletingLastPathComponent().appendingPathComponent("server.pem").path
      let other = try Authority()
      defer { other.remove() }
      let told = Mutex<[Int64]>([])
      func telling(_ mode: String, _ authorities: String) throws -> PostgresOptions {
        var options = options(try url("127.0.0.1", "sslmode=\(mode)"), authorities)
        options.onCertificate = { end in told.withLock { $0.append(end) } }
        return options
      }
      #expect(await refusal(try telling("verify-full", other.certificate)) != nil)
      #expect(try await encryption(try telling("disable", authority)) == nil)
      #expect(told.withLock { $0 } == [])
      for _ in 0..<2 { #expect(try await encryption(try telling("verify-full", authority)) == "TLSv1.3") }
      #expect(told.withLock { $0 } == Array(repeating: try certificateEnd(of: file), count: 2))
      #expect(try certificateEnd(of: file) != certificateEnd(of: authority))
    }

    @Test("the URL's own authorities count before the given ones, both ways")
    func ownAuthorities() async throws {
      let authority = try variable("FERRY_TEST_CA_FILE")
      let other = try Authority()
      defer { other.remove() }
      let own = try url("127.0.0.1", "sslmode=verify-full&sslrootcert=\(authority)")
      #expect(try await encryption(options(own, other.certificate)) == "TLSv1.3")
      let swapped = try url("127.0.0.1", "sslmode=verify-full&sslrootcert=\(other.certificate)")
      let told = try #require(await refusal(options(swapped, authority)))
      #expect(told.contains("certificate verify failed: "), "\(told)")
    }

    @Test("in modes that do not verify the given authorities are not asked: libpq would refuse, or go on in the clear")
    func unverified() async throws {
      let other = try Authority()
      defer { other.remove() }
      for mode in ["prefer", "require"] {
        #expect(try await encryption(options(try url("127.0.0.1", "sslmode=\(mode)"), other.certificate)) == "TLSv1.3")
      }
    }

    @Test("no URL brings TLS below 1.2, and one that asks for 1.3 keeps it")
    func versions() async throws {
      let authority = try variable("FERRY_TEST_CA_FILE")
      let newest = try url("127.0.0.1", "sslmode=verify-full&ssl_min_protocol_version=TLSv1.3")
      #expect(try await encryption(options(newest, authority)) == "TLSv1.3")
      let old = try url(
        "127.0.0.1", "sslmode=require&ssl_min_protocol_version=TLSv1&ssl_max_protocol_version=TLSv1.1")
      let told = try #require(await failure { _ = try await encryption(options(old, nil)) }).description
      // Not the server's refusal, nor OpenSSL's: nothing was offered.
      #expect(told.contains("invalid SSL protocol version range"), "\(told)")
    }

    @Test(
      "a server with a bad certificate or an old TLS is refused, with the reason and without the password",
      arguments: BadTLS.allCases)
    func refused(bad: BadTLS) async throws {
      try await bad.isRefused { port, authorities in
        let front = Front(of: port)
        defer { front.stop() }
        let address = "postgresql://u:canary@127.0.0.1:\(front.port)/d?sslmode=verify-full"
        let told = await refusal(options(address, authorities))
        #expect(told?.hasPrefix("PostgreSQL cannot be reached: ") == true)
        return told
      }
    }
  }
}

/// Answers PostgreSQL's request for TLS, and leaves the rest to a server that speaks TLS alone.
private final class Front: Sendable {
  private let server: LoopbackServer
  var port: Int { server.port }

  init(of port: Int) {
    server = LoopbackServer { front, client, _ in
      // SSLRequest: its length, 8, and its code.
      var request: [UInt8] = []
      while request.count < 8 {
        var byte: UInt8 = 0
        guard recv(client, &byte, 1, 0) == 1 else { return }
        request.append(byte)
      }
      guard sendAll(client, Array("S".utf8)), let behind = Self.connected(to: port) else { return }
      front.adopt(behind)
      front.run("front-up") { Self.pump(client, behind) }
      Self.pump(behind, client)
    }
  }

  func stop() { server.stop() }

  private static func connected(to port: Int) -> Int32? {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    address.sin_port = UInt16(port).bigEndian
    let isConnected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        connect(socket, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    return isConnected ? socket : nil
  }

  private static func pump(_ from: Int32, _ to: Int32) {
    while true {
      let bytes = receiveSome(from)
      if bytes.isEmpty || !sendAll(to, bytes) { break }
    }
    shutdown(to, Int32(SHUT_RDWR))
    shutdown(from, Int32(SHUT_RDWR))
  }
}
