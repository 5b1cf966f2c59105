import Curl
import Foundation
import TestSockets
import Testing

@Suite("limits of an answer", .timeLimit(.minutes(1)))
struct LimitTests {
  @Test("a body of exactly the limit is accepted, one byte more is not", arguments: [(1000, true), (1001, false)])
  func exactLimit(size: Int, fits: Bool) async throws {
    let body = String(repeating: "x", count: size)
    try await withServer({ _ in .ok(body) }, options: { $0.maxResponseBytes = 1000 }) { server, client in
      let outcome = await client.perform(HTTPRequest(.get, server.url))
      #expect(outcome.response?.body.count == (fits ? size : nil))
      #expect(outcome.uncertain?.kind == (fits ? nil : .tooLarge))
    }
  }

  @Test("a body without an end is cut off at the limit")
  func endlessBody() async throws {
    let head = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
    try await withServer({ _ in .endless(head: head, part: [UInt8](repeating: 1, count: 65_536)) }) { server, client in
      let outcome = await client.perform(HTTPRequest(.get, server.url))
      #expect(outcome.uncertain?.kind == .tooLarge)
    }
  }

  @Test("headers without an end are cut off")
  func endlessHeaders() async throws {
    let (head, part) = (Array("HTTP/1.1 200 OK\r\n".utf8), Array("X-Filler: 0123456789012345678901234567890\r\n".utf8))
    try await withServer({ _ in .endless(head: head, part: part) }) { server, client in
      let outcome = await client.perform(HTTPRequest(.get, server.url))
      #expect(outcome.uncertain?.kind == .tooLarge)
    }
  }

  @Test("interim answers without an end are cut off")
  func endlessContinue() async throws {
    let interim = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
    try await withServer({ _ in .endless(head: interim, part: interim) }) { server, client in
      #expect(await client.perform(HTTPRequest(.get, server.url)).uncertain?.kind == .tooLarge)
    }
  }

  @Test(
    "a gzip body is unpacked, and counts with its unpacked size", arguments: [(100_000, true), (50_000_000, false)])
  func gzip(size: Int, fits: Bool) async throws {
    // 50 MB of one byte travel as 50 kB.
    let packed = try gzipped(size)
    #expect(packed.count < 100_000)
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: \(packed.count)\r\n\r\n"
    try await withServer({ _ in .reply(Array(head.utf8) + packed) }, options: { $0.maxResponseBytes = 1 << 20 }) {
      server, client in
      let outcome = await client.perform(HTTPRequest(.get, server.url))
      #expect(outcome.response?.body.count == (fits ? size : nil))
      #expect(outcome.uncertain?.kind == (fits ? nil : .tooLarge))
      // The client goes on as before.
      #expect(await client.perform(HTTPRequest(.get, server.url)).response?.status == (fits ? 200 : nil))
    }
  }

  @Test("large bodies are handed over whole, one after another")
  func largeBodies() async throws {
    let body = String(repeating: "0123456789abcdef", count: 60_000)
    try await withServer({ _ in .ok(body) }, options: { $0.maxConnections = 2 }) { server, client in
      let outcomes = await client.perform((0..<6).map { _ in HTTPRequest(.get, server.url) })
      #expect(outcomes.allSatisfy { $0.text == body })
    }
  }
}

/// So many zero bytes, packed by the gzip program.
func gzipped(_ count: Int) throws -> [UInt8] {
  let program = Process()
  let output = ownPipe()
  program.executableURL = URL(fileURLWithPath: "/bin/sh")
  program.arguments = ["-c", "head -c \(count) /dev/zero | gzip -9"]
  program.standardOutput = output
  try program.run()
  let packed = try output.fileHandleForReading.readToEnd() ?? Data()
  program.waitUntilExit()
  return Array(packed)
}
