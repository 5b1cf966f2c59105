import Foundation
public import Testing

struct ProgramFailed: Error { let text: String }

/// Runs the openssl program to its end.
public func openssl(_ arguments: [String]) throws {
  let program = Process()
  let errors = ownPipe()
  program.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  program.arguments = ["openssl"] + arguments
  program.standardOutput = FileHandle.nullDevice
  program.standardError = errors
  try program.run()
  let text = try errors.fileHandleForReading.readToEnd() ?? Data()
  program.waitUntilExit()
  guard program.terminationStatus == 0 else { throw ProgramFailed(text: String(decoding: text, as: UTF8.self)) }
}

/// When a certificate in a file ends, in seconds since 1970 UTC, by the openssl program.
public func certificateEnd(of file: String) throws -> Int64 {
  let program = Process()
  let output = ownPipe()
  program.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  program.arguments = ["openssl", "x509", "-in", file, "-noout", "-enddate", "-dateopt", "iso_8601"]
  program.standardOutput = output
  try program.run()
  let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
  program.waitUntilExit()
  // notAfter=2026-12-30 08:00:00Z
  let date = text.dropFirst("notAfter=".count).prefix(20).replacing(" ", with: "T")
  guard let end = try? Date(String(date), strategy: .iso8601) else { throw ProgramFailed(text: text) }
  return Int64(end.timeIntervalSince1970)
}

/// A certificate authority of one test, in a folder of its own.
public struct Authority {
  let folder: URL
  /// Its certificate's file.
  public var certificate: String { folder.appendingPathComponent("ca.pem").path }
  var key: String { folder.appendingPathComponent("ca.key").path }

  /// Makes one.
  public init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    try openssl(
      ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        + ["-subj", "/CN=Ferry test authority", "-keyout", key, "-out", certificate])
  }

  /// Removes its folder.
  public func remove() { try? FileManager.default.removeItem(at: folder) }
}

/// `openssl s_server` on a free port, which answers every GET with a page.
public final class TLSServer: @unchecked Sendable {
  /// Its port, on the loopback.
  public let port: Int
  private let program = Process()
  private let folder: URL
  private let input = ownPipe()
  private let output = ownPipe()

  /// Starts one.
  /// - Parameters:
  ///   - authority: signs the certificate; nil: it signs itself.
  ///   - name: the certificate's subjectAltName.
  ///   - isBridge: instead of answering, it hands out what one client sends, and hands in what `answer` says.
  public init(
    _ authority: Authority?, name: String, days: Int = 2, flags: [String] = [], isBridge: Bool = false
  ) throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("ferry-tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    let (key, request, certificate, extensions) = (
      folder.appendingPathComponent("key.pem").path, folder.appendingPathComponent("request.pem").path,
      folder.appendingPathComponent("certificate.pem").path, folder.appendingPathComponent("extensions").path
    )
    try "subjectAltName=\(name)\n".write(toFile: extensions, atomically: true, encoding: .utf8)
    try openssl(
      ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-subj", "/CN=Ferry test server", "-keyout", key, "-out", request])
    let signer = authority.map { ["-CA", $0.certificate, "-CAkey", $0.key, "-CAcreateserial"] } ?? ["-signkey", key]
    try openssl(
      ["x509", "-req", "-in", request, "-out", certificate, "-days", "\(days)", "-extfile", extensions] + signer)
    program.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    program.arguments =
      ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key] + flags
      + (isBridge ? [] : ["-www"])
    if isBridge { program.standardInput = input }
    program.standardOutput = output
    program.standardError = FileHandle.nullDevice
    try program.run()
    port = try TLSServer.announcedPort(output.fileHandleForReading)
  }

  /// Of a bridge: waits for a POST with a body of so many bytes, among openssl's own words, and answers it.
  /// - Returns: the body.
  public func take(_ count: Int, answer: [UInt8]) throws -> [UInt8] {
    var bytes = Data()
    while true {
      let part = output.fileHandleForReading.availableData
      guard !part.isEmpty else { throw ProgramFailed(text: "openssl s_server ended") }
      bytes += part
      guard let start = bytes.range(of: Data("POST /".utf8))?.lowerBound,
        let body = bytes.range(of: Data("\r\n\r\n".utf8), in: start..<bytes.endIndex)?.upperBound,
        bytes.endIndex - body >= count
      else { continue }
      try input.fileHandleForWriting.write(contentsOf: Data(answer))
      return Array(bytes[body...])
    }
  }

  /// Ends it.
  public func stop() {
    guard program.isRunning else { return }
    // Not terminate(): the child inherits a signal mask in which SIGTERM is blocked.
    kill(program.processIdentifier, SIGKILL)
    program.waitUntilExit()
    try? FileManager.default.removeItem(at: folder)
  }

  /// Waits for the line "ACCEPT 127.0.0.1:12345".
  private static func announcedPort(_ output: FileHandle) throws -> Int {
    var text = ""
    while true {
      let part = output.availableData
      guard !part.isEmpty else { throw ProgramFailed(text: "openssl s_server ended: \(text)") }
      text += String(decoding: part, as: UTF8.self)
      for line in text.split(separator: "\n").dropLast(text.hasSuffix("\n") ? 0 : 1) where line.hasPrefix("ACCEPT ") {
        if let port = line.split(separator: ":").last.flatMap({ Int($0) }) { return port }
      }
    }
  }
}

/// What is wrong with a server's certificate, or with its TLS. All are for 127.0.0.1 unless that is it.
public enum BadTLS: String, CaseIterable, Sendable {
  case otherName, otherAddress, otherAuthority, expired, selfSigned, version11, version10

  /// A server that is so.
  /// - Parameters:
  ///   - authority: whom the client trusts.
  ///   - other: whom it does not.
  private func server(_ authority: Authority, _ other: Authority) throws -> TLSServer {
    let address = "IP:127.0.0.1"
    func old(_ flag: String) throws -> TLSServer {
      try TLSServer(authority, name: address, flags: [flag, "-cipher", "ALL:@SECLEVEL=0"])
    }
    return switch self {
    case .otherName: try TLSServer(authority, name: "DNS:elsewhere.test")
    case .otherAddress: try TLSServer(authority, name: "IP:127.0.0.2")
    case .otherAuthority: try TLSServer(other, name: address)
    case .expired: try TLSServer(authority, name: address, days: -1)
    case .selfSigned: try TLSServer(nil, name: address)
    case .version11: try old("-tls1_1")
    case .version10: try old("-tls1")
    }
  }

  /// Words of which one must be in what is told of it, in lower case: libraries have words of their own.
  private var words: [String] {
    switch self {
    case .otherName, .otherAddress: ["mismatch", "does not match", "subject name matches"]
    case .otherAuthority: ["unable to get local issuer certificate"]
    case .expired: ["certificate has expired"]
    case .selfSigned: ["self-signed certificate", "self signed certificate"]
    case .version11, .version10: ["protocol"]
    }
  }

  /// Whether a text tells of it.
  private func isTold(by text: String) -> Bool { words.contains { text.lowercased().contains($0) } }

  /// Expects that a client refuses a server that is so, and says why in one line without the word `canary`, which it is to
  /// hand in as a secret.
  /// - Parameter client: tries the server on this port of 127.0.0.1 with these authorities, and gives what it says of the
  ///   refusal, or nil when it did not refuse.
  public func isRefused(
    at place: SourceLocation = #_sourceLocation,
    by client: (_ port: Int, _ authorities: String) async throws -> String?
  ) async throws {
    let (authority, other) = (try Authority(), try Authority())
    defer {
      authority.remove()
      other.remove()
    }
    let server = try server(authority, other)
    defer { server.stop() }
    let told = try #require(try await client(server.port, authority.certificate), sourceLocation: place)
    #expect(isTold(by: told), "\(told)", sourceLocation: place)
    #expect(!told.contains("canary") && !told.contains("\n"), "\(told)", sourceLocation: place)
  }
}
