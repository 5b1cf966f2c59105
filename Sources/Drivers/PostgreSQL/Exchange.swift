internal import CPostgreSQL

extension Connection {
  /// What each command of a pipeline is for.
  private enum Step {
    case prepare(sql: String, name: String)
    case query
    /// BEGIN or COMMIT.
    case bracket
  }

  /// Runs statements in one round trip. Without a transaction there is exactly one; inside one, all take effect or none.
  func run(
    _ statements: [PostgresStatement], inTransaction: Bool, by deadline: ContinuousClock.Instant
  ) throws(PostgresFailure) -> [PostgresRows] {
    do {
      return try exchange(statements, inTransaction: inTransaction, keepsPrepared: true, by: deadline)
    } catch .refused(let state, _) where (state == "26000" || state == "0A000") && isIdle {
      // The server forgot a prepared statement, or a table changed under it: prepare anew, once. All was rolled back.
      let forgotten = prepared.values
      prepared = [:]
      if state == "0A000", !forgotten.isEmpty {
        _ = try exchange(
          [PostgresStatement("deallocate all")], inTransaction: false, keepsPrepared: false, by: deadline)
      }
      return try exchange(statements, inTransaction: inTransaction, keepsPrepared: true, by: deadline)
    }
  }

  func exchange(
    _ statements: [PostgresStatement], inTransaction: Bool, keepsPrepared: Bool, by deadline: ContinuousClock.Instant
  ) throws(PostgresFailure) -> [PostgresRows] {
    var steps: [Step] = []
    steps.reserveCapacity(statements.count * 2 + 2)
    do {
      // Whatever the server's default is: a statement behind a lock must see what others committed while it was waited for.
      if inTransaction {
        try send(PostgresStatement("begin isolation level read committed"), .bracket, keepsPrepared, &steps)
      }
      for statement in statements { try send(statement, .query, keepsPrepared, &steps) }
      if inTransaction { try send(PostgresStatement("commit"), .bracket, keepsPrepared, &steps) }
    } catch .invalid(let text) {
      // Part of the pipeline is on its way already: nothing can take that back but the end of the connection, before
      // the sync that would make it count.
      if !steps.isEmpty { isBrokenOff = true }
      throw .invalid(text)
    }
    guard unsafe PQpipelineSync(pointer) == 1 else { throw lost() }
    do {
      return try results(of: steps, by: deadline)
    } catch {
      if case .lost = error { throw error }
      if !isBroken, !isIdle, inTransaction { rollBack(by: deadline) }
      throw error
    }
  }

  /// Ends a transaction that a statement left open; if need be, with the connection.
  func rollBack(by deadline: ContinuousClock.Instant) {
    let rollback = [PostgresStatement("rollback")]
    let rows = try? exchange(rollback, inTransaction: false, keepsPrepared: false, by: deadline)
    if rows == nil || !isIdle { isBrokenOff = true }
  }

  // MARK: Sending

  private func send(
    _ statement: PostgresStatement, _ step: Step, _ keepsPrepared: Bool, _ steps: inout [Step]
  ) throws(PostgresFailure) {
    guard !statement.sql.utf8.contains(0) else { throw .invalid("a statement holds a NUL character") }
    try parameters.encode(statement.parameters)
    let name = try keepsPrepared ? nameOfPrepared(statement.sql, &steps) : nil
    let count = Int32(parameters.starts.count)
    // SAFETY: the pointers are into parameters.bytes, which does not change inside the closure; text values end with a
    // NUL, binary ones have their length; libpq copies everything before it returns.
    let isSent = unsafe parameters.bytes.withUnsafeBytes { bytes in
      let values = unsafe parameters.starts.map { start in
        unsafe start.flatMap { unsafe bytes.baseAddress?.advanced(by: $0).assumingMemoryBound(to: CChar.self) }
      }
      return if let name {
        unsafe PQsendQueryPrepared(pointer, name, count, values, parameters.lengths, parameters.formats, 0)
      } else {
        unsafe PQsendQueryParams(
          pointer, statement.sql, count, nil, values, parameters.lengths, parameters.formats, 0)
      }
    }
    guard isSent == 1 else { throw lost() }
    steps.append(step)
  }

  /// The name of the prepared statement; when there is none yet, its preparation is sent before.
  /// Nil: there are too many already.
  private func nameOfPrepared(_ sql: String, _ steps: inout [Step]) throws(PostgresFailure) -> String? {
    if let name = prepared[sql] { return name }
    for case .prepare(sql, let name) in steps { return name }
    guard prepared.count < Connection.maxPrepared else { return nil }
    preparations += 1
    let name = "ferry\(preparations)"
    // SAFETY: libpq copies name and text; no parameter types are given.
    guard unsafe PQsendPrepare(pointer, name, sql, 0, nil) == 1 else { throw lost() }
    steps.append(.prepare(sql: sql, name: name))
    return name
  }

  // MARK: Reading

  /// Reads up to the pipeline's sync, where an implicit transaction commits: only then an outcome is known.
  private func results(of steps: [Step], by deadline: ContinuousClock.Instant) throws(PostgresFailure) -> [PostgresRows]
  {
    var rows: [PostgresRows] = []
    var refusal: PostgresFailure?
    var at = 0
    while true {
      let next: ResultBox?
      do {
        next = try nextResult(by: deadline)
      } catch {
        throw refusal == nil ? error : lostAfter(refusal)
      }
      guard let result = next else {
        at += 1
        // One end for each command, and one for an error of the commit itself; at more libpq has nothing left to give.
        guard at <= steps.count + 1, !isBroken else { throw lostAfter(refusal) }
        continue
      }
      switch result.status {
      case PGRES_PIPELINE_SYNC:
        if let refusal { throw refusal }
        return rows
      case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
        guard at < steps.count else { throw lostAfter(refusal) }
        switch steps[at] {
        case .prepare(let sql, let name): prepared[sql] = name
        case .query: rows.append(PostgresRows(result))
        case .bracket: break
        }
      case PGRES_PIPELINE_ABORTED: break
      case PGRES_FATAL_ERROR:
        let reason = failure(result)
        if case .lost = reason { throw lostAfter(refusal) }
        refusal = refusal ?? reason
        if isBroken { throw lostAfter(refusal) }
      default:
        // COPY, which a pipeline cannot do.
        isBrokenOff = true
        throw .invalid("COPY is not supported")
      }
    }
  }

  /// A lost connection; what the server said before is the better reason.
  private func lostAfter(_ refusal: PostgresFailure?) -> PostgresFailure {
    if case .refused(let state, let message) = refusal { return .lost("\(state) \(message)") }
    return lost()
  }

  // MARK: Scripts

  /// Runs several statements by the simple protocol. Without BEGIN in the text they are one transaction.
  func script(_ sql: String, by deadline: ContinuousClock.Instant) throws(PostgresFailure) {
    guard !sql.utf8.contains(0) else { throw .invalid("a statement holds a NUL character") }
    // SAFETY: libpq copies the text; the pipeline is empty between two calls, so its mode may change.
    guard unsafe PQexitPipelineMode(pointer) == 1, unsafe PQsendQuery(pointer, sql) == 1 else { throw lost() }
    var refusal: PostgresFailure?
    while let result = try nextResult(by: deadline) {
      switch result.status {
      case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: break
      case PGRES_FATAL_ERROR:
        let reason = failure(result)
        if case .lost = reason { throw lostAfter(refusal) }
        refusal = refusal ?? reason
      default:
        isBrokenOff = true
        throw .invalid("COPY is not supported")
      }
    }
    if isBroken { throw lostAfter(refusal) }
    guard unsafe PQenterPipelineMode(pointer) == 1 else { throw lost() }
    if !isIdle {
      rollBack(by: deadline)
      refusal = refusal ?? .invalid("the script left a transaction open")
    }
    if let refusal { throw refusal }
  }
}
