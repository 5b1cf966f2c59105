public import Logging
import CoreMetrics
import Orders
public import ServiceLifecycle
import Synchronization

/// How a worker takes messages.
public struct WorkerShape: Sendable {
  /// Most messages in one batch.
  public var batchSize: Int
  /// Most messages in one batch while batches end at once.
  public var quickBatchSize: Int
  /// Batches under way at a time, so that one slow answer does not idle the rest.
  public var concurrentBatches: Int
  /// RabbitMQ takes back what is not acknowledged after half an hour, and ends the channel, with all that was lent on it.
  static let longestLentSeconds = 1_500

  /// A shape; all at least 1.
  /// - Parameter quickBatchSize: nil: as `batchSize`.
  public init(batchSize: Int, quickBatchSize: Int? = nil, concurrentBatches: Int) {
    self.batchSize = batchSize
    self.quickBatchSize = quickBatchSize ?? batchSize
    self.concurrentBatches = concurrentBatches
  }

  /// How many messages may be lent at a time: those under way, and twice as many that wait for them, where all of them end before
  /// the broker takes them back.
  /// - Parameter longestSeconds: what a batch may take.
  public func mostLent(longestSeconds: Int) -> Int {
    batchSize * concurrentBatches * min(max(Self.longestLentSeconds / max(longestSeconds, 1), 1), 3)
  }
}

/// Takes batches from an inbox, lets a stage decide, and settles: the only place that does.
///
/// Settling is: publish the successor, get the broker's confirm, then acknowledge. Nothing is ever requeued as an answer
/// to a failure, and a message is never acknowledged before its successor is safe (`Worker+Settling.swift`).
public final class Worker: Service {
  let stage: any Stage
  let inbox: any Inbox
  let outbox: any Outbox
  let policy: RetryPolicy
  private let shape: WorkerShape
  let clock: PipelineClock
  let logger: Logger
  let metrics: PipelineMetrics
  let retries: RetryMeter
  private let pause = OutagePause()
  private let breakers: (any PartnerBreakers)?
  /// This worker among those that may try a partner.
  private let holder = Int64.random(in: 1...Int64.max)
  /// Batches of which something waits to be published again.
  let unpublished = Mutex(0)
  let underWay: Mutex<UnderWay>
  private let pace: Mutex<BatchPace>

  struct UnderWay {
    var taken = 0
    var serial = 0
    /// When each batch was taken.
    var batches: [Int: ContinuousClock.Instant] = [:]
    /// Messages of the batches that are under way.
    var messages = 0
    /// When a message was last settled, in milliseconds since 1970 UTC; at first when the worker was made.
    var progress: Int64
    var business = Business()
  }

  /// A worker for one stage.
  /// - Parameters:
  ///   - breakers: what the installation knows of K/3; nil: this worker finds out by itself.
  ///   - metrics: counts what becomes of messages.
  public init(
    stage: any Stage, inbox: any Inbox, outbox: any Outbox, policy: RetryPolicy, shape: WorkerShape,
    clock: PipelineClock, logger: Logger, breakers: (any PartnerBreakers)? = nil,
    metrics: PipelineMetrics = PipelineMetrics()
  ) {
    self.metrics = metrics
    metrics.begin(stage.name)
    retries = RetryMeter(stage.name, ladder: policy.ladder, factory: metrics.factory)
    underWay = Mutex(UnderWay(progress: clock.epochMilliseconds()))
    self.stage = stage
    self.inbox = inbox
    self.outbox = outbox
    self.policy = policy
    self.shape = shape
    pace = Mutex(BatchPace(shape))
    self.clock = clock
    self.logger = logger
    self.breakers = breakers
  }

  /// Who is away by what the worker saw last: a partner that it holds back for, and the broker while it does not take
  /// what must be published. Nobody once the worker has waited and only lacks a message to try with.
  public var absences: Set<Absence> {
    var absences: Set<Absence> = []
    if let reason = pause.reason { absences.insert(reason.absence) }
    if unpublished.withLock({ $0 > 0 }) { absences.insert(Absence(.rabbitmq)) }
    return absences
  }

  /// What it is at, for whoever watches that it works.
  public var activity: WorkerActivity {
    let isHeldBack = !absences.isEmpty || inbox.isStopped || !inbox.isReady
    return underWay.withLock {
      WorkerActivity(isHeldBack: isHeldBack, taken: $0.taken, oldestBatch: $0.batches.values.min())
    }
  }

  /// Orders or bills in the batches that are under way.
  public var inFlight: Int { underWay.withLock { $0.messages } }

  /// How long this worker has had at least one batch under way in all, side by side or not: what it needs for one message is
  /// this by the messages settled meanwhile. Waiting for a broker that does not take what is to be published is left out.
  public var busy: Duration { underWay.withLock { $0.business.total(at: clock.now()) } }

  /// When a message was last settled, in milliseconds since 1970 UTC; before the first, when the worker was made.
  public var lastProgress: Int64 { underWay.withLock { $0.progress } }

  /// Works until graceful shutdown: then takes no more, finishes what it holds and gives the rest back.
  public func run() async {
    let watching = breakers.map { breakers in Task { await watch(breakers) } }
    await withGracefulShutdownHandler {
      await consume()
    } onGracefulShutdown: { [inbox] in
      Task { await inbox.stop() }
    }
    watching?.cancel()
    await inbox.close()
    await outbox.close()
  }

  private func consume() async {
    await withTaskGroup(of: Void.self) { group in
      var running = 0
      // Taken in the moment in which another process found a partner away: kept until it is back.
      var kept: [Delivery] = []
      while true {
        if running == shape.concurrentBatches || running > 0 && pause.isOn {
          await group.next()
          running -= 1
          continue
        }
        // Nothing runs any more: after the wait the partner is asked itself where it can be, and then one batch goes alone,
        // and its answer decides. One that says nothing of the partner is followed by the next at once.
        let isProbe = pause.isOn
        if isProbe, !pause.looksForWork {
          await waitOutOutage()
          if Task.isCancelled || Task.isShuttingDownGracefully || inbox.isStopped { break }
          guard await mayProbe() else { continue }
          if let partner = pause.reason?.partner, await stage.answers(partner) == false {
            pause.probeFailed()
            continue
          }
          pause.lookForWork()
        }
        let batch = kept.isEmpty ? await inbox.next(max: isProbe ? shape.batchSize : pace.withLock { $0.size }) : kept
        kept = []
        if batch.isEmpty { break }
        if !isProbe, breakers != nil, pause.isOn {
          kept = batch
          continue
        }
        FaultPoint.reached(.taken, at: stage.name)
        if isProbe {
          await process(batch)
          continue
        }
        group.addTask { await self.process(batch) }
        running += 1
      }
    }
  }

  private func waitOutOutage() async {
    guard let (wait, reason, isNew) = pause.next() else { return }
    logger.log(
      isNew ? .warning : .debug, "Pausing: a partner is away",
      [
        .stage: stage.name.rawValue, .seconds: wait.components.seconds, .reason: reason.code.rawValue,
        .sentence: reason.logged,
      ])
    await cancelWhenGracefulShutdown { [clock, breakers, pause] in
      // With others in steps of a second, so that their success is not waited out.
      var left = wait
      while left > .zero, pause.isOn, !Task.isCancelled {
        let step = breakers == nil ? left : min(left, .seconds(1))
        await clock.sleep(step)
        left -= step
      }
    }
  }

  // MARK: The installation's breakers. Whatever goes wrong with them, this worker goes by what it sees itself.

  /// Looks once a second what the other processes know.
  private func watch(_ breakers: any PartnerBreakers) async {
    while !Task.isCancelled {
      await clock.sleep(.seconds(1))
      if Task.isCancelled { return }
      do throws(LedgerFailure) { pause.hear(try await breakers.standing(of: .k3), of: .k3) } catch { continue }
    }
  }

  /// How long this worker alone tries, in seconds. One that dies over it keeps the others waiting for no longer; where K/3
  /// takes longer to answer, two try.
  private static let probeSeconds: Int64 = 8

  /// Whether this worker may try the partner that is away; only one of the installation does.
  private func mayProbe() async -> Bool {
    guard let breakers, pause.reason?.partner == .k3 else { return true }
    do throws(LedgerFailure) {
      switch try await breakers.probe(.k3, as: holder, seconds: Self.probeSeconds) {
      case .granted: return true
      case .taken: return false
      case .closed:
        pause.hear(nil, of: .k3)
        return true
      }
    } catch { return true }
  }

  private func tell(_ change: OutagePause.Change?) async {
    guard let breakers else { return }
    switch change {
    case .away(let reason) where reason.partner == .k3:
      do throws(LedgerFailure) {
        try await breakers.open(.k3, Reason(reason.code, reason.logged))
        pause.share()
      } catch { return }
    case .back(let reason) where reason.partner == .k3:
      // Else the others find out by themselves, one after the other.
      do throws(LedgerFailure) { try await breakers.close(.k3) } catch { return }
    case .away, .back, nil: return
    }
  }

  private func process(_ taken: [Delivery]) async {
    let begun = clock.now()
    underWay.withLock { state in
      state.messages += taken.count
      state.business.begin(at: begun)
    }
    await work(taken)
    let now = clock.now()
    underWay.withLock { state in
      state.messages -= taken.count
      state.business.end(at: now)
    }
  }

  private func work(_ taken: [Delivery]) async {
    // What is suspect comes alone, but for the envelopes of a bundle.
    var batch = taken.filter { !$0.isOfSuspectBundle }
    if batch.count < taken.count { batch += await takeApart(taken.filter(\.isOfSuspectBundle)) }
    let hopeless = batch.filter { $0.returns > Delivery.deliveryLimit }
    if !hopeless.isEmpty {
      batch.removeAll { $0.returns > Delivery.deliveryLimit }
      await bury(hopeless)
    }
    if batch.isEmpty { return }
    if let alone = batch.first, alone.isSuspect, alone.receipt.piece == nil { tell(ofSuspect: alone) }
    let begun = clock.now()
    let serial = underWay.withLock { state in
      state.taken += batch.count
      state.serial += 1
      state.batches[state.serial] = begun
      return state.serial
    }
    var isFruitful = false
    defer {
      let now = clock.now()
      underWay.withLock { $0.batches[serial] = nil }
      pace.withLock { $0.note(batch.count, took: begun.duration(to: now), isFruitful: isFruitful) }
    }
    var envelopes: [Envelope] = []
    envelopes.reserveCapacity(batch.count)
    for delivery in batch {
      if case .success(let envelope) = delivery.envelope { envelopes.append(envelope) }
    }
    FaultPoint.handed(envelopes, to: stage.name)
    let handed = clock.now()
    let outcomes = envelopes.isEmpty ? [] : await stage.handle(envelopes)
    if !envelopes.isEmpty { metrics.handled(at: stage.name, took: handed.duration(to: clock.now())) }
    if outcomes.count != envelopes.count {
      // A stage that breaks its contract must not have messages settled by guess: they are given back at the end.
      logger.log(.critical, "A stage gave the wrong number of outcomes", [.stage: stage.name.rawValue])
      return
    }
    isFruitful = outcomes.contains(where: \.isFruitful)
    FaultPoint.reached(.handled, at: stage.name)
    await tell(pause.note(outcomes))
    await settle(batch, outcomes)
  }
}
