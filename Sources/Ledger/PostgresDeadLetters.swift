import Orders
public import Pipeline
import PostgreSQL

/// The archive of parked messages in PostgreSQL.
public final class PostgresDeadLetters: DeadLetters {
  private let database: LedgerDatabase

  /// The archive of a migrated database.
  public init(_ database: LedgerDatabase) { self.database = database }

  /// Files letters, as the port says.
  public func file(_ letters: [DeadLetter]) async throws(LedgerFailure) -> Filing {
    var filing = Filing()
    if letters.isEmpty { return filing }
    do throws(PostgresFailure) {
      // One by one in one transaction: a body may be large, and there are few.
      filing.new = try await attempt(letters)
      return filing
    } catch {
      guard error.mayLieWithTheData else { throw LedgerFailure(error, schema: database.schema) }
    }
    for (place, letter) in letters.enumerated() {
      do throws(PostgresFailure) { filing.new += try await attempt([letter]) } catch {
        guard error.mayLieWithTheData else { throw LedgerFailure(error, schema: database.schema) }
        filing.refused[place] = error.description
      }
    }
    return filing
  }

  /// Files letters in one transaction, or none.
  /// - Returns: how many are new.
  private func attempt(_ letters: [DeadLetter]) async throws(PostgresFailure) -> Int {
    // One process at a time: two that file the same message, parked twice, would not see each other's letter.
    let turn = PostgresStatement(
      "SELECT pg_advisory_xact_lock($1::int, hashtext($2::text))", .int(AdvisoryLock.deadLetters),
      .text(database.schema))
    return try await database.attempt([turn] + letters.map(statement)).dropFirst().reduce(0) { $0 + $1.affected }
  }

  private func statement(_ letter: DeadLetter) -> PostgresStatement {
    func number(_ value: Int64?) -> PostgresValue { value.map(PostgresValue.int) ?? .null }
    return PostgresStatement(
      """
      WITH given AS (
        SELECT
          sha256(convert_to($1::text, 'UTF8') || '\\x00'::bytea || convert_to($11::text, 'UTF8') || '\\x00'::bytea
            || $12::bytea) AS fingerprint,
          CASE WHEN $13::text <> '' THEN sha256(convert_to($1::text, 'UTF8') || '\\x00'::bytea
            || convert_to($13::text, 'UTF8') || '\\x00'::bytea || $12::bytea) END AS identity
      ), known AS (
        SELECT FROM dead_letters JOIN given USING (fingerprint)
        UNION ALL SELECT FROM dead_letter_repeats JOIN given USING (fingerprint)
      ), again AS (
        -- One that somebody deals with at this moment does not wait any more when its row is free.
        UPDATE dead_letters SET times = times + 1, last_parked_at = $9::bigint
        WHERE state = 'waiting' AND NOT EXISTS (SELECT FROM known) AND id = (
          SELECT min(id) FROM dead_letters JOIN given USING (identity) WHERE state = 'waiting')
        RETURNING id
      ), counted AS (
        INSERT INTO dead_letter_repeats (fingerprint, letter, parked_at) SELECT fingerprint, id, $9::bigint FROM given, again
      )
      INSERT INTO dead_letters (
        fingerprint, identity, stage, reason, sentence, order_id, order_number, revision, attempts, first_seen, parked_at,
        vendor_answer, properties, body)
      SELECT
        fingerprint, identity, $1::text, $2::text, $3::text, $4::bigint, $5::text, $6::bigint, $7::integer, $8::bigint,
        $9::bigint, $10::text, $11::text, $12::bytea
      FROM given WHERE NOT EXISTS (SELECT FROM known) AND NOT EXISTS (SELECT FROM again)
      ON CONFLICT (fingerprint) DO NOTHING
      """,
      .text(letter.stage.rawValue), .text(storable(letter.reason)), .text(storable(letter.sentence)),
      number(letter.orderID?.rawValue), letter.orderNumber.map { .text(storable($0)) } ?? .null,
      // Of a message that nobody has read any number may come: one that does not fit would hold up all others.
      number(letter.revision), number(letter.attempts.map { Int64(Int32(clamping: $0)) }), number(letter.firstSeen),
      .int(letter.parkedAt), .text(storable(letter.vendorAnswer)), .text(storable(letter.properties)),
      .bytes(letter.body), .text(storable(letter.identity)))
  }

  /// Letters, as the port says.
  public func letters(
    _ filter: LetterFilter, after: Int64, limit: Int, withBodies: Bool
  ) async throws(LedgerFailure) -> [FiledLetter] {
    func text(_ value: String?) -> PostgresValue { value.map { .text(storable($0)) } ?? .null }
    let rows = try await database.run(
      PostgresStatement(
        """
        SELECT id, state, by_whom, stage, reason, sentence, order_id, order_number, revision, attempts, first_seen,
          parked_at, vendor_answer, properties, CASE WHEN $8::boolean THEN body ELSE ''::bytea END, times,
          coalesce(last_parked_at, parked_at)
        FROM (
          SELECT *, row_number() OVER (ORDER BY id) AS place, sum(octet_length(body)) OVER (ORDER BY id) AS bytes
          FROM dead_letters
          WHERE id > $1::bigint AND ($2::bigint[] IS NULL OR id = ANY ($2::bigint[]))
            AND ($3::text IS NULL OR reason = $3::text)
            AND ($4::text IS NULL OR order_number = $4::text OR order_id::text = $4::text)
            AND ($5::text IS NULL OR stage = $5::text) AND ($6::text IS NULL OR state = $6::text)
          ORDER BY id LIMIT $7::bigint
        ) AS meant
        WHERE place = 1 OR NOT $8::boolean OR bytes <= $9::bigint
        ORDER BY id
        """,
        .int(after), filter.ids.map(PostgresValue.intArray) ?? .null, text(filter.reason), text(filter.order),
        text(filter.stage?.rawValue), text(filter.state?.rawValue), .int(Int64(limit)), .bool(withBodies),
        .int(Int64(filter.mostBodyBytes))))
    return (0..<rows.count).compactMap { FiledLetter(rows, $0) }
  }

  /// Letters that wait, counted, as the port says. The index over states finds them; their bodies are not read.
  public func waiting() async throws(LedgerFailure) -> [WaitingLetters] {
    let rows = try await database.run(
      PostgresStatement(
        """
        SELECT stage, reason, count(*), min(parked_at) FROM dead_letters WHERE state = 'waiting'
        GROUP BY stage, reason ORDER BY stage COLLATE "C", reason COLLATE "C"
        """))
    return (0..<rows.count).compactMap { row in
      guard let stage = rows[row, 0].flatMap(StageName.init), let reason = rows[row, 1], let count = rows.int(row, 2),
        let oldest = rows.int(row, 3)
      else { return nil }
      return WaitingLetters(stage: stage, reason: reason, count: Int(count), oldest: oldest)
    }
  }

  /// What was done to a letter, as the port says.
  public func acts(on id: Int64) async throws(LedgerFailure) -> [LetterAct] {
    let rows = try await database.run(
      PostgresStatement(
        """
        SELECT state, by_whom, (extract(epoch FROM at) * 1000)::bigint, how = 'refetch' FROM dead_letter_acts
        WHERE letter = $1::bigint ORDER BY id
        """, .int(id)))
    return (0..<rows.count).compactMap { row in
      guard let state = rows[row, 0].flatMap(FiledLetter.State.init), let by = rows[row, 1], let at = rows.int(row, 2)
      else { return nil }
      return LetterAct(state, by: by, at: at, isRefetch: rows.bool(row, 3) ?? false)
    }
  }

  /// Records an act, as the port says: what the letter becomes and who did it, in one statement.
  public func mark(
    _ ids: [Int64], _ state: FiledLetter.State, by: String, read times: [Int]?
  ) async throws(LedgerFailure) -> [Int64] {
    let rows = try await database.run(
      PostgresStatement(
        """
        WITH marked AS (
          UPDATE dead_letters SET state = $2::text, by_whom = $3::text
          FROM unnest($1::bigint[], $4::bigint[]) AS meant (letter, read)
          WHERE id = letter AND (read IS NULL OR times = read) AND ($2::text = 'replayed' OR state = 'waiting')
          RETURNING id
        ), told AS (
          INSERT INTO dead_letter_acts (letter, state, by_whom) SELECT id, $2::text, $3::text FROM marked
        )
        SELECT id FROM marked ORDER BY id
        """, .intArray(ids), .text(state.rawValue), .text(storable(by)), .intArray((times ?? []).map { Int64($0) })))
    return (0..<rows.count).compactMap { rows.int($0, 0) }
  }

  /// Has orders read anew, as the port says: letters, acts and requests in one statement.
  public func refetch(_ ids: [Int64], by: String) async throws(LedgerFailure) -> [Int64] {
    let rows = try await database.run(
      PostgresStatement(
        """
        WITH marked AS (
          UPDATE dead_letters SET state = 'replayed', by_whom = $2::text
          WHERE id = ANY ($1::bigint[]) AND order_id IS NOT NULL
          RETURNING id, order_id
        ), told AS (
          INSERT INTO dead_letter_acts (letter, state, by_whom, how)
          SELECT id, 'replayed', $2::text, 'refetch' FROM marked
        ), asked AS (
          INSERT INTO order_refetches AS row (order_id, asked_by, letters)
          SELECT order_id, $2::text, array_agg(id ORDER BY id) FROM marked GROUP BY order_id ORDER BY order_id
          ON CONFLICT (order_id) DO UPDATE SET
            request = EXCLUDED.request, asked = EXCLUDED.asked, asked_by = EXCLUDED.asked_by,
            letters = row.letters || EXCLUDED.letters, tried = NULL
        )
        SELECT id FROM marked ORDER BY id
        """, .intArray(ids), .text(storable(by))))
    return (0..<rows.count).compactMap { rows.int($0, 0) }
  }
}

extension FiledLetter {
  fileprivate init?(_ rows: PostgresRows, _ row: Int) {
    guard let id = rows.int(row, 0), let state = rows[row, 1].flatMap(State.init),
      let stage = rows[row, 3].flatMap(StageName.init), let reason = rows[row, 4], let sentence = rows[row, 5],
      let parkedAt = rows.int(row, 11), let answer = rows[row, 12], let properties = rows[row, 13],
      let body = rows.bytes(row, 14), let times = rows.int(row, 15), let last = rows.int(row, 16)
    else { return nil }
    var letter = DeadLetter(
      stage: stage, reason: reason, sentence: sentence, parkedAt: parkedAt, properties: properties, body: body)
    letter.orderID = rows.int(row, 6).map { OrderID(rawValue: $0) }
    letter.orderNumber = rows[row, 7]
    letter.revision = rows.int(row, 8)
    letter.attempts = rows.int(row, 9).map { Int($0) }
    letter.firstSeen = rows.int(row, 10)
    letter.vendorAnswer = answer
    self.init(id: id, state: state, by: rows[row, 2], letter: letter)
    (self.times, lastParkedAt) = (Int(times), last)
  }
}

extension PostgresFailure {
  /// Whether another letter may fare better: a value, a constraint or a limit, not the connection, the tables or the server's
  /// disk. Memory is a matter of the letter too, since a large one takes some.
  fileprivate var mayLieWithTheData: Bool {
    switch self {
    case .invalid: true
    case .refused(let state, _): ["22", "23", "54", "XX"].contains(state.prefix(2)) || state == "53200"
    case .unreachable, .lost, .timedOut, .closed: false
    }
  }
}
