import Ledger
import Logging
import Orders
import Pipeline
import Queue

/// What `ferry migrate` does about a ledger that was restored from a backup.
enum RestoreStep: Sendable {
  /// Nothing: a ledger that was restored is refused.
  case none
  /// It is accepted: the queues are emptied, what may have been in them is published again, K/3 is asked before first Saves.
  case begin
  /// K/3 is not asked any more before first Saves.
  case end
}

extension Wiring {
  /// Applies schema and topology; one that fails does not hide the other.
  /// - Returns: a line about each thing done, and everything that is in the way.
  func migrate(_ step: RestoreStep = .none) async -> (done: [String], problems: [any Error]) {
    var done: [String] = []
    var problems: [any Error] = []
    var ledger: LedgerDatabase?
    do throws(LedgerFailure) {
      let database = try database(connections: 1)
      let migrator = Migrator(database) { [logger] in
        logger.info("Another migration is under way; waiting for it")
      }
      let applied = try await migrator.migrate()
      if let version = try await migrator.newerVersion() {
        done = [
          "PostgreSQL: nothing to do: the schema is at version \(version), and this program, which knows \(migrator.needed), "
            + "may work beside it"
        ]
      } else {
        done = applied.isEmpty ? ["PostgreSQL: nothing to do"] : applied.map { "PostgreSQL: applied \($0)" }
      }
      if step != .begin, let refusal = try await migrator.refusal() { throw refusal }
      ledger = database
    } catch { problems.append(error) }
    do throws(QueueFailure) {
      let found = try await broker { administration throws(QueueFailure) in try await administration.apply() }
      let told = [found.amqp, found.refusal].compactMap { $0 } + found.differences
      problems += told
      if told.isEmpty { done.append("RabbitMQ: queues, bindings and policies are as they should be") }
    } catch { problems.append(error) }
    if problems.isEmpty, let ledger {
      do { done += try await carryOut(step, on: ledger) } catch { problems.append(error) }
    }
    await close()
    return (done, problems)
  }

  private func carryOut(_ step: RestoreStep, on database: LedgerDatabase) async throws -> [String] {
    let restore = LedgerRestore(database)
    switch step {
    case .none: return []
    case .end:
      return [
        try await restore.end()
          ? "The restore is over: bills are saved without asking K/3 first, within 10 s"
          : "No restore was under way"
      ]
    case .begin:
      let administration = try administration()
      let result: Result<[String], any Error>
      do { result = .success(try await accept(restore, with: administration)) } catch { result = .failure(error) }
      await administration.close()
      return try result.get()
    }
  }

  /// Nothing is changed while anybody works. Then it is written down that the ledger was restored, before anything is lost:
  /// whatever comes between, nobody works until all of it is done.
  /// - Parameter emptying: called when it is written down.
  func accept(
    _ restore: LedgerRestore, with administration: RabbitAdministration,
    emptying: @Sendable () async throws -> Void = {}
  ) async throws -> [String] {
    try await restore.refuseWhilePolled()
    try await administration.refuseWhileConsumed()
    try await restore.begin()
    try await emptying()
    var done = ["RabbitMQ: \(try await administration.empty()) messages of before the restore were removed"]
    if let sweep = try await restore.accept() {
      done.append(
        "Backfill \(sweep.id) publishes again what was changed from \(sweep.window.from) to \(sweep.window.to); "
          + "`ferry backfill list` shows how far it is")
    }
    return done + ["K/3 is asked for each bill before it is first saved, until `ferry migrate --restore-over`"]
  }
}
