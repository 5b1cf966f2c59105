import CCurl
import DriverThread
import Glibc
import Synchronization
import TestSockets
import Testing

@testable import Curl

@Suite("what the client's thread waits for", .timeLimit(.minutes(1)))
struct WatchTests {
  @Test("a connection that its peer closes while nothing goes over it is not used again, by a request that goes once")
  func closedWhileIdle() async throws {
    let (closings, closed) = AsyncStream<Void>.makeStream()
    let server = LoopbackServer { _, socket, _ in
      var reader = RequestReader(socket)
      guard reader.next() != nil else { return }
      _ = sendAll(socket, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8)
      shutdown(socket, Int32(SHUT_RDWR))
      closed.yield()
    }
    let client = try plainClient { $0.maxConnections = 1 }
    var ends = closings.makeAsyncIterator()
    for number in 1...5 {
      let outcome = await client.perform(
        HTTPRequest(.post, "http://127.0.0.1:\(server.port)/\(number)", body: [1]))
      #expect(outcome.text == "ok", "\(outcome)")
      _ = await ends.next()
    }
    #expect(server.connections == 5)
    await client.shutdown(graceMilliseconds: 0)
    server.stop()
  }

  @Test("a socket that libcurl has dropped wakes nobody, and is told again when it is wanted again")
  func droppedSocket() throws {
    let watch = SocketWatch(WakeEvent())
    let multi = try #require(CurlMulti(watch))
    var pair: [Int32] = [-1, -1]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
    var told: [Int32] = []
    func wait() -> Int {
      watch.wait(until: .now + .milliseconds(5)) { owner, socket, _ in
        if case .dialing(let whose) = owner, whose === multi { told.append(socket) }
      }
    }
    watch.want(pair[0], CURL_POLL_IN, multi)
    watch.forget(pair[0])
    close(pair[1])
    #expect(wait() == 0)
    watch.want(pair[0], CURL_POLL_IN, multi)
    #expect(wait() == 1)
    #expect(told == [pair[0]])
    watch.forget(pair[0])
    close(pair[0])
  }

  @Test("a new socket with the number of one that was closed is waited for")
  func sameNumber() throws {
    let watch = SocketWatch(WakeEvent())
    let multi = try #require(CurlMulti(watch))
    var (old, new): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &old) == 0)
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &new) == 0)
    watch.want(old[0], CURL_POLL_IN, multi)
    // Closes the old one and gives its number to the new one.
    #expect(dup2(new[0], old[0]) == old[0])
    watch.want(old[0], CURL_POLL_IN, multi)
    #expect(sendAll(new[1], [1]))
    var told: [Int32] = []
    watch.wait(until: .now + .seconds(10)) { _, socket, _ in told.append(socket) }
    #expect(told == [old[0]])
    watch.forget(old[0])
    for socket in old + new { close(socket) }
  }

  @Test("a signal that comes before the wait ends it")
  func signal() {
    let wake = WakeEvent()
    let watch = SocketWatch(wake)
    for _ in 0..<3 {
      wake.signal()
      #expect(watch.wait(until: .now + .seconds(30)) { _, _, _ in } == 1)
    }
    #expect(watch.wait(until: .now + .milliseconds(5)) { _, _, _ in } == 0)
  }

  @Test("a request that comes while the thread waits for others is sent at once, and one that idles wakes up")
  func wakeUp() async throws {
    let gate = Gate()
    try await withServer({ request in
      if request.path == "/held" { gate.pass() }
      return .ok()
    }) { server, client in
      #expect(await client.perform(HTTPRequest(.get, server.url + "/first")).text == "ok")
      async let held = client.perform(HTTPRequest(.post, server.url + "/held"))
      var arrived = server.arrived.makeAsyncIterator()
      while let request = await arrived.next(), request.path != "/held" {}
      for number in 0..<20 { #expect(await client.perform(HTTPRequest(.get, server.url + "/\(number)")).text == "ok") }
      gate.open()
      #expect(await held.text == "ok")
    }
  }

  @Test("many requests whose time passes at once all end then, each as uncertain")
  func manyTimeouts() async throws {
    let gate = Gate()
    try await withServer(
      { request in
        if request.path == "/slow" { gate.pass() }
        return .ok()
      }, options: { $0.maxConnections = 100 }
    ) { server, client in
      let slow = HTTPRequest(.post, server.url + "/slow", timeoutMilliseconds: 1_000)
      let outcomes = await client.perform(Array(repeating: slow, count: 100))
      #expect(outcomes.map { $0.uncertain?.kind } == Array(repeating: .timeout, count: 100))
      gate.open(times: 100)
      #expect(await client.perform(HTTPRequest(.get, server.url + "/next")).text == "ok")
    }
  }

  @Test("connections that are not accepted end by their time, and hold up no other")
  func slowConnects() async throws {
    let full = FullListener()
    let port = full.port
    try await withServer({ _ in .ok() }, options: { $0.connectTimeoutMilliseconds = 400 }) { server, client in
      async let refused = client.perform(
        (0..<8).map { HTTPRequest(.post, "http://127.0.0.1:\(port)/\($0)") })
      for _ in 0..<20 { #expect(await client.perform(HTTPRequest(.get, server.url)).text == "ok") }
      #expect(await refused.map { $0.notSent?.kind } == Array(repeating: .timeout, count: 8))
    }
    full.close()
  }

  @Test("names are resolved beside requests that are under way")
  func names() async throws {
    try await withServer({ _ in .ok() }) { server, client in
      let urls = ["http://localhost:\(server.port)", server.url]
      let outcomes = await client.perform((0..<40).map { HTTPRequest(.get, urls[$0 % 2]) })
      #expect(outcomes.allSatisfy { $0.text == "ok" })
    }
  }

  @Test("a request that is given up in the middle of its answer leaves the client as it was")
  func abortedHalfWay() async throws {
    let head = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
    let part = [UInt8](repeating: 1, count: 1_000)
    try await withServer(
      { $0.path == "/endless" ? .endless(head: head, part: part) : .ok() },
      options: {
        $0.maxConnections = 1
        $0.maxResponseBytes = 1 << 30
      }
    ) { server, client in
      for _ in 0..<3 {
        let task = Task { await client.perform(HTTPRequest(.get, server.url + "/endless")) }
        var arrived = server.arrived.makeAsyncIterator()
        while let request = await arrived.next(), request.path != "/endless" {}
        task.cancel()
        #expect(await task.value.uncertain?.kind == .cancelled)
        #expect(await client.perform(HTTPRequest(.post, server.url + "/next")).text == "ok")
      }
    }
  }

  @Test("256 requests are under way at once")
  func manyConnections() async throws {
    let gate = Gate()
    try await withServer(
      { _ in
        gate.pass()
        return .ok()
      }, options: { $0.maxConnections = 256 }
    ) { server, client in
      async let all = client.perform((0..<512).map { HTTPRequest(.get, server.url + "/\($0)") })
      var arrived = server.arrived.makeAsyncIterator()
      for _ in 0..<256 { _ = await arrived.next() }
      #expect(client.inFlight == 256)
      gate.open(times: 512)
      #expect(await all.allSatisfy { $0.text == "ok" })
      #expect(server.mostActive == 256)
    }
  }
}
