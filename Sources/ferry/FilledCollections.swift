import Ledger
import Logging
import Mapping
import Orders
import Pipeline

/// Tells of collections that strategies look in and nobody has filled. That is no reason not to start: orders that need
/// them are parked, and the collection may be filled any moment.
enum FilledCollections {
  private static let pause = Duration.seconds(5)

  /// A sentence with its remedy for each collection that holds no record.
  /// - Parameters:
  ///   - asked: the collections that strategies look in.
  ///   - filled: those that hold a record. The poller fills `customers`.
  static func warnings(asked: Set<String>, filled: [String]) -> [String] {
    let filled = Set(filled).union([Poller.customersCollection])
    return asked.subtracting(filled).sorted().map { name in
      let meant = Spelling.nearest(to: name, among: filled.sorted()).map { "; is «\($0)» meant?" } ?? ""
      let remedy =
        CollectionName.isValid(name)
        ? " Fill it: ferry collection put \(name) FILE." : " No collection can have that name: correct the strategy."
      let end = meant.isEmpty ? "." : meant
      return "The collection «\(name.prefix(100))» holds no record, so its lookups find nothing\(end)\(remedy)"
    }
  }

  /// Logs them once, as soon as PostgreSQL can be asked.
  /// - Parameter filled: asks for the collections that hold a record.
  static func tell(
    of asked: Set<String>, filled: () async throws(LedgerFailure) -> [String], clock: PipelineClock, logger: Logger
  ) async {
    while !asked.isEmpty, !Task.isCancelled {
      do throws(LedgerFailure) {
        for warning in warnings(asked: asked, filled: try await filled()) { logger.warning("\(warning)") }
        return
      } catch {
        // Whoever works on the ledger tells that it is away.
        await clock.sleep(pause)
      }
    }
  }
}

extension Wiring {
  /// What `ferry check` finds about the collections; nil when strategy or database cannot be used, which is told
  /// elsewhere.
  func checkCollections() async -> Finding? {
    let needs: Set<SettingName> = [.strategies, .postgresURL, .postgresSchema]
    guard settings.unusable.isDisjoint(with: needs),
      let folder = try? StrategyFolder(settings.text(.strategies)),
      let database = try? database(connections: 1), let filled = try? await PostgresCollections(database).names()
    else { return nil }
    return Finding(
      subject: "collections", warnings: FilledCollections.warnings(asked: folder.set.collections, filled: filled))
  }
}
