import PostgreSQL
import Testing

extension PostgreSQLTests {
  @Suite("many callers, sessions and the end")
  struct ConcurrencyTests {
    @Test("two connections work at once, and no more")
    func twoAtOnce() async throws {
      try await withClient({ $0.connections = 2 }) { client, options in
        let (key, admin) = (lockKey(), PostgresClient(options))
        let holder = try await client.session()
        _ = try await holder.run(PostgresStatement("select pg_advisory_lock($1)", .int(key)))
        try await withThrowingTaskGroup(of: Int64?.self) { group in
          for _ in 0..<5 {
            group.addTask {
              let wait = PostgresStatement("select pg_advisory_xact_lock_shared($1)", .int(key))
              let rows = try await client.transaction([wait, PostgresStatement("select pg_backend_pid()")])
              return rows[1].int(0, 0)
            }
          }
          try await admin.untilWaiting(for: key, 2)
          await holder.close()
          var pids: Set<Int64?> = []
          for try await pid in group { pids.insert(pid) }
          #expect(pids.count == 2)
        }
        await admin.close()
      }
    }

    @Test("many callers each get their own answer")
    func manyCallers() async throws {
      try await withClient { client, _ in
        try await withThrowingTaskGroup(of: Bool.self) { group in
          for caller in 0..<50 {
            group.addTask {
              for round in 0..<20 {
                let value = Int64(caller * 1000 + round)
                if round % 2 == 0 {
                  guard try await client.number("select $1::int8", .int(value)) == value else { return false }
                } else {
                  let ask = PostgresStatement("select $1::int8", .int(value))
                  let rows = try await client.transaction([ask, ask])
                  guard rows.map({ $0.int(0, 0) }) == [value, value] else { return false }
                }
              }
              return true
            }
          }
          for try await isRight in group { #expect(isRight) }
        }
      }
    }

    @Test("a session's advisory lock is exclusive, and free when close returns")
    func advisoryLock() async throws {
      try await withClient { client, _ in
        let key = lockKey()
        let attempt = PostgresStatement("select pg_try_advisory_lock($1)", .int(key))
        let other = try await client.session()
        // Many rounds, because a lock that is only given up some time after close is often free soon enough.
        for _ in 0..<20 {
          let holder = try await client.session()
          #expect(try await holder.run(attempt).bool(0, 0) == true)
          #expect(try await other.run(attempt).bool(0, 0) == false)
          #expect(holder.isAlive && other.isAlive)
          await holder.close()
          #expect(!holder.isAlive)
          #expect(try await other.run(attempt).bool(0, 0) == true)
          _ = try await other.run(PostgresStatement("select pg_advisory_unlock($1)", .int(key)))
          #expect(await failure { _ = try await holder.run(attempt) } == .closed)
          await holder.close()
        }
        await other.close()
      }
    }

    @Test("a session that loses its connection notices while idle, and is never opened again")
    func lostSession() async throws {
      try await withClient { client, _ in
        let session = try await client.session()
        let ask = PostgresStatement("select pg_backend_pid()")
        try await client.terminate(session.run(ask).int(0, 0) ?? 0)
        while session.isAlive {
          try Task.checkCancellation()
          await Task.yield()
        }
        #expect(await failure { _ = try await session.run(ask) } == .closed)
        await session.close()
      }
    }

    @Test("a session loses a call in the middle of which its backend ends")
    func sessionLosesCall() async throws {
      try await withClient { client, _ in
        let session = try await client.session()
        let end = PostgresStatement("select pg_terminate_backend(pg_backend_pid()), pg_sleep(60)")
        #expect(await failure { _ = try await session.run(end) }?.isLost == true)
        #expect(!session.isAlive)
        #expect(await failure { _ = try await session.transaction([end]) } == .closed)
        await session.close()
      }
    }

    @Test("a transaction reads what others commit meanwhile, whatever the server's default is")
    func isolation() async throws {
      try await withClient({ $0.settings["default_transaction_isolation"] = "repeatable read" }) { client, _ in
        let rows = try await client.transaction([PostgresStatement("select current_setting('transaction_isolation')")])
        #expect(rows.first?[0, 0] == "read committed")
      }
    }

    @Test("a session may hold a transaction over several calls")
    func sessionTransaction() async throws {
      try await withClient { client, _ in
        try await client.script("create table t (id int)")
        let session = try await client.session()
        _ = try await session.run(PostgresStatement("begin"))
        _ = try await session.run(PostgresStatement("insert into t values (1)"))
        #expect(try await client.number("select count(*) from t") == 0)
        _ = try await session.run(PostgresStatement("commit"))
        #expect(try await client.number("select count(*) from t") == 1)
        await session.close()
      }
    }

    @Test("closing ends waiting calls as closed and, at its bound, running ones as lost")
    func close() async throws {
      try await withClient { admin, options in
        let key = lockKey()
        let holder = try await admin.session()
        _ = try await holder.run(PostgresStatement("select pg_advisory_lock($1)", .int(key)))
        var single = options
        single.connections = 1
        let client = PostgresClient(single)
        let wait = PostgresStatement("select pg_advisory_lock($1)", .int(key))
        async let running = failure { _ = try await client.run(wait) }
        try await admin.untilWaiting(for: key, 1)
        async let closed: Void = client.close(graceMilliseconds: 10)
        async let late = failure { _ = try await client.run(wait) }
        #expect(await running?.isLost == true)
        #expect(await late == .closed)
        await closed
        #expect(await failure { _ = try await client.run(wait) } == .closed)
        await holder.close()
      }
    }

    @Test("closing lets a running call finish within its bound")
    func gracefulClose() async throws {
      try await withClient { admin, options in
        let key = lockKey()
        let holder = try await admin.session()
        _ = try await holder.run(PostgresStatement("select pg_advisory_lock($1)", .int(key)))
        let client = PostgresClient(options)
        let wait = PostgresStatement("select 7 from (select pg_advisory_xact_lock($1)) w", .int(key))
        async let running = client.run(wait)
        try await admin.untilWaiting(for: key, 1)
        async let closed: Void = client.close(graceMilliseconds: 30_000)
        await holder.close()
        #expect(try await running.int(0, 0) == 7)
        await closed
      }
    }

    @Test("clients and sessions that are let go end their threads and connections")
    func letGo() async throws {
      let url = try serverURL()
      do {
        let client = PostgresClient(PostgresOptions(url: url))
        _ = try await client.session()
        #expect(try await client.number("select 1") == 1)
      }
    }
  }
}
