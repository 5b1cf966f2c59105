import Console
import Foundation
import Synchronization
import TestSockets
import Testing

@testable import ferry

@Suite("ferry health", .timeLimit(.minutes(1)))
struct HealthTests {
  /// A server that answers everything with this text, and keeps what it was asked.
  private struct Answering {
    final class Asked: Sendable {
      let text = Mutex("")
    }

    let asked = Asked()
    let server: LoopbackServer

    init(_ response: String) {
      server = LoopbackServer { [asked] _, socket, _ in
        let some = String(decoding: receiveSome(socket), as: UTF8.self)
        asked.text.withLock { $0 += some }
        _ = sendAll(socket, response.utf8)
      }
    }
  }

  private func health(_ question: HealthQuestion, port: Int, host: String = "127.0.0.1") -> (String, Bool) {
    let (text, isGood) = HealthCommand.answer(
      to: question, environment: ["FERRY_ADMIN_HOST": host, "FERRY_ADMIN_PORT": "\(port)"])
    return (text, isGood)
  }

  @Test("each question has its path, and 200 is a yes", arguments: [HealthQuestion.alive, .ready, .started])
  func yes(question: HealthQuestion) {
    let role = Answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
    defer { role.server.stop() }
    #expect(health(question, port: role.server.port) == ("ok", true))
    let asked = role.asked.text.withLock { $0 }
    let paths = [HealthQuestion.alive: "/healthz", .ready: "/readyz", .started: "/startupz"]
    #expect(asked.hasPrefix("GET \(paths[question] ?? "") HTTP/1.1\r\nHost: "))
    #expect(asked.contains("\r\nConnection: close\r\n"))
  }

  @Test("503 is a no, with every line of its reasons")
  func no() {
    let role = Answering("HTTP/1.1 503 x\r\nA: b\r\n\r\nload: K/3 WISE is away\nload: PostgreSQL is away\n")
    defer { role.server.stop() }
    #expect(
      health(.ready, port: role.server.port) == ("load: K/3 WISE is away\nload: PostgreSQL is away", false))
  }

  @Test("the address for all interfaces is asked on this machine", arguments: ["0.0.0.0", "localhost"])
  func wildcard(host: String) {
    let role = Answering("HTTP/1.1 200 OK\r\n\r\nready\n")
    defer { role.server.stop() }
    #expect(health(.ready, port: role.server.port, host: host) == ("ready", true))
  }

  @Test("nobody there, another program, half an answer, no port: each is a no with its sentence")
  func unanswered() {
    let port = closedPort()
    #expect(health(.alive, port: port) == ("Nothing answers on 127.0.0.1, port \(port).", false))
    for response in ["SSH-2.0-OpenSSH\r\n\r\n", "", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1\r\n\r\n"] {
      let other = Answering(response)
      let (text, isGood) = health(.alive, port: other.server.port)
      other.server.stop()
      #expect(!isGood && text.contains("is no admin server of ferry"), "«\(response)» \(text)")
    }
    let (text, isGood) = health(.alive, port: 0)
    #expect(!isGood && text.contains("FERRY_ADMIN_PORT"))
  }

  @Test("settings of other parts need not be right")
  func lenient() {
    let role = Answering("HTTP/1.1 200 OK\r\n\r\nready\n")
    defer { role.server.stop() }
    let (_, isGood) = HealthCommand.answer(
      to: .ready,
      environment: ["FERRY_ADMIN_PORT": "\(role.server.port)", "FERRY_K3_CONCURRENCY": "many", "FERRY_NONSENSE": "1"])
    #expect(isGood)
  }
}
