public import JSON
public import Mapping
import Orders

/// Turns orders into bills: reads `orders`, writes `bills`.
public struct TransformStage: Stage {
  private let strategy: String
  private let mapper: Mapper
  private let collections: any Collections
  private let limits: JSONLimits

  /// A stage that maps by one strategy.
  public init(strategy: Strategy, collections: any Collections, limits: JSONLimits = JSONLimits()) {
    self.strategy = strategy.name
    self.mapper = Mapper(strategy)
    self.collections = collections
    self.limits = limits
  }

  /// `transform`
  public var name: StageName { .transform }

  /// Parses all orders, asks for all records at once, then maps.
  public func handle(_ batch: [Envelope]) async -> [Outcome] {
    let parsed = batch.map { envelope in parse(envelope).flatMap { taken($0, of: envelope) } }
    var keys: Set<LookupKey> = []
    for (envelope, order) in zip(batch, parsed) {
      guard case .success(let document) = order else { continue }
      keys.formUnion(mapper.lookups(of: document.root, inputs: inputs(of: envelope)))
    }
    let table: LookupTable
    do throws(LedgerFailure) {
      table = try await answers(to: Array(keys))
    } catch {
      return batch.map { _ in .outage(Reason(error)) }
    }
    return zip(batch, parsed).map { envelope, order in outcome(envelope, order, table) }
  }

  /// «Now» is when the message was first seen: mapped again, an order gives the same bill.
  private func inputs(of envelope: Envelope) -> MappingInputs {
    MappingInputs(
      now: BeijingTime(epochSeconds: envelope.firstSeen / 1000),
      randomSeed: UInt64(bitPattern: envelope.orderID.rawValue) &* 31 &+ UInt64(clamping: envelope.revision))
  }

  private func parse(_ envelope: Envelope) -> Result<JSONDocument, Reason> {
    guard case .order(let content) = envelope.content else {
      return .failure(Reason(.undecodable, "the message is not an order"))
    }
    do throws(JSONError) {
      return .success(try JSONDocument(content, limits: limits))
    } catch {
      return .failure(Reason(.orderMalformed, "order \(envelope.orderID): \(error)"))
    }
  }

  /// The order as the strategy takes it. One that it does not take stays visible among the dead.
  private func taken(_ order: JSONDocument, of envelope: Envelope) -> Result<JSONDocument, Reason> {
    switch mapper.selection(of: order.root) {
    case .whole: .success(order)
    case .changed(let document): .success(document)
    case .refused:
      .failure(Reason(.noStrategy, "order \(envelope.orderID): the condition of strategy \(strategy) does not take it"))
    }
  }

  private func answers(to keys: [LookupKey]) async throws(LedgerFailure) -> LookupTable {
    keys.isEmpty ? LookupTable() : LookupTable(keys, answers: try await collections.find(keys))
  }

  private func outcome(_ envelope: Envelope, _ order: Result<JSONDocument, Reason>, _ table: LookupTable) -> Outcome {
    switch order {
    case .failure(let reason): return .dead(Outcome.Burial(reason))
    case .success(let document):
      do throws(MappingFailures) {
        let bill = try mapper.map(document.root, lookups: table, inputs: inputs(of: envelope))
        return .forward(envelope.carrying(.bill(bill, strategy: strategy)))
      } catch {
        return .dead(Outcome.Burial(Reason(error, of: envelope)))
      }
    }
  }
}

extension Reason {
  init(_ failures: MappingFailures, of envelope: Envelope) {
    let code = failures.failures.first.flatMap { ReasonCode(rawValue: $0.code.rawValue) } ?? .orderMalformed
    self.init(code, "order \(envelope.orderID): \(failures)")
  }

  init(_ failure: LedgerFailure) {
    switch failure {
    case .unavailable(let why): self.init(.ledgerUnavailable, "PostgreSQL is away: \(why)")
    case .broken(let why): self.init(.configuration, "the ledger cannot be used: \(why)")
    }
  }
}
