import DriverThread
import Foundation
import Glibc
import PostgreSQL
import TestSockets
import Testing

extension PostgreSQLTests {
  @Suite("connections that fail")
  struct ConnectionTests {
    @Test("a server that is not there ends every waiting call as unreachable")
    func refused() async throws {
      let client = PostgresClient(PostgresOptions(url: "postgresql://u:canary@127.0.0.1:\(closedPort())/d"))
      await withTaskGroup(of: PostgresFailure?.self) { group in
        for _ in 0..<20 { group.addTask { await failure { _ = try await client.number("select 1") } } }
        for await reason in group {
          #expect(reason?.isUnreachable == true)
          #expect(reason?.description.contains("canary") == false)
        }
      }
      #expect(await failure { _ = try await client.session() }?.isUnreachable == true)
      await client.close()
    }

    @Test("a server that says nothing ends a call as unreachable at the connect timeout")
    func silent() async throws {
      let (socket, port) = listenOnLoopback()
      var options = PostgresOptions(url: "postgresql://u:p@127.0.0.1:\(port)/d?sslmode=disable")
      options.connectTimeoutSeconds = 1
      let client = PostgresClient(options)
      #expect(await failure { _ = try await client.number("select 1") } == .unreachable("no answer within 1 s"))
      await client.close()
      close(socket)
    }

    @Test("a server without TLS is not used when the URL demands TLS")
    func noTLS() async throws {
      // Answers the request for TLS with "N", no.
      let server = LoopbackServer { _, client, _ in
        var request = [UInt8](repeating: 0, count: 8)
        _ = recv(client, &request, 8, Int32(MSG_WAITALL))
        _ = sendAll(client, "N".utf8)
        _ = receiveSome(client)
      }
      defer { server.stop() }
      let url = "postgresql://u:canary@127.0.0.1:\(server.port)/d?sslmode=require"
      let client = PostgresClient(PostgresOptions(url: url))
      let reason = await failure { _ = try await client.number("select 1") }
      #expect(reason?.isUnreachable == true)
      #expect(reason?.description.contains("SSL") == true)
      await client.close()
    }

    @Test("a wrong password is a clear refusal that does not show it")
    func wrongPassword() async throws {
      let client = PostgresClient(PostgresOptions(url: try serverURL { $0.password = "canary-password" }))
      let reason = try #require(await failure { _ = try await client.number("select 1") })
      #expect(reason.sqlState == "28P01")
      #expect(reason.description.contains("password authentication failed"))
      #expect(!reason.description.contains("canary"))
      #expect(!reason.isTransient)
      await client.close()
    }

    @Test("an unknown database is a refusal")
    func unknownDatabase() async throws {
      let client = PostgresClient(PostgresOptions(url: try serverURL { $0.path = "/ferry_nowhere" }))
      #expect(await failure { _ = try await client.number("select 1") }?.sqlState == "3D000")
      await client.close()
    }

    @Test(
      "a URL or option that cannot be used is invalid on every call, and not shown",
      arguments: ["postgresql://u:canary@[::1/d", "postgresql://u:canary@h/d?canary=1", "canary", "host=canary'", ""])
    func invalid(url: String) async throws {
      guard url != "" else {
        var options = PostgresOptions(url: "postgresql://h/d")
        options.connections = 0
        let client = PostgresClient(options)
        #expect(await failure { _ = try await client.number("select 1") }?.isInvalid == true)
        return await client.close()
      }
      let client = PostgresClient(PostgresOptions(url: url))
      let reason = try #require(await failure { _ = try await client.number("select 1") })
      #expect(reason.isInvalid)
      #expect(!reason.description.contains("canary"))
      #expect(await failure { _ = try await client.session() }?.isInvalid == true)
      await client.close()
    }

    @Test("a backend that ends in the middle of a call loses it, and the next call works")
    func terminated() async throws {
      try await withClient({ $0.connections = 1 }) { client, _ in
        try await client.script("create table t (id int)")
        let end = PostgresStatement("select pg_terminate_backend(pg_backend_pid()), pg_sleep(60)")
        let reason = try #require(await failure { _ = try await client.run(end) })
        #expect(reason.isLost)
        #expect(reason.isTransient)
        #expect(reason.description.contains("57P01"))
        #expect(try await client.number("select 1") == 1)
        let insert = PostgresStatement("insert into t values (1)")
        #expect(await failure { _ = try await client.transaction([insert, end]) }?.isLost == true)
        #expect(await failure { try await client.script("insert into t values (1); \(end.sql)") }?.isLost == true)
        #expect(try await client.number("select count(*) from t") == 0)
      }
    }

    @Test("a connection lost while idle is noticed: the next call opens another, prepares again and succeeds")
    func lostWhileIdle() async throws {
      try await withClient({ $0.connections = 1 }) { client, options in
        let admin = PostgresClient(options)
        let statement = PostgresStatement("select pg_backend_pid(), $1::text", .text("x"))
        for _ in 0..<3 {
          let before = try await client.run(statement)
          try await admin.terminate(before.int(0, 0) ?? 0)
          let after = try await client.run(statement)
          #expect(after.int(0, 0) != before.int(0, 0))
          #expect(after[0, 1] == "x")
        }
        await admin.close()
      }
    }

    @Test("a statement is prepared once, and again when the server forgot it or its table changed")
    func prepared() async throws {
      try await withClient({ $0.connections = 1 }) { client, _ in
        try await client.script("create table t (a int); insert into t values (1)")
        let all = PostgresStatement("select * from t")
        for _ in 0..<3 { #expect(try await client.run(all).columns == ["a"]) }
        let count = "select count(*) from pg_prepared_statements where statement = 'select * from t'"
        #expect(try await client.number(count) == 1)
        try await client.script("alter table t add b int")
        #expect(try await client.run(all).columns == ["a", "b"])
        #expect(try await client.transaction([all, all]).map(\.columns) == [["a", "b"], ["a", "b"]])
        try await client.script("deallocate all")
        #expect(try await client.run(all).columns == ["a", "b"])
        #expect(try await client.number(count) == 1)
      }
    }

    @Test("more different statements than are kept prepared still run")
    func manyStatements() async throws {
      try await withClient({ $0.connections = 1 }) { client, _ in
        for number in 0..<300 {
          let answer = try await client.number("select \(number)")
          #expect(answer == Int64(number))
        }
        #expect(try await client.number("select count(*) from pg_prepared_statements") ?? 0 <= 256)
      }
    }

    @Test("no answer within the call timeout loses the call, though the server committed; the next call works")
    func callTimeout() async throws {
      let relay = try Relay(to: serverURL())
      let url = try serverURL {
        $0.host = "127.0.0.1"
        $0.port = relay.port
      }
      try await withClient(
        url: url,
        {
          $0.connections = 1
          $0.callTimeoutMilliseconds = 1_000
        }
      ) { client, options in
        var direct = options
        direct.url = try serverURL()
        direct.callTimeoutMilliseconds = 20_000
        let admin = PostgresClient(direct)
        try await admin.script("create table t (id int)")
        _ = try await client.number("select 1")
        relay.mute()
        let reason = await failure { _ = try await client.transaction([PostgresStatement("insert into t values (1)")]) }
        #expect(reason == .lost("no answer in time"))
        #expect(try await admin.number("select count(*) from t") == 1)
        relay.unmute()
        #expect(try await client.number("select count(*) from t") == 1)
        #expect(relay.connections == 2)
        await admin.close()
      }
      relay.stop()
    }

    @Test("the session's settings are in force")
    func settings() async throws {
      try await withClient({
        $0.applicationName = "ferry test"
        $0.statementTimeoutMilliseconds = 12_345
        $0.lockTimeoutMilliseconds = 2_345
      }) { client, options in
        let expected = [
          "application_name": "ferry test", "statement_timeout": "12345ms", "lock_timeout": "2345ms",
          "idle_in_transaction_session_timeout": "40s", "search_path": options.searchPath, "TimeZone": "UTC",
          "client_encoding": "UTF8",
        ]
        let rows = try await client.run(
          PostgresStatement("select n, current_setting(n) from unnest($1::text[]) n", .textArray(Array(expected.keys))))
        for row in 0..<rows.count { #expect(rows[row, 1] == expected[rows[row, 0] ?? ""]) }
        #expect(rows.count == expected.count)
      }
    }
  }
}
