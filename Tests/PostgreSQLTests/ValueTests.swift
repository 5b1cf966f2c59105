import PostgreSQL
import Testing

extension PostgreSQLTests {
  @Suite("values")
  struct ValueTests {
    @Test("single values of every kind come back as they went")
    func singles() async throws {
      try await withClient { client, _ in
        let texts = [
          "", "a", "it's \"quoted\" \\ {back},slash\n\t\r", "NULL", "\\x00", "订单 🚢 é",
          String(repeating: "ä", count: 100_000),
        ]
        for text in texts {
          let rows = try await client.run(PostgresStatement("select $1::text", .text(text)))
          #expect(rows[0, 0] == text)
        }
        for number in [0, 1, -1, 9, 10, Int64.max, Int64.min] {
          let rows = try await client.run(PostgresStatement("select $1::int8", .int(number)))
          #expect(rows.int(0, 0) == number)
          #expect(rows[0, 0] == "\(number)")
        }
        for flag in [true, false] {
          #expect(try await client.run(PostgresStatement("select $1::bool", .bool(flag))).bool(0, 0) == flag)
        }
        for bytes in [[], [0], [0, 1, 255, 92, 39], [UInt8](repeating: 0, count: 200_000)] as [[UInt8]] {
          let rows = try await client.run(PostgresStatement("select $1::bytea, length($1::bytea)", .bytes(bytes)))
          #expect(rows.bytes(0, 0) == bytes)
          #expect(rows.int(0, 1) == Int64(bytes.count))
        }
      }
    }

    @Test("NULL is nil in every form")
    func null() async throws {
      try await withClient { client, _ in
        let rows = try await client.run(
          PostgresStatement("select $1::text, $2::int, null::bool, null::bytea", .null, .null))
        #expect(rows[0, 0] == nil)
        #expect(rows.int(0, 1) == nil)
        #expect(rows.bool(0, 2) == nil)
        #expect(rows.bytes(0, 3) == nil)
      }
    }

    @Test(
      "text arrays come back element by element",
      arguments: [
        [], [""], ["a", nil, "NULL", "null"],
        ["\"", "\\", "\\\"", "a\"b\\c", "{}", "{a,b}", ",", " ", "a b ", "\n\r\t"],
        ["🚢", "订单", "é", "'"], [nil], [nil, nil],
      ] as [[String?]])
    func textArrays(list: [String?]) async throws {
      try await withClient { client, _ in
        let rows = try await client.run(
          PostgresStatement("select e from unnest($1::text[]) with ordinality u(e, n) order by n", .textArray(list)))
        #expect((0..<rows.count).map { rows[$0, 0] } == list)
      }
    }

    @Test("whole numbers, truth values and bytes come back element by element", arguments: [0, 1, 2, 300])
    func otherArrays(count: Int) async throws {
      try await withClient { client, _ in
        let numbers = (0..<count).map { Int64($0) * 0x1234_5678_9ABC - 1 }
        let flags = (0..<count).map { $0 % 3 == 0 }
        let bytes = (0..<count).map { [UInt8](repeating: UInt8($0 % 256), count: $0 % 7) }
        let rows = try await client.run(
          PostgresStatement(
            """
            select a, b, c from unnest($1::int8[], $2::bool[], $3::bytea[]) with ordinality u(a, b, c, n) order by n
            """, .intArray(numbers), .boolArray(flags), .bytesArray(bytes)))
        #expect((0..<rows.count).map { rows.int($0, 0) } == numbers)
        #expect((0..<rows.count).map { rows.bool($0, 1) } == flags)
        #expect((0..<rows.count).map { rows.bytes($0, 2) } == bytes)
      }
    }

    @Test("arrays of numbers are bigint, and text arrays whatever can be written as text")
    func casts() async throws {
      try await withClient { client, _ in
        let rows = try await client.run(
          PostgresStatement(
            "select ($1::bigint[])[2], ($2::numeric[])[1], ($3::uuid[])[1], $4::jsonb ->> 'a', $5::timestamptz",
            .intArray([1, -2]), .textArray(["1.50"]), .textArray(["00000000-0000-0000-0000-000000000001"]),
            .text(#"{"a": "b"}"#), .text("2024-01-02T03:04:05+08")))
        #expect(rows.int(0, 0) == -2)
        #expect(rows[0, 1] == "1.50")
        #expect(rows[0, 2] == "00000000-0000-0000-0000-000000000001")
        #expect(rows[0, 3] == "b")
        // The client sets the time zone and the form of dates.
        #expect(rows[0, 4] == "2024-01-01 19:04:05+00")
      }
    }

    @Test("a NUL in a text is refused before anything is done")
    func nul() async throws {
      try await withClient { client, _ in
        try await client.script("create table t (v text)")
        let insert = "insert into t values ($1)"
        for value in [PostgresValue.text("a\0b"), .textArray(["a", "\0"])] {
          let statements = [PostgresStatement(insert, .text("ok")), PostgresStatement(insert, value)]
          #expect(await failure { _ = try await client.transaction(statements) }?.isInvalid == true)
          #expect(await failure { _ = try await client.run(statements[1]) }?.isInvalid == true)
        }
        #expect(await failure { _ = try await client.run(PostgresStatement("select 1\0")) }?.isInvalid == true)
        #expect(await failure { try await client.script("select 1\0") }?.isInvalid == true)
        #expect(try await client.number("select count(*) from t") == 0)
      }
    }

    @Test("a batch of rows goes in by arrays, and counts and columns are told")
    func batch() async throws {
      try await withClient { client, _ in
        try await client.script("create table t (id int8 primary key, name text, done bool)")
        let insert = PostgresStatement(
          "insert into t select * from unnest($1::int8[], $2::text[], $3::bool[]) on conflict do nothing",
          .intArray((0..<256).map { $0 }), .textArray((0..<256).map { $0 % 5 == 0 ? nil : "name \($0)" }),
          .boolArray((0..<256).map { $0 % 2 == 0 }))
        #expect(try await client.run(insert).affected == 256)
        #expect(try await client.run(insert).affected == 0)
        let rows = try await client.run(PostgresStatement("select id, name as label from t where done order by id"))
        #expect(rows.count == 128)
        #expect(rows.columns == ["id", "label"])
        #expect(rows[1, 1] == "name 2")
        #expect(rows[0, 1] == nil)
        #expect(try await client.run(PostgresStatement("delete from t where id < $1", .int(10))).affected == 10)
      }
    }

    @Test("a value read as what it is not is nil")
    func misread() async throws {
      try await withClient { client, _ in
        let rows = try await client.run(
          PostgresStatement(
            "select 'x'::text, '9223372036854775808'::text, '-'::text, ''::text, '1.5'::text, 'ä'::text"))
        #expect((0..<6).map { rows.int(0, $0) } == [nil, nil, nil, nil, nil, nil])
        #expect(rows.bool(0, 0) == nil)
        #expect(rows.bytes(0, 5) == Array("ä".utf8))
      }
    }

    @Test("large requests and large answers in one transaction do not block each other")
    func large() async throws {
      try await withClient { client, _ in
        let megabyte = String(repeating: "ferry ", count: 200_000)
        let statements = (0..<20).map { _ in PostgresStatement("select $1::text", .text(megabyte)) }
        let results = try await client.transaction(statements)
        #expect(results.count == 20)
        #expect(results.allSatisfy { $0[0, 0] == megabyte })
        #expect(
          await failure {
            _ = try await client.run(
              PostgresStatement("select $1::bytea", .bytes([UInt8](repeating: 0, count: 65 << 20))))
          }?.isInvalid == true)
      }
    }
  }
}
