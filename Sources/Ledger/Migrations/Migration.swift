import Pipeline
import PostgreSQL

/// One step of the schema. Published steps never change; a change is a new step.
struct Migration: Sendable {
  /// From 1, rising.
  let version: Int
  /// What it brings, for people.
  let name: String
  /// Its statements, run in one transaction, with the ledger's schema as the search path.
  let statements: [String]
  /// The newest step that the oldest program knows that may still work beside this one; nil: programs that do not know this
  /// step must not. Kept with the step, so that such a program can tell.
  var oldest: Int?
  /// What the program itself has to do to the data: in small transactions of its own, repeatable. The step is recorded when it is
  /// done, so its statements must be repeatable too. Run again at the end of every migration.
  var work: (@Sendable (PostgresSession) async throws(PostgresFailure) -> Void)?
}

/// All steps, in order. They are Swift text, not resource files, so that the binary alone can migrate.
let migrations: [Migration] = published + rehearsed

/// A step that does nothing, for a rolling upgrade in `deploy/chaos`; none in any other build.
private let rehearsed: [Migration] = {
  guard NextSchema.isRehearsed, let last = published.last?.version else { return [] }
  return [Migration(version: last + 1, name: "rehearsal", statements: [], oldest: last)]
}()

private let published: [Migration] = [
  v0001, v0002, v0003, v0004, v0005, v0006, v0007, v0008, v0009, v0010, v0011, v0012, v0013, v0014, v0015,
  v0016, v0017, v0018, v0019, v0020, v0021,
]
