public import Orders
import Pipeline
import PostgreSQL

/// Why records cannot be put into a collection.
public struct CollectionRefusal: Error, Sendable, Equatable, CustomStringConvertible {
  /// One sentence.
  public let description: String
}

/// One filling of a collection. Its records are gathered in a table of its connection, which goes with it: until `finish`
/// nobody else sees any of them, no transaction is open, and nothing is locked but the right to fill this collection.
public actor CollectionFill {
  /// How the records get into the collection at the end.
  public enum Manner: Sendable {
    /// In one transaction: all is seen at once, or nothing is done.
    case atOnce
    /// A thousand at a time: for a collection that somebody else stores into, who must not wait.
    case inPortions
  }

  /// What came of a filling.
  public struct Outcome: Sendable, Equatable {
    /// Records that were given.
    public let stored: Int
    /// Those of them that were new or different, and not stored by somebody else meanwhile.
    public let changed: Int
    /// Records that were removed, since they were not given and nobody else stored them meanwhile.
    public let removed: Int
  }

  private let session: PostgresSession
  private let schema: String
  private let collection: String
  private let manner: Manner
  private var stored = 0
  /// When it began, by the server's clock.
  private var began = ""
  /// Whether `finish` failed after part of the records had come into the collection.
  public private(set) var isPartlyDone = false

  init(_ database: LedgerDatabase, _ collection: String, _ manner: Manner) async throws {
    do throws(PostgresFailure) { session = try await database.client.session() } catch {
      throw LedgerFailure(error, schema: database.schema)
    }
    schema = database.schema
    self.collection = storable(collection)
    self.manner = manner
  }

  fileprivate func begin() async throws {
    do throws(PostgresFailure) {
      // The connection's: it is given back when that ends, whatever ends it.
      _ = try await session.run(
        PostgresStatement(
          "SELECT pg_advisory_lock($1::int, hashtext($2::text))", .int(AdvisoryLock.collection),
          .text("\(schema)/\(collection)")))
    } catch {
      if case .refused(sqlState: "55P03", _) = error {
        throw CollectionRefusal(description: "\(collection) is being filled by somebody else")
      }
      throw LedgerFailure(error, schema: schema)
    }
    began = try await run(PostgresStatement(FillSQL.begin, .text(collection)))[0, 0] ?? ""
    _ = try await run(PostgresStatement(FillSQL.table))
  }

  /// Adds records, at most 2,000 and a few megabytes at a time. Any time may pass between two calls.
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
    let gathered = try await run(
      PostgresStatement(
        FillSQL.gather, ids, .int(Int64(stored)), .bytesArray(batch.map(\.content)),
        .textArray(batch.map { IndexedRecord.entries(of: $0.content, in: collection) })))
    if gathered.affected != batch.count {
      let rows = try await run(PostgresStatement(FillSQL.twice, ids, .int(Int64(stored))))
      throw Self.twice(rows[0, 0] ?? "", Int(rows.int(0, 1) ?? 0), Int(rows.int(0, 2) ?? 0))
    }
    stored += batch.count
  }

  private static func twice(_ id: String, _ first: Int, _ second: Int) -> CollectionRefusal {
    CollectionRefusal(description: "record \(second) has the id «\(id.prefix(80))» of record \(first)")
  }

  /// Brings the records into the collection. What somebody else stored there since the filling began is newer than they are, and
  /// stays.
  /// - Parameter replaces: records that were not added are removed.
  public func finish(replaces: Bool) async throws -> Outcome {
    _ = try await run(PostgresStatement("ANALYZE ferry_filled"))
    let isAtOnce = manner == .atOnce
    if isAtOnce { _ = try await run(PostgresStatement("BEGIN")) }
    let changed = try await bringIn(portion: isAtOnce ? 5_000 : 1_000)
    let removed = replaces ? try await remove(portion: isAtOnce ? 20_000 : 1_000) : 0
    if isAtOnce { _ = try await run(PostgresStatement("COMMIT")) }
    isPartlyDone = false
    await abandon()
    return Outcome(stored: stored, changed: changed, removed: removed)
  }

  /// In portions, since a statement has a time limit.
  private func bringIn(portion: Int) async throws -> Int {
    var changed = 0
    for start in stride(from: 0, to: stored, by: portion) {
      changed += try await run(
        PostgresStatement(
          FillSQL.bringIn, .text(collection), .int(Int64(start)), .int(Int64(start + portion)),
          .int(IndexedRecord.layout), .text(began))
      ).affected
      isPartlyDone = manner == .inPortions && changed > 0
    }
    return changed
  }

  private func remove(portion: Int) async throws -> Int {
    var removed = 0
    var last = ""
    while true {
      let page = try await run(
        PostgresStatement(FillSQL.remove, .text(collection), .text(last), .int(Int64(portion)), .text(began)))
      guard let next = page[0, 0] else { return removed }
      last = next
      removed += Int(page.int(0, 1) ?? 0)
      isPartlyDone = isPartlyDone || manner == .inPortions && removed > 0
    }
  }

  /// Ends it. Before `finish` the collection stays as it was.
  public func abandon() async {
    // A transaction that failed would hold the right to fill until the server sees the connection's end.
    _ = try? await session.run(PostgresStatement("ROLLBACK"))
    // Nothing depends on this row: where it stays, the next filling writes it anew.
    _ = try? await session.run(PostgresStatement(FillSQL.end, .text(collection), .text(began)))
    await session.close()
  }

  /// Runs a statement; again, where it is a transaction of its own, when it lost a race against somebody else's.
  private func run(_ statement: PostgresStatement) async throws(LedgerFailure) -> PostgresRows {
    var left = manner == .inPortions ? LedgerDatabase.tries : 1
    while true {
      left -= 1
      do throws(PostgresFailure) { return try await session.run(statement) } catch {
        guard left > 0, LedgerDatabase.lostRace(error) else { throw LedgerFailure(error, schema: schema) }
      }
    }
  }
}

extension PostgresCollections {
  /// Begins to fill a collection. It must be ended by `finish`, or by `abandon`, also when `finish` fails.
  /// - Parameter manner: how the records get into it.
  /// - Throws: `CollectionRefusal` when somebody else fills it; `LedgerFailure`.
  public func filling(_ collection: String, _ manner: CollectionFill.Manner = .atOnce) async throws -> CollectionFill {
    let fill = try await CollectionFill(database, collection, manner)
    do { try await fill.begin() } catch {
      await fill.abandon()
      throw error
    }
    return fill
  }
}
