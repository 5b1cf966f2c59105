import Curl
import Synchronization
import TestSockets
import Testing

@Suite("the queue of requests", .timeLimit(.minutes(1)))
struct QueueTests {
  @Test("no more than maxConnections requests are in flight, over all callers")
  func bound() async throws {
    let gate = Gate()
    try await withServer(
      { _ in
        gate.pass()
        return .ok()
      }, options: { $0.maxConnections = 3 }
    ) { server, client in
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for _ in 0..<4 {
          group.addTask {
            await client.perform((0..<5).map { _ in HTTPRequest(.get, server.url) }).allSatisfy { $0.text == "ok" }
          }
        }
        var arrived = server.arrived.makeAsyncIterator()
        for _ in 0..<3 { _ = await arrived.next() }
        // Three are held by the server now; the other seventeen can only wait.
        #expect(client.inFlight == 3)
        gate.open(times: 20)
        for try await isFine in group { #expect(isFine) }
      }
      #expect(server.mostActive == 3)
      #expect(server.connections == 3)
      #expect(server.requests.count == 20)
      #expect(client.inFlight == 0)
    }
  }

  @Test("how many are in flight follows what the client is steered to, down and up again")
  func steered() async throws {
    let gate = Gate()
    let limits = Mutex([1, 1, 3, 3, 3, 3, 3])
    let (ends, ended) = AsyncStream<Void>.makeStream()
    try await withServer(
      { _ in
        gate.pass()
        return .ok()
      },
      options: { options in
        options.maxConnections = 2
        options.steer = { _ in
          ended.yield()
          return limits.withLock { $0.removeFirst() }
        }
      }
    ) { server, client in
      async let all = client.perform((0..<7).map { HTTPRequest(.get, server.url + "/\($0)") })
      var arrived = server.arrived.makeAsyncIterator()
      for _ in 0..<2 { _ = await arrived.next() }
      // One ends: the other one goes on, and nothing is started beside it.
      gate.open()
      var end = ends.makeAsyncIterator()
      _ = await end.next()
      #expect(client.inFlight == 1)
      #expect(client.queued == 5)
      // It ends: one is started, alone.
      gate.open()
      _ = await arrived.next()
      #expect(client.inFlight == 1)
      #expect(client.queued == 4)
      // That one ends, and three are allowed, of which there are two connections.
      gate.open()
      for _ in 0..<2 { _ = await arrived.next() }
      #expect(client.inFlight == 2)
      gate.open(times: 4)
      #expect(await all.allSatisfy { $0.text == "ok" })
      #expect(server.mostActive == 2)
    }
  }

  @Test("requests leave the queue in the order they came")
  func order() async throws {
    try await withServer({ _ in .ok() }, options: { $0.maxConnections = 1 }) { server, client in
      _ = await client.perform((0..<50).map { HTTPRequest(.get, server.url + "/\($0)") })
      #expect(server.requests.map(\.path) == (0..<50).map { "/\($0)" })
    }
  }

  @Test("a request whose time passed before it is performed never touches the network")
  func expiredAtOnce() async throws {
    try await withServer({ _ in .ok() }) { server, client in
      let outcome = await client.perform(HTTPRequest(.post, server.url, notAfter: .now - .seconds(1)))
      #expect(outcome.notSent?.kind == .expired)
      #expect(server.connections == 0)
    }
  }

  @Test("a request whose time passes in the queue ends then, while the connection is still taken")
  func expiredInQueue() async throws {
    let gate = Gate()
    try await withServer(
      { _ in
        gate.pass()
        return .ok()
      }, options: { $0.maxConnections = 1 }
    ) { server, client in
      async let first = client.perform(HTTPRequest(.get, server.url + "/first"))
      var arrived = server.arrived.makeAsyncIterator()
      _ = await arrived.next()
      let soon = ContinuousClock.now + .milliseconds(30)
      let late = await client.perform((0..<3).map { HTTPRequest(.post, server.url + "/late\($0)", notAfter: soon) })
      #expect(late.map { $0.notSent?.kind } == [.expired, .expired, .expired])
      #expect(client.inFlight == 1)
      #expect(client.queued == 0)
      gate.open()
      #expect(await first.text == "ok")
      #expect(server.requests.map(\.path) == ["/first"])
    }
  }

  @Test("cancelling ends what is queued and repeatable, and lets a running non-repeatable request finish")
  func cancel() async throws {
    let gate = Gate()
    try await withServer(
      { _ in
        gate.pass()
        return .ok()
      }, options: { $0.maxConnections = 2 }
    ) { server, client in
      let task = Task {
        await client.perform([
          HTTPRequest(.post, server.url + "/save"), HTTPRequest(.get, server.url + "/list"),
          HTTPRequest(.post, server.url + "/queued"),
        ])
      }
      var arrived = server.arrived.makeAsyncIterator()
      for _ in 0..<2 { _ = await arrived.next() }
      task.cancel()
      // The next request can only get a connection when the repeatable one has been given up.
      async let next = client.perform(HTTPRequest(.get, server.url + "/next"))
      _ = await arrived.next()
      gate.open(times: 3)
      let outcomes = try await ended(task)
      #expect(outcomes[0].text == "ok")
      #expect(outcomes[1].uncertain?.kind == .cancelled)
      #expect(outcomes[2].notSent?.kind == .cancelled)
      #expect(await next.text == "ok")
      #expect(Set(server.requests.map(\.path)) == ["/save", "/list", "/next"])
    }
  }

  @Test("a caller that is cancelled already sends nothing")
  func cancelledBefore() async throws {
    try await withServer({ _ in .ok() }) { server, client in
      let outcome = await Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return await client.perform(HTTPRequest(.get, server.url))
      }.value
      #expect(outcome.notSent?.kind == .cancelled)
      #expect(server.connections == 0)
    }
  }

  @Test("shutdown ends queued requests as not sent and lets running ones finish")
  func gracefulShutdown() async throws {
    let gate = Gate()
    try await withServer(
      { _ in
        gate.pass()
        return .ok()
      }, options: { $0.maxConnections = 1 }
    ) { server, client in
      async let running = client.perform(HTTPRequest(.post, server.url + "/running"))
      var arrived = server.arrived.makeAsyncIterator()
      _ = await arrived.next()
      async let stopped: Void = client.shutdown()
      // What comes after the start of the shutdown, or was queued then, is never sent.
      let queued = await client.perform((0..<3).map { HTTPRequest(.post, server.url + "/queued\($0)") })
      #expect(queued.map { $0.notSent?.kind } == [.shutdown, .shutdown, .shutdown])
      gate.open()
      #expect(await running.text == "ok")
      await stopped
      #expect(await client.perform(HTTPRequest(.get, server.url)).notSent?.kind == .shutdown)
      #expect(server.requests.map(\.path) == ["/running"])
      await client.shutdown()
    }
  }

  @Test("shutdown aborts what still runs at its bound as uncertain")
  func boundedShutdown() async throws {
    let gate = Gate()
    try await withServer({ _ in
      gate.pass()
      return .ok()
    }) { server, client in
      async let running = client.perform(HTTPRequest(.post, server.url))
      var arrived = server.arrived.makeAsyncIterator()
      _ = await arrived.next()
      await client.shutdown(graceMilliseconds: 10)
      #expect(await running.uncertain?.kind == .shutdown)
      gate.open()
    }
  }

  @Test("a client that is let go ends its thread and connections")
  func letGo() async throws {
    let server = RawServer { _ in .ok() }
    do {
      let client = try plainClient()
      #expect(await client.perform(HTTPRequest(.get, server.url)).text == "ok")
    }
    server.stop()
  }
}
