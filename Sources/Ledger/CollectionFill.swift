public import Orders
public import Pipeline
import PostgreSQL

/// Why records cannot be put into a collection.
public struct CollectionRefusal: Error, Sendable, Equatable, CustomStringConvertible {
  /// One sentence.
  public let description: String
}

/// One filling of a collection: a transaction over many batches. Until `finish` nobody else sees any of it, and if the
/// program dies the collection stays as it was.
public actor CollectionFill {
  /// What came of a filling.
  public struct Outcome: Sendable, Equatable {
    /// Records that were given.
    public let stored: Int
    /// Those of them that were new or different.
    public let changed: Int
    /// Records that were removed, since they were not given.
    public let removed: Int
  }

  private let session: PostgresSession
  private let schema: String
  private let collection: String
  private var stored = 0
  private var changed = 0

  init(_ database: LedgerDatabase, _ collection: String) async throws {
    do throws(PostgresFailure) { session = try await database.client.session() } catch {
      throw LedgerFailure(error, schema: database.schema)
    }
    schema = database.schema
    self.collection = storable(collection)
  }

  fileprivate func begin() async throws {
    _ = try await run(PostgresStatement("BEGIN"))
    do throws(PostgresFailure) {
      _ = try await session.run(
        PostgresStatement(
          "SELECT pg_advisory_xact_lock($1::int, hashtext($2::text))", .int(AdvisoryLock.collection),
          .text("\(schema)/\(collection)")))
    } catch {
      if case .refused(sqlState: "55P03", _) = error {
        throw CollectionRefusal(description: "\(collection) is being filled by somebody else")
      }
      throw LedgerFailure(error, schema: schema)
    }
    _ = try await run(
      PostgresStatement("CREATE TEMP TABLE ferry_filled (id text PRIMARY KEY, number bigint NOT NULL) ON COMMIT DROP"))
    _ = try await run(
      PostgresStatement("CREATE TEMP TABLE ferry_gone (number bigint PRIMARY KEY, id text NOT NULL) ON COMMIT DROP"))
  }

  /// Adds records, at most 2,000 and a few megabytes at a time.
  /// - Throws: `CollectionRefusal` for an id that was added before; `LedgerFailure`.
  public func add(_ records: [CollectionRecord]) async throws {
    let batch = records.map { CollectionRecord(id: storable($0.id), content: $0.content) }
    var numbers: [String: Int] = [:]
    for (offset, record) in batch.enumerated() {
      if let first = numbers.updateValue(stored + offset + 1, forKey: record.id) {
        throw Self.twice(record.id, first, stored + offset + 1)
      }
    }
    let ids = PostgresValue.textArray(batch.map(\.id))
    let marked = try await run(
      PostgresStatement(
        """
        INSERT INTO ferry_filled SELECT id, $2::bigint + number
        FROM unnest($1::text[]) WITH ORDINALITY AS new (id, number) ON CONFLICT DO NOTHING
        """, ids, .int(Int64(stored))))
    if marked.affected != batch.count {
      let rows = try await run(
        PostgresStatement(
          """
          SELECT held.id, held.number, $2::bigint + new.number
          FROM unnest($1::text[]) WITH ORDINALITY AS new (id, number) JOIN ferry_filled held USING (id)
          WHERE held.number <= $2::bigint ORDER BY new.number LIMIT 1
          """, ids, .int(Int64(stored))))
      throw Self.twice(rows[0, 0] ?? "", Int(rows.int(0, 1) ?? 0), Int(rows.int(0, 2) ?? 0))
    }
    changed += try await run(PostgresCollections.storing(batch, in: collection)).affected
    stored += batch.count
  }

  private static func twice(_ id: String, _ first: Int, _ second: Int) -> CollectionRefusal {
    CollectionRefusal(description: "record \(second) has the id «\(id.prefix(80))» of record \(first)")
  }

  /// Makes all of it seen at once.
  /// - Parameter replaces: records that were not added are removed.
  public func finish(replaces: Bool) async throws -> Outcome {
    var removed = 0
    if replaces {
      _ = try await run(PostgresStatement("ANALYZE ferry_filled"))
      let gone = try await run(PostgresStatement(Self.goneSQL, .text(collection))).affected
      // In parts: a statement has a time limit.
      for start in stride(from: 0, to: gone, by: 20_000) {
        removed += try await run(
          PostgresStatement(Self.removeSQL, .text(collection), .int(Int64(start)), .int(Int64(start + 20_000)))
        ).affected
      }
    }
    _ = try await run(PostgresStatement("COMMIT"))
    await session.close()
    return Outcome(stored: stored, changed: changed, removed: removed)
  }

  /// Leaves the collection as it was.
  public func abandon() async { await session.close() }

  private func run(_ statement: PostgresStatement) async throws(LedgerFailure) -> PostgresRows {
    do throws(PostgresFailure) { return try await session.run(statement) } catch {
      throw LedgerFailure(error, schema: schema)
    }
  }

  private static let goneSQL = """
    INSERT INTO ferry_gone SELECT row_number() OVER (), stored.id FROM collection_records stored
    WHERE stored.collection = $1::text AND NOT EXISTS (SELECT FROM ferry_filled held WHERE held.id = stored.id)
    """

  private static let removeSQL = """
    DELETE FROM collection_records stored USING ferry_gone gone
    WHERE stored.collection = $1::text AND stored.id = gone.id AND gone.number > $2::bigint AND gone.number <= $3::bigint
    """
}

extension PostgresCollections {
  /// Begins to fill a collection. It must be ended by `finish` or `abandon`.
  /// - Throws: `CollectionRefusal` when somebody else fills it; `LedgerFailure`.
  public func filling(_ collection: String) async throws -> CollectionFill {
    let fill = try await CollectionFill(database, collection)
    do { try await fill.begin() } catch {
      await fill.abandon()
      throw error
    }
    return fill
  }

  /// The collections that hold a record, in order.
  public func names() async throws(LedgerFailure) -> [String] {
    // From one name to the next in the index, however many records lie between.
    let rows = try await database.run(
      PostgresStatement(
        """
        WITH RECURSIVE names AS (
          (SELECT collection FROM collection_records ORDER BY collection LIMIT 1)
          UNION ALL
          SELECT (
            SELECT next.collection FROM collection_records next
            WHERE next.collection > names.collection ORDER BY next.collection LIMIT 1)
          FROM names WHERE names.collection IS NOT NULL)
        SELECT collection FROM names WHERE collection IS NOT NULL
        """))
    return (0..<rows.count).compactMap { rows[$0, 0] }
  }

  /// The collections that hold a record, and how many each.
  public func counts() async throws(LedgerFailure) -> [(name: String, records: Int)] {
    let rows = try await database.run(
      PostgresStatement("SELECT collection, count(*) FROM collection_records GROUP BY collection ORDER BY collection"))
    return (0..<rows.count).compactMap { row in
      rows[row, 0].map { (name: $0, records: Int(rows.int(row, 1) ?? 0)) }
    }
  }
}
