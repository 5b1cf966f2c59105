public import Orders
public import Pipeline
import PostgreSQL

extension PostgresPollLedger: SweepLedger {
  /// Begins a reconciliation, as the port says.
  public func startReconcile(_ window: TimeWindow, everySeconds: Int) async throws(LedgerFailure) {
    guard let fence = await leadership.fence else { return }
    _ = try await database.run(
      PostgresStatement(
        """
        WITH held AS (SELECT fence FROM poll_lease WHERE fence = $4::bigint FOR SHARE)
        INSERT INTO sweeps (kind, basis, from_at, to_at, next_at, state)
        SELECT 'reconcile', 'create', CASE WHEN is_first THEN $2::bigint ELSE $1::bigint END, $2::bigint,
          CASE WHEN is_first THEN $2::bigint + 1 ELSE $1::bigint END, CASE WHEN is_first THEN 'done' ELSE 'running' END
        FROM held, (SELECT NOT EXISTS (SELECT FROM sweeps WHERE kind = 'reconcile') AS is_first) AS begun
        WHERE NOT EXISTS (
          -- One that a wrong clock began in the future must not be the last for as long.
          SELECT FROM sweeps WHERE kind = 'reconcile' AND to_at <= $2::bigint + $3::bigint
            AND (state IN ('running', 'paused') OR to_at > $2::bigint - $3::bigint))
        """,
        .int(window.from.epochSeconds), .int(window.to.epochSeconds), .int(Int64(everySeconds)), .int(fence)))
  }

  /// Sweeps under way, as the port says.
  public func runningSweeps() async throws(LedgerFailure) -> [Sweep] {
    sweeps(in: try await database.run(PostgresStatement(Self.sweepSQL + " WHERE state = 'running' ORDER BY id")))
  }

  /// Moves a sweep on, as the port says.
  public func advance(
    _ sweep: Sweep, past second: BeijingTime, _ findings: SweepFindings
  ) async throws(LedgerFailure) -> Bool {
    guard let fence = await leadership.fence else { return false }
    let rows = try await database.run(
      PostgresStatement(
        """
        WITH held AS (SELECT fence FROM poll_lease WHERE fence = $8::bigint FOR SHARE)
        UPDATE sweeps SET next_at = $3::bigint + 1, orders_read = orders_read + $4::bigint, missed = missed + $5::bigint,
          changed = changed + $6::bigint, failed = failed + $7::bigint, moved = clock_timestamp(),
          state = CASE WHEN $3::bigint >= to_at THEN 'done' ELSE state END
        FROM held
        WHERE id = $1::bigint AND next_at = $2::bigint AND state IN ('running', 'paused') RETURNING id
        """,
        .int(sweep.id), .int(sweep.next.epochSeconds), .int(second.epochSeconds), .int(Int64(findings.read)),
        .int(Int64(findings.missed)), .int(Int64(findings.changed)), .int(Int64(findings.failed)), .int(fence)))
    return rows.count == 1
  }

  /// Begins a backfill, as the port says.
  public func startBackfill(_ window: TimeWindow, _ basis: Sweep.Basis) async throws(LedgerFailure) -> Sweep {
    try begun(try await database.run(beginning(of: window, basis)))
  }

  func beginning(of window: TimeWindow, _ basis: Sweep.Basis) -> PostgresStatement {
    PostgresStatement(
      "INSERT INTO sweeps (kind, basis, from_at, to_at, next_at) "
        + "VALUES ('backfill', $1::text, $2::bigint, $3::bigint, $2::bigint) RETURNING " + Self.sweepColumns,
      .text(basis.rawValue), .int(window.from.epochSeconds), .int(window.to.epochSeconds))
  }

  func begun(_ rows: PostgresRows) throws(LedgerFailure) -> Sweep {
    guard let sweep = sweeps(in: rows).first else { throw .broken("a backfill was begun and is not there") }
    return sweep
  }

  /// The last sweeps, as the port says.
  public func sweeps() async throws(LedgerFailure) -> [Sweep] {
    sweeps(in: try await database.run(PostgresStatement(Self.sweepSQL + " ORDER BY id DESC LIMIT 1000")))
  }

  /// Pauses, resumes and cancels, as the port says.
  public func change(_ id: Int64, to state: Sweep.State) async throws(LedgerFailure) -> SweepChange {
    let origins = state.origins.map { "'\($0.rawValue)'" }.joined(separator: ", ")
    if !origins.isEmpty {
      let rows = try await database.run(
        PostgresStatement(
          "UPDATE sweeps SET state = $2::text, moved = clock_timestamp() "
            + "WHERE id = $1::bigint AND state IN (\(origins)) RETURNING " + Self.sweepColumns,
          .int(id), .text(state.rawValue)))
      if let sweep = sweeps(in: rows).first { return .changed(sweep) }
    }
    let rows = try await database.run(PostgresStatement(Self.sweepSQL + " WHERE id = $1::bigint", .int(id)))
    return sweeps(in: rows).first.map { .refused($0) } ?? .unknown
  }

  private static let sweepColumns =
    "id, kind, basis, from_at, to_at, next_at, state, orders_read, missed, changed, failed"
  private static let sweepSQL = "SELECT \(sweepColumns) FROM sweeps"

  private func sweeps(in rows: PostgresRows) -> [Sweep] {
    (0..<rows.count).compactMap { row in
      func time(_ column: Int) -> BeijingTime? { rows.int(row, column).map { BeijingTime(epochSeconds: $0) } }
      func count(_ column: Int) -> Int { Int(rows.int(row, column) ?? 0) }
      guard let id = rows.int(row, 0), let kind = rows[row, 1].flatMap({ Sweep.Kind(rawValue: $0) }),
        let basis = rows[row, 2].flatMap({ Sweep.Basis(rawValue: $0) }), let from = time(3), let to = time(4),
        let window = TimeWindow(from: from, to: to), let next = time(5),
        let state = rows[row, 6].flatMap({ Sweep.State(rawValue: $0) })
      else { return nil }
      var findings = SweepFindings()
      (findings.read, findings.missed, findings.changed, findings.failed) = (count(7), count(8), count(9), count(10))
      return Sweep(
        id: id, kind: kind, basis: basis, window: window, next: next, state: state, findings: findings)
    }
  }
}
