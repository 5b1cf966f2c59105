public import JSON
public import Mapping
import Orders

/// Turns orders into bills: reads `orders`, writes `bills`.
public struct TransformStage: Stage {
  /// What becomes of an order that no strategy takes.
  public enum Untaken: String, Sendable, CaseIterable {
    /// It is parked (`no_strategy`).
    case park
    /// It is counted as ignored, and gone.
    case count
  }

  private let strategies: StrategySet
  private let collections: any Collections
  private let untaken: Untaken
  private let waiting: MasterDataWait?
  private let limits: JSONLimits

  /// A stage that maps by these strategies.
  /// - Parameter waiting: how orders wait for master data that is missing; nil parks them at once.
  public init(
    strategies: StrategySet, collections: any Collections, untaken: Untaken = .park, waiting: MasterDataWait? = nil,
    limits: JSONLimits = JSONLimits()
  ) {
    self.strategies = strategies
    self.collections = collections
    self.untaken = untaken
    self.waiting = waiting
    self.limits = limits
  }

  /// `transform`
  public var name: StageName { .transform }

  /// An order on its way: taken, or its outcome is known already.
  private enum Work {
    case taken([StrategySet.Taker])
    case over(Outcome)
  }

  /// Parses all orders, asks for all records at once, then maps.
  public func handle(_ batch: [Envelope]) async -> [Outcome] {
    let work = batch.map(read)
    var keys: Set<LookupKey> = []
    for (envelope, work) in zip(batch, work) {
      guard case .taken(let takers) = work else { continue }
      keys.formUnion(takers.lookups(inputs: inputs(of: envelope)))
    }
    let table: LookupTable
    do throws(LedgerFailure) {
      table = try await answers(to: Array(keys))
    } catch {
      return batch.map { _ in .outage(Reason(error)) }
    }
    return zip(batch, work).map { envelope, work in
      switch work {
      case .over(let outcome): outcome
      case .taken(let takers): mapped(envelope, takers, table)
      }
    }
  }

  /// «Now» is when the message was first seen: mapped again, an order gives the same bill.
  private func inputs(of envelope: Envelope) -> MappingInputs {
    MappingInputs(
      now: BeijingTime(epochSeconds: envelope.firstSeen / 1000),
      randomSeed: UInt64(bitPattern: envelope.orderID.rawValue) &* 31 &+ UInt64(clamping: envelope.revision))
  }

  private func read(_ envelope: Envelope) -> Work {
    guard case .order(let content) = envelope.content else {
      return .over(.dead(Outcome.Burial(Reason(.undecodable, "the message is not an order"))))
    }
    let order: JSONDocument
    do throws(JSONError) { order = try JSONDocument(content, limits: limits) } catch {
      return .over(.dead(Outcome.Burial(Reason(.orderMalformed, "order \(envelope.orderID): \(error)"))))
    }
    do throws(MappingFailures) {
      let takers = try strategies.takers(of: order)
      return takers.isEmpty ? .over(nobody(takes: envelope)) : .taken(takers)
    } catch {
      return .over(.dead(Outcome.Burial(Reason(error, of: envelope))))
    }
  }

  /// Counted either way; parked it stays visible among the dead.
  private func nobody(takes envelope: Envelope) -> Outcome {
    switch untaken {
    case .count: .done(.ignored)
    case .park:
      .dead(Outcome.Burial(Reason(.noStrategy, "order \(envelope.orderID): no strategy's condition takes it")))
    }
  }

  private func answers(to keys: [LookupKey]) async throws(LedgerFailure) -> LookupTable {
    keys.isEmpty ? LookupTable() : LookupTable(keys, answers: try await collections.find(keys))
  }

  /// All bills of the order, or none: one that cannot be mapped parks the order with all that is wrong.
  private func mapped(_ envelope: Envelope, _ takers: [StrategySet.Taker], _ table: LookupTable) -> Outcome {
    do throws(MappingFailures) {
      let bills = try takers.bills(lookups: table, inputs: inputs(of: envelope))
      return .forward(bills.map { envelope.carrying(.bill($0.bill, $0.route)) })
    } catch {
      let reason = Reason(error, of: envelope)
      if let seconds = waiting?.pause(error, of: envelope) { return .later(reason, afterSeconds: seconds) }
      return .dead(Outcome.Burial(reason))
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
