import AMQP
public import Pipeline
import Synchronization

/// The dead queues on RabbitMQ, for tools. What is got from them is acknowledged or stays with this connection until it ends:
/// got and given back, a message would come nearer to a delivery limit with each look.
///
/// Messages are got one by one, which costs a round trip each, and in return nothing is guessed: the broker itself says that
/// a queue is empty, memory is bounded by what was got, and letters that have to stay use up no prefetch.
public final class RabbitDeadQueues: DeadQueues {
  /// Larger bodies stay on the broker; PostgreSQL's driver takes no larger ones either.
  static let mostBytes = 64 << 20
  /// Bodies of a batch together, besides a single larger one.
  static let batchBytes = 32 << 20
  /// How often a queue is asked that has messages by its count and gives none, and the time between.
  private static let asks = 40
  private static let pause = Duration.milliseconds(250)

  private struct Drain {
    let connection: AMQPConnection
    /// Messages that lay there when it began.
    let count: Int
    /// Messages that the queue has given.
    var given = 0
    /// Got, and did not fit into the last batch; letters of a bundle that were not handed out yet among them.
    var kept: ArraySlice<TakenLetter> = []
    /// Of bundles: how many of their letters are not filed yet, by tag.
    var open: [UInt64: Int] = [:]
  }

  private let coding: DeadLetterCoding
  private let bundles: BundleCoding
  private let options: AMQPOptions
  private let outbox: RabbitOutbox
  private let pacing: Pacing
  private let drains = Mutex<[StageName: Drain]>([:])

  /// Dead queues; they are connected to when they are first asked.
  public convenience init(_ settings: RabbitSettings, topology: Topology, pacing: Pacing = .live) {
    self.init(settings, topology: topology, pacing: pacing, mostBytes: Self.mostBytes)
  }

  init(_ settings: RabbitSettings, topology: Topology, pacing: Pacing, mostBytes: Int) {
    coding = DeadLetterCoding(topology: topology)
    bundles = BundleCoding(topology: topology)
    var options = settings.options(for: "dead letters")
    options.maxMessageBytes = mostBytes
    self.options = options
    self.pacing = pacing
    outbox = RabbitOutbox(settings, topology: topology, pacing: pacing)
  }

  /// Takes messages, as the port says.
  public func take(_ stage: StageName, max: Int) async throws(BrokerFailure) -> [TakenLetter] {
    let queue = coding.topology.deadQueue(of: stage)
    var drain: Drain
    do throws(AMQPFailure) { drain = try await self.drain(of: stage, queue) } catch {
      throw BrokerFailure(error.sentence)
    }
    defer { drains.withLock { $0[stage] = drain } }
    var taken: [TakenLetter] = []
    var bytes = 0
    while taken.count < max {
      guard let next = try await next(of: &drain, stage, queue) else { break }
      bytes += next.letter.body.count
      if bytes > Self.batchBytes, !taken.isEmpty {
        drain.kept = [next] + drain.kept
        break
      }
      taken.append(next)
    }
    return taken
  }

  private func drain(of stage: StageName, _ queue: String) async throws(AMQPFailure) -> Drain {
    if let drain = drains.withLock({ $0[stage] }) { return drain }
    let connection = try await AMQPConnection.open(options)
    do throws(AMQPFailure) {
      let count = try await connection.declareQueue(name: queue, passive: true).messages
      return Drain(connection: connection, count: count)
    } catch {
      await connection.close()
      throw error
    }
  }

  /// Nil when the queue is empty. Its count alone may say so of a full queue just after a restart of the broker.
  private func next(
    of drain: inout Drain, _ stage: StageName, _ queue: String
  ) async throws(BrokerFailure) -> TakenLetter? {
    if let kept = drain.kept.popFirst() { return kept }
    var ready = 0
    do throws(AMQPFailure) {
      for ask in 1... {
        if let got = try await drain.connection.get(queue: queue) {
          drain.given += 1
          let position = drain.given
          let pieces = bundles.taken(apart: got, of: stage).map { piece in
            letter(piece, stage, LetterPlace(queue: queue, position: position, piece.properties))
          }
          if pieces.count > 1 { drain.open[got.tag] = pieces.count }
          drain.kept = pieces.dropFirst()
          return pieces.first
        }
        ready = try await drain.connection.declareQueue(name: queue, passive: true).messages
        if ready == 0 { return nil }
        if ask == Self.asks { break }
        try? await pacing.sleep(Self.pause)
      }
    } catch {
      let left = Swift.max(0, drain.count - drain.given)
      throw BrokerFailure("\(error.sentence); \(left) messages of the queue \(queue) were not looked at")
    }
    throw BrokerFailure("the queue \(queue) has \(ready) messages by RabbitMQ's count and gives none: they are left")
  }

  private func letter(_ got: AMQPDelivery, _ stage: StageName, _ place: LetterPlace) -> TakenLetter {
    let excess =
      got.isTruncated ? "it is larger than \(options.maxMessageBytes) bytes, which is the most that can be filed" : nil
    return TakenLetter(coding.letter(got, of: stage), tag: got.tag, place: place, excess: excess)
  }

  /// Removes taken messages, as the port says.
  public func acknowledge(_ taken: [TakenLetter]) {
    for (stage, of) in Dictionary(grouping: taken, by: \.letter.stage) {
      drains.withLock { drains in
        guard var drain = drains[stage] else { return }
        // A bundle is done with when the last of its letters is filed.
        let done = of.map(\.tag).filter { tag in
          guard let left = drain.open[tag] else { return true }
          drain.open[tag] = left > 1 ? left - 1 : nil
          return left == 1
        }
        drains[stage] = drain
        drain.connection.acknowledge(done)
      }
    }
  }

  /// Publishes letters anew, as the port says.
  public func publishAgain(_ letters: [DeadLetter]) async -> [PublishResult] {
    let now = pacing.now()
    let lacks = letters.map { DeadLetterCoding.lack(of: $0) }
    let whole = letters.indices.filter { lacks[$0] == nil }
    var results = lacks.map { PublishResult.tooLarge($0 ?? "") }
    let answers = await outbox.publish(whole.map { coding.message(again: letters[$0], now: now) })
    for (place, answer) in zip(whole, answers) { results[place] = answer }
    return results
  }

  /// Closes all connections, as the port says.
  public func close() async {
    let all = drains.withLock { drains in
      defer { drains = [:] }
      return drains.values.map(\.connection)
    }
    for connection in all { await connection.close() }
    await outbox.close()
  }
}

extension LetterPlace {
  fileprivate init(queue: String, position: Int, _ properties: AMQPProperties) {
    self.init(
      queue: queue, position: position,
      messageID: properties.messageID.map { headerText($0, maxBytes: 100) })
  }
}
