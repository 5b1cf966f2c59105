import Ledger
import Pipeline
import Queue

extension Wiring {
  /// The archive of parked messages and the broker's dead queues. The queues are the caller's to close.
  func deadLetters() throws -> (office: DeadLetterOffice, queues: RabbitDeadQueues) {
    let queues = RabbitDeadQueues(try rabbit(), topology: try topology())
    return (DeadLetterOffice(archive: PostgresDeadLetters(try database(connections: 1)), queues: queues), queues)
  }
}
