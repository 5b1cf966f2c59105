import PostgreSQL
import Testing

extension PostgreSQLTests {
  @Suite("statements that fail")
  struct FailureTests {
    @Test("a transaction takes effect as a whole or not at all")
    func atomic() async throws {
      try await withClient { client, _ in
        try await client.script("create table t (id int primary key)")
        let insert = "insert into t values ($1)"
        let results = try await client.transaction([
          PostgresStatement(insert, .int(1)), PostgresStatement(insert, .int(2)),
          PostgresStatement("select count(*) from t"),
        ])
        #expect(results.map(\.affected) == [1, 1, 1])
        #expect(results[2].int(0, 0) == 2)
        for position in 0..<3 {
          var statements = [3, 4].map { PostgresStatement(insert, .int($0)) }
          statements.insert(PostgresStatement(insert, .int(1)), at: position)
          #expect(await failure { _ = try await client.transaction(statements) }?.sqlState == "23505")
          #expect(try await client.number("select count(*) from t") == 2)
        }
        #expect(try await client.transaction([]).isEmpty)
      }
    }

    @Test("a constraint that is checked at the commit fails the call", arguments: [true, false])
    func deferred(asTransaction: Bool) async throws {
      try await withClient { client, _ in
        try await client.script(
          "create table t (id int unique deferrable initially deferred); insert into t values (1)")
        let again = PostgresStatement("insert into t values (1)")
        let reason = await failure {
          if asTransaction { _ = try await client.transaction([again]) } else { _ = try await client.run(again) }
        }
        #expect(reason?.sqlState == "23505")
        #expect(try await client.number("select count(*) from t") == 1)
      }
    }

    @Test("a refusal has its SQLSTATE and primary message, without DETAIL, HINT or parameters")
    func refusal() async throws {
      try await withClient { client, _ in
        try await client.script("create table t (name text primary key)")
        let insert = PostgresStatement("insert into t values ($1)", .text("canary"))
        _ = try await client.run(insert)
        let reason = try #require(await failure { _ = try await client.run(insert) })
        #expect(
          reason == .refused(sqlState: "23505", message: "duplicate key value violates unique constraint \"t_pkey\""))
        #expect(!reason.isTransient)
        #expect(!"\(reason)".contains("canary"))
        let raise =
          "do $$ begin raise exception using errcode = 'P0001', message = 'primary', detail = 'canary', hint = 'canary'; end $$"
        #expect(await failure { try await client.script(raise) } == .refused(sqlState: "P0001", message: "primary"))
      }
    }

    @Test(
      "failures know whether trying again may help",
      arguments: [
        ("08006", true), ("08P01", false), ("57P01", true), ("57P02", true), ("57P03", true), ("53300", true),
        ("40001", true),
        ("40P01", true), ("55P03", true), ("23505", false), ("42P01", false), ("22P02", false), ("57000", false),
      ])
    func transience(state: String, isTransient: Bool) {
      #expect(PostgresFailure.refused(sqlState: state, message: "").isTransient == isTransient)
    }

    @Test("unreachable, lost and timed-out calls may be tried again, invalid and closed ones not")
    func otherTransience() {
      #expect([PostgresFailure.unreachable(""), .lost(""), .timedOut].allSatisfy { $0.isTransient })
      #expect(![PostgresFailure.invalid(""), .closed].contains { $0.isTransient })
    }

    @Test("wrong statements are refused, and the connection goes on")
    func wrong() async throws {
      try await withClient({ $0.connections = 1 }) { client, _ in
        let cases: [(PostgresStatement, String)] = [
          (PostgresStatement("selec 1"), "42601"), (PostgresStatement("select * from nowhere"), "42P01"),
          (PostgresStatement("select $1::int", .text("x")), "22P02"), (PostgresStatement("select 1 / 0"), "22012"),
          (PostgresStatement("select 1; select 2"), "42601"),
          (PostgresStatement("select $1::int, $2::int", .int(1)), "08P01"),
        ]
        let pid = try await client.number("select pg_backend_pid()")
        for (statement, state) in cases {
          #expect(await failure { _ = try await client.run(statement) }?.sqlState == state)
          #expect(await failure { _ = try await client.transaction([statement]) }?.sqlState == state)
        }
        #expect(try await client.number("select pg_backend_pid()") == pid)
        #expect(try await client.run(PostgresStatement("")).count == 0)
      }
    }

    @Test("the server's statement timeout ends a call, and the connection goes on")
    func statementTimeout() async throws {
      try await withClient({
        $0.connections = 1
        $0.statementTimeoutMilliseconds = 50
      }) { client, _ in
        let pid = try await client.number("select pg_backend_pid()")
        let sleep = PostgresStatement("select pg_sleep(60)")
        #expect(await failure { _ = try await client.run(sleep) } == .timedOut)
        #expect(await failure { _ = try await client.transaction([sleep]) } == .timedOut)
        #expect(await failure { try await client.script("select pg_sleep(60)") } == .timedOut)
        #expect(try await client.number("select pg_backend_pid()") == pid)
      }
    }

    @Test("a lock that is not given in time ends a call as transient")
    func lockTimeout() async throws {
      try await withClient({ $0.lockTimeoutMilliseconds = 50 }) { client, _ in
        let key = lockKey()
        let holder = try await client.session()
        _ = try await holder.run(PostgresStatement("select pg_advisory_lock($1)", .int(key)))
        let reason = await failure {
          _ = try await client.transaction([PostgresStatement("select pg_advisory_xact_lock($1)", .int(key))])
        }
        #expect(reason?.sqlState == "55P03")
        #expect(reason?.isTransient == true)
        await holder.close()
      }
    }

    @Test("a statement that leaves a transaction open is undone and refused")
    func openTransaction() async throws {
      try await withClient({ $0.connections = 1 }) { client, _ in
        #expect(await failure { _ = try await client.run(PostgresStatement("begin")) }?.isInvalid == true)
        let script = "create table t (id int); begin; insert into t values (1)"
        #expect(await failure { try await client.script(script) }?.isInvalid == true)
        _ = try await client.run(PostgresStatement("create table u (id int)"))
        #expect(try await client.run(PostgresStatement("select to_regclass('u')::text"))[0, 0] == "u")
      }
    }

    @Test("COPY is refused, and the client goes on")
    func copy() async throws {
      try await withClient({ $0.connections = 1 }) { client, _ in
        for sql in ["copy (select 1) to stdout", "create temp table c (v int); copy c from stdin"] {
          #expect(await failure { try await client.script(sql) }?.isInvalid == true)
          let next = try await client.number("select 1")
          #expect(next == 1)
        }
        #expect(await failure { _ = try await client.run(PostgresStatement("copy (select 1) to stdout")) } != nil)
        let next = try await client.number("select 1")
        #expect(next == 1)
      }
    }

    @Test("a script runs all its statements or, without BEGIN, none")
    func script() async throws {
      try await withClient { client, _ in
        try await client.script("create table t (id int); insert into t values (1); insert into t select 2;")
        #expect(try await client.number("select count(*) from t") == 2)
        let half = "insert into t values (3); select 1 / 0; insert into t values (4)"
        #expect(await failure { try await client.script(half) }?.sqlState == "22012")
        #expect(
          await failure { try await client.script("begin; insert into t values (5); select 1 / 0; commit") }?.sqlState
            == "22012")
        #expect(try await client.number("select count(*) from t") == 2)
        try await client.script("")
      }
    }
  }
}
