import Ledger
import Pipeline
import Queue

extension Wiring {
  /// The archive of parked messages and the broker's dead queues. The queues are the caller's to close.
  /// - Throws: among others, when the ledger was restored and nobody has said so: what is parked bears numbers of after the
  ///   backup, which may be given to other contents.
  func deadLetters() async throws -> (office: DeadLetterOffice, queues: RabbitDeadQueues) {
    let database = try database(connections: 1)
    _ = try await LedgerRestore(database).isOpen()
    let queues = RabbitDeadQueues(try rabbit(), topology: try topology())
    return (DeadLetterOffice(archive: PostgresDeadLetters(database), queues: queues), queues)
  }
}
