import AMQPTesting
import DriverThread
import Foundation
import TestSockets
import Testing

@testable import AMQP

#if canImport(Glibc)
  import Glibc
#endif

/// A broker behind `openssl s_server`, which gives the script what the client says in the clear.
@Suite(.timeLimit(.minutes(1))) struct TLSTests {
  @Test("over TLS messages and acknowledgements go out as over a plain socket")
  func messages() async throws {
    let heard = Probe<[Frame]>([])
    let server = try TLSPeer { session in
      try session.selectConfirms()
      func hear(_ type: UInt8) throws {
        while true {
          let frame = try session.next()
          if frame.isHeartbeat { continue }
          heard.change { $0.append(frame) }
          if frame.type == type { return }
        }
      }
      // Two bodies of one frame, one of two.
      for _ in 0..<4 { try hear(3) }
      try session.send([60, 80], Bytes().longlong(3).byte(1))
      try session.until([60, 10])
      try session.send([60, 11])
      try session.until([60, 20])
      try session.send([60, 21], Bytes().text("c"))
      for tag: UInt64 in 1...2 {
        try session.send([60, 60], Bytes().text("c").longlong(tag).byte(0).text("").text("q"))
        try session.frame(2, Bytes().short(60).short(0).longlong(0).short(0).all, channel: 1)
      }
      try hear(1)
      try session.until([20, 40])
      try session.send([20, 41])
      try session.until([10, 50])
      try session.send([10, 51], channel: 0)
    }
    defer { server.stop() }
    let address = try AMQPAddress("amqps://localhost:\(server.port)/")
    var options = AMQPOptions(address: address, connectionName: "AMQPTests")
    options.certificateAuthorityFile = server.certificate
    let connection = try await AMQPConnection.open(options)
    let bodies = [10, 150_000, 131_064].map { size in
      (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }
    let properties = AMQPProperties(headers: [AMQPHeader("a", .int(1))])
    let results = await connection.publish(
      bodies.map { AMQPMessage(exchange: "", routingKey: "q", properties: properties, body: $0) }, timeoutSeconds: 30)
    #expect(results == [.confirmed, .confirmed, .confirmed])
    try await connection.consume(queue: "q", prefetch: 2)
    connection.acknowledge(try await connection.take(2).map(\.tag))
    await connection.close()
    let frames = heard.value
    #expect(frames.filter { $0.type == 3 }.map(\.payload.count) == [10, 131_064, 18_936, 131_064])
    #expect(frames.filter { $0.type == 3 }.flatMap(\.payload) == bodies.flatMap(\.self))
    #expect(frames.last?.payload == Bytes().short(60).short(80).longlong(2).byte(1).all)
  }
}

/// The real broker's listener with TLS, and servers in its place that must be refused.
@Suite("Certificates of the broker", .timeLimit(.minutes(1)))
struct CertificateTests {
  private func options(_ url: String, _ authorities: String?) throws -> AMQPOptions {
    var options = AMQPOptions(address: try AMQPAddress(url), connectionName: "AMQPTests")
    options.certificateAuthorityFile = authorities
    return options
  }

  private func refusal(_ options: AMQPOptions) async -> String? {
    do throws(AMQPFailure) {
      await (try AMQPConnection.open(options)).close()
      return nil
    } catch {
      guard case .unreachable = error else { return "another failure: \(error)" }
      return error.description
    }
  }

  /// The address of the real broker's listener with TLS, with this host.
  private func address(_ host: String) throws -> String {
    let url = try Broker.variable("FERRY_TEST_RABBITMQ_TLS_URL")
    return url.replacing("@127.0.0.1:", with: "@\(host):")
  }

  @Test(
    "RabbitMQ with a certificate of the given authority is spoken with, by name and by address",
    arguments: ["127.0.0.1", "localhost"])
  func trusted(host: String) async throws {
    let authority = try Broker.variable("FERRY_TEST_CA_FILE")
    let connection = try await AMQPConnection.open(try options(try address(host), authority))
    let queue = "amqptests.\(UInt64.random(in: 0...UInt64.max))"
    try await connection.declareQueue(name: queue)
    let message = AMQPMessage(exchange: "", routingKey: queue, properties: AMQPProperties(), body: [1, 2])
    #expect(await connection.publish([message], timeoutSeconds: 30) == [.confirmed])
    #expect(try await connection.get(queue: queue)?.body == [1, 2])
    try await connection.deleteQueue(queue)
    await connection.close()
  }

  @Test("the end of RabbitMQ's own certificate is told of each connection, and of none in the clear or refused")
  func endOfCertificate() async throws {
    let authority = try Broker.variable("FERRY_TEST_CA_FILE")
    let file = URL(fileURLWithPath: authority).deletingLastPathComponent().appendingPathComponent("server.pem").path
    let other = try Authority()
    defer { other.remove() }
    let misnamed = try TLSServer(other, name: "IP:127.0.0.2")
    defer { misnamed.stop() }
    let told = Probe<[Int64]>([])
    func telling(_ url: String, _ authorities: String) throws -> AMQPOptions {
      var options = try options(url, authorities)
      options.onCertificate = { end in told.change { $0.append(end) } }
      return options
    }
    let address = try address("127.0.0.1")
    #expect(await refusal(try telling(address, other.certificate)) != nil)
    #expect(await refusal(try telling("amqps://u:p@127.0.0.1:\(misnamed.port)/", other.certificate)) != nil)
    #expect(await refusal(try telling(try Broker.variable("FERRY_TEST_RABBITMQ_URL"), authority)) == nil)
    #expect(told.value == [])
    for _ in 0..<2 { #expect(await refusal(try telling(address, authority)) == nil) }
    #expect(told.value == Array(repeating: try certificateEnd(of: file), count: 2))
    #expect(try certificateEnd(of: file) != certificateEnd(of: authority))
  }

  @Test("RabbitMQ with a certificate of another authority than the given ones, or than the system's, is refused")
  func swapped() async throws {
    let other = try Authority()
    defer { other.remove() }
    for file in [other.certificate, nil] {
      let told = try #require(await refusal(try options(try address("127.0.0.1"), file)))
      #expect(told.contains("certificate is refused: "), "\(told)")
    }
  }

  @Test(
    "a broker with a bad certificate or an old TLS is refused, with the reason and without the password",
    arguments: BadTLS.allCases)
  func refused(bad: BadTLS) async throws {
    try await bad.isRefused { port, authorities in
      let told = await refusal(try options("amqps://u:canary@127.0.0.1:\(port)/", authorities))
      #expect(told?.hasPrefix("the broker cannot be reached: ") == true)
      return told
    }
  }

  @Test("a server that takes the connection and says nothing is given up")
  func silent() async throws {
    let authority = try Authority()
    defer { authority.remove() }
    let server = LoopbackServer { _, socket, _ in _ = receiveAll(socket) }
    defer { server.stop() }
    var options = try options("amqps://127.0.0.1:\(server.port)/", authority.certificate)
    options.connectTimeoutSeconds = 1
    #expect(await refusal(options)?.hasPrefix("the broker cannot be reached: ") == true)
  }
}

/// `openssl s_server` for one client, with a certificate that is its own authority.
private final class TLSPeer: @unchecked Sendable {
  let port: Int
  /// Our end of the program's standard input and output.
  private let socket: Int32
  private let thread: DriverThread
  var certificate: String { folder.appendingPathComponent("certificate.pem").path }
  private let folder: URL
  private let program = Process()

  /// - Parameter script: runs once the client is logged in; when it ends, so does the connection.
  init(_ script: @escaping @Sendable (FakePeer.Session) throws -> Void) throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-amqps-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    let (certificate, key) = (
      folder.appendingPathComponent("certificate.pem").path, folder.appendingPathComponent("key.pem").path
    )
    let making = Process()
    making.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    making.arguments =
      ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
      + ["-subj", "/CN=Ferry test broker", "-addext", "subjectAltName=DNS:localhost"]
      + ["-keyout", key, "-out", certificate]
    making.standardError = FileHandle.nullDevice
    try making.run()
    making.waitUntilExit()
    var ends: [Int32] = [0, 0]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw SocketError(step: "socketpair")
    }
    socket = ends[0]
    let theirs = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
    program.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    program.arguments =
      ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-cert", certificate, "-key", key]
    program.standardInput = theirs
    program.standardOutput = theirs
    program.standardError = FileHandle.nullDevice
    try program.run()
    try theirs.close()
    // It says "ACCEPT 127.0.0.1:12345", and later more, until the client's greeting comes.
    var line = ""
    var port: Int?
    while port == nil {
      let byte = try receiveSome(socket, max: 1)
      if byte.isEmpty { throw SocketError(step: "openssl has ended") }
      if byte == [10] {
        if line.hasPrefix("ACCEPT ") { port = line.split(separator: ":").last.flatMap { Int($0) } }
        line = ""
      } else {
        line += String(decoding: byte, as: UTF8.self)
      }
    }
    self.port = port ?? 0
    let (socket, process) = (socket, program.processIdentifier)
    thread = DriverThread(name: "tls peer") {
      let session = FakePeer.Session(socket)
      do {
        try session.logIn(heartbeat: 30)
        try script(session)
        session.untilEnd()
      } catch {
        // Without its peer the client fails, and its test with it.
        kill(process, SIGKILL)
      }
    }
  }

  func stop() {
    kill(program.processIdentifier, SIGKILL)
    program.waitUntilExit()
    // It has nobody to read from any more. Only then may the socket's number go to somebody else.
    thread.join()
    close(socket)
    try? FileManager.default.removeItem(at: folder)
  }
}
