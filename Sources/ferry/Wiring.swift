import FoundationEssentials
import K3
import Ledger
import Logging
import Mapping
import OKKI
import Orders
import Pipeline
import Queue
import ServiceLifecycle
import Synchronization
import Telemetry

/// Puts the parts together: with `Wiring+Check.swift` the only place that names adapters.
final class Wiring: Sendable {
  let settings: Settings
  let logger: Logger
  let registry: MetricsRegistry
  /// What has to be closed at the end, in order.
  private let closers = Mutex<[@Sendable () async -> Void]>([])
  /// All connections to PostgreSQL, for `/metrics`.
  let databases = Mutex<[LedgerDatabase]>([])
  /// When the certificates end that partners have shown last, in seconds since 1970 UTC.
  let certificateEnds = Mutex<[Partner: Int64]>([:])

  let clock: PipelineClock

  init(settings: Settings, logger: Logger, registry: MetricsRegistry, clock: PipelineClock = Wiring.systemClock) {
    self.settings = settings
    self.logger = logger
    self.registry = registry
    self.clock = clock
  }

  static let systemClock = PipelineClock(
    now: { ContinuousClock.now },
    epochMilliseconds: { Int64(Date().timeIntervalSince1970 * 1000) + ClockStep.milliseconds },
    // Cancelled early is what the caller asked for.
    sleep: { try? await Task.sleep(for: $0) })

  /// Closes connections that no service closes.
  func close() async {
    for closer in closers.withLock({ $0 }) { await closer() }
  }

  func onClose(_ closer: @escaping @Sendable () async -> Void) {
    closers.withLock { $0.append(closer) }
  }

  // MARK: - Adapters

  func topology() throws(QueueFailure) -> Topology {
    try Topology(prefix: settings.text(.queuePrefix), ladder: settings.wholes(.retrySeconds))
  }

  /// Delays and attempts of the workers; each rung of its ladder is a queue of the topology.
  var policy: RetryPolicy {
    RetryPolicy(ladder: settings.wholes(.retrySeconds), maxAttempts: settings.whole(.maxAttempts))
  }

  func rabbit() throws(QueueFailure) -> RabbitSettings {
    var rabbit = try RabbitSettings(url: settings.text(.rabbitURL))
    rabbit.certificateAuthorityFile = settings.text(.certificateAuthorities)
    rabbit.onCertificate = certificateWatch(.rabbitmq)
    return rabbit
  }

  func administration() throws(QueueFailure) -> RabbitAdministration {
    try RabbitAdministration(
      try rabbit(), managementURL: settings.text(.rabbitManagementURL), topology: try topology())
  }

  var ledgerOptions: LedgerOptions {
    var options = LedgerOptions(url: settings.text(.postgresURL))
    options.schema = settings.text(.postgresSchema)
    options.onCertificate = certificateWatch(.postgresql)
    // Public authorities, which anybody gets certificates of, are enough only where the name is checked as well.
    if settings.isOwn(.certificateAuthorities) {
      options.certificateAuthorityFile = settings.text(.certificateAuthorities)
    }
    return options
  }

  func database(connections: Int) throws(LedgerFailure) -> LedgerDatabase {
    var options = ledgerOptions
    options.connections = connections
    let database = try LedgerDatabase(options)
    databases.withLock { $0.append(database) }
    onClose { await database.close() }
    return database
  }

  /// Where sweeps stand, for somebody at a terminal.
  func sweepLedger() throws(LedgerFailure) -> any SweepLedger { PostgresPollLedger(try database(connections: 1)) }

  /// How many orders OKKI lists; it is asked within the installation's rate limit, with the installation's token.
  func count(of query: OrderQuery) async throws -> Int {
    // Without these tables nothing may be asked; what is wrong with them is told better here.
    try await Migrator(try database(connections: 1)).check()
    let source = try sharingOrderSource()
    do throws(SourceFailure) { return try await source.count(of: query) } catch {
      throw PollInterruption.source(error)
    }
  }

  /// Connections for what processes share about the vendors: questions that are not worth a wait.
  func sharedState() throws(LedgerFailure) -> LedgerDatabase {
    var options = ledgerOptions
    options.connections = 1
    options.callTimeoutMilliseconds = 2_000
    let database = try LedgerDatabase(options)
    databases.withLock { $0.append(database) }
    onClose { await database.close() }
    return database
  }

  /// OKKI within the installation's rate limit, with the installation's token.
  func sharingOrderSource(onProgress: @escaping @Sendable () -> Void = {}) throws -> OKKIOrderSource {
    let shared = try sharedState()
    let source = try orderSource(
      rateLedger: PostgresRateLedger(shared),
      tokenStore: try PostgresTokenStore(shared, secret: settings.text(.okkiClientSecret)), onProgress: onProgress)
    registry.observe("ferry_rate_tokens", labels: [("partner", Partner.okki.rawValue)]) { Double(source.freeRequests) }
    return source
  }

  /// - Parameters:
  ///   - rateLedger: the installation's rate limit; nil for a few single questions.
  ///   - tokenStore: the installation's tokens; nil for one of its own.
  func orderSource(
    rateLedger: (any RateLedger)? = nil, tokenStore: (any TokenStore)? = nil,
    onProgress: @escaping @Sendable () -> Void = {}
  ) throws(SetupProblem) -> OKKIOrderSource {
    let url = settings.text(.okkiURL)
    var options = OKKIOptions(
      url: url, clientID: settings.text(.okkiClientID), clientSecret: settings.text(.okkiClientSecret),
      ratePerSecond: Double(settings.whole(.okkiRate)))
    options.burst = min(max(10, settings.whole(.okkiRate) / 4), OKKIOptions.mostBurst)
    options.rateLedger = rateLedger
    options.tokenStore = tokenStore
    options.onProgress = onProgress
    options.metrics = PartnerMetrics(.okki, factory: registry)
    options.concurrency = settings.whole(.okkiConcurrency)
    options.certificateAuthorityFile = settings.text(.certificateAuthorities)
    options.onCertificate = certificateWatch(.okki)
    options.allowsPlainHTTP = isPlain(url)
    let source = try OKKIOrderSource(options)
    onClose { await source.close() }
    return source
  }

  /// - Parameter tokenStore: the installation's tokens; nil for one of its own.
  func destination(tokenStore: (any TokenStore)? = nil) throws(SetupProblem) -> K3BillDestination {
    let url = settings.text(.k3URL)
    var options = K3Options(url: url, authorityCode: settings.text(.k3AuthorityCode))
    options.concurrency = settings.whole(.k3Concurrency)
    options.tokenStore = tokenStore
    options.metrics = PartnerMetrics(.k3, factory: registry)
    options.concurrencyFloor = settings.whole(.k3ConcurrencyFloor)
    options.messages = try messages()
    options.readTimeoutMilliseconds = settings.whole(.k3ReadTimeout) * 1000
    options.saveTimeoutMilliseconds = settings.whole(.k3SaveTimeout) * 1000
    options.certificateAuthorityFile = settings.text(.certificateAuthorities)
    options.onCertificate = certificateWatch(.k3)
    options.allowsPlainHTTP = isPlain(url)
    let destination = try K3BillDestination(options)
    onClose { await destination.close() }
    return destination
  }

  /// How K/3's refusals are told apart: the texts that are built in, with the site's own.
  private func messages() throws(SetupProblem) -> K3Messages {
    let file = settings.text(.k3Messages)
    if file.isEmpty { return K3Messages() }
    guard let data = FileManager.default.contents(atPath: file), data.count <= 1 << 20 else {
      throw SetupProblem(
        "The texts of K/3's messages cannot be read, or are larger than 1 MiB.",
        remedy: "Name a JSON file in FERRY_K3_MESSAGES_FILE.")
    }
    return try K3Messages(adding: [UInt8](data))
  }

  private func isPlain(_ url: String) -> Bool { url.lowercased().hasPrefix("http://") }

  // MARK: - Roles

  /// A role ready to run.
  func roleService(_ role: Role) throws -> RoleService {
    switch role {
    case .poll:
      let (poller, outbox, database) = try poller()
      observe(poller, outbox)
      let backlog = try backlogWatch(of: poller, database)
      return RoleService(
        name: "poll", service: poller, partners: [.okki, .postgresql, .rabbitmq, .setup], registry: registry,
        prepare: { await outbox.connect() }, upkeep: { await outbox.stayConnected() },
        broker: { [outbox.standing] }, away: { Set([poller.interruption?.absence].compactMap { $0 }) }
      ).watched(by: watch(over: poller)).beside { await backlog.watch() }.requiring(fitLedger(database))
    case .transform:
      let folder = try StrategyFolder(settings.text(.strategies))
      for warning in folder.warnings {
        logger.warning("A strategy has something odd", metadata: ["warning": "\(warning)"])
      }
      for strategy in folder.set.strategies {
        logger.info(
          strategy.isOff ? "A strategy is off: its condition waits for a value" : "A strategy takes orders",
          metadata: ["strategy": "\(strategy.name)", "object": "\(strategy.object)"])
      }
      let database = try database(connections: 2)
      let collections = PostgresCollections(database)
      let stage = TransformStage(
        strategies: folder.set, collections: CachedCollections(collections, clock: clock),
        untaken: TransformStage.Untaken(rawValue: settings.text(.untaken)) ?? .park,
        waiting: MasterDataWait(
          seconds: settings.whole(.masterDataWait), ladder: settings.wholes(.retrySeconds), clock: clock))
      let names = folder.set.collections
      // What waits here goes to the loader as one message: it need not wait there again.
      return try worker(
        stage, database, partners: [.postgresql, .rabbitmq, .setup],
        shape: WorkerShape(batchSize: 64, concurrentBatches: 4), gather: .milliseconds(2)
      ).beside { [clock, logger] in
        let filled = { () async throws(LedgerFailure) in try await collections.names() }
        await FilledCollections.tell(of: names, filled: filled, clock: clock, logger: logger)
      }
    case .load:
      let times = LoadTimes(
        leaseSeconds: settings.whole(.leaseSeconds), saveSeconds: settings.whole(.k3SaveTimeout),
        marginSeconds: Settings.leaseMargin, visibleSeconds: settings.whole(.k3Visible))
      let database = try database(connections: 2)
      let shared = try sharedState()
      let tokens = try PostgresTokenStore(shared, secret: settings.text(.k3AuthorityCode))
      let destination = try destination(tokenStore: tokens)
      registry.observe("ferry_concurrency_limit", labels: [("partner", Partner.k3.rawValue)]) {
        Double(destination.concurrencyLimit)
      }
      let ledger = PostgresLedger(database)
      let doubts = doubtLook(ledger)
      let stage = LoadStage(
        ledger: ledger, destination: destination, times: times,
        clock: clock, strategies: try writingBack(),
        changed: ChangedOrders(rawValue: settings.text(.changed)) ?? .hold,
        removed: RemovedOrders(rawValue: settings.text(.removed)) ?? .hold)
      let places = max(2, settings.whole(.k3Concurrency))
      // Enough batches that K/3's places are never empty while the slowest Save of a batch is awaited.
      let shape = WorkerShape(
        batchSize: 2 * places, quickBatchSize: max(2 * places, min(6 * places, 256)), concurrentBatches: 4)
      return try worker(
        stage, database, partners: [.k3, .postgresql, .rabbitmq, .setup], shape: shape,
        mostLent: shape.mostLent(longestSeconds: times.longestSeconds), breakers: PostgresPartnerBreakers(shared)
      ).beside { await doubts.watch() }
    case .migrate: throw SetupProblem("migrate is no service.", remedy: "Run ferry migrate by itself.")
    }
  }

  /// The strategies for their `primaryWriteback`; nil where this loader is given none.
  private func writingBack() throws -> StrategySet? {
    let folder = settings.text(.strategies)
    return folder.isEmpty ? nil : try StrategyFolder(folder).set
  }

  /// - Parameters:
  ///   - mostLent: no more messages are taken than can be worked on before the broker asks for them back.
  ///   - gather: how long few messages wait for more while others are under way.
  private func worker(
    _ stage: some Stage, _ database: LedgerDatabase, partners: [Partner], shape: WorkerShape, mostLent: Int = .max,
    gather: Duration = .zero, breakers: (any PartnerBreakers)? = nil
  ) throws -> RoleService {
    let topology = try topology()
    let name = stage.name
    let inbox = RabbitInbox(
      try rabbit(), topology: topology, stage: name, prefetch: settings.whole(.prefetch), mostLent: mostLent,
      gather: gather, meter: InboxMeter(stage: name, factory: registry), onEvent: events("\(name.rawValue) inbox"))
    let outbox = RabbitOutbox(
      try rabbit(), topology: topology, meter: PublishMeter(stage: name.rawValue, factory: registry),
      onEvent: events("\(name.rawValue) outbox"))
    let worker = Worker(
      stage: stage, inbox: inbox, outbox: outbox, policy: policy, shape: shape, clock: clock, logger: logger,
      breakers: breakers, metrics: PipelineMetrics(factory: registry))
    observe(worker, name, inbox, outbox)
    let ledger = LedgerWatch(clock: clock, logger: logger) { () async throws(LedgerFailure) in
      try await Migrator(database).check()
    }
    return RoleService(
      name: name.rawValue, service: worker, partners: partners, registry: registry,
      prepare: {
        await outbox.connect()
        // Said at the start, not only when the first order needs it. The worker starts all the same.
        await ledger.look()
      },
      upkeep: {
        async let looking: Void = ledger.lookUntilUsable()
        await outbox.stayConnected()
        await looking
      }, broker: { [inbox.standing, outbox.standing] },
      away: { worker.absences.union([ledger.absence].compactMap { $0 }) }
    ).watched(
      by: VitalityWatch(
        name.rawValue, longestBatch: .seconds(600 + settings.whole(.leaseSeconds) * 2),
        patience: .seconds(settings.whole(.stallSeconds)), clock: clock, logger: logger,
        activity: { worker.activity }, ready: { await inbox.ready() })
    ).requiring(fitLedger(database))
  }

  /// Nobody waits for a ledger that no waiting makes fit. One that is away, or that `ferry migrate` has not come to yet, is
  /// waited for by the role itself; whether it was restored a poller asks with each election, a loader with its claims.
  private func fitLedger(_ database: LedgerDatabase) -> @Sendable () async throws -> Void {
    return {
      if let refusal = try? await Migrator(database).refusal() { throw refusal }
    }
  }

  /// The watch over a poller. It may be silent for as long as one wait or call takes that is bounded itself, be it for OKKI
  /// (token, rate, request), PostgreSQL or the broker's confirms, and then for as long as the setting says.
  private func watch(over poller: Poller) -> VitalityWatch {
    let stall = settings.whole(.stallSeconds)
    return VitalityWatch(
      "poll", longestBatch: .seconds(Self.longestPollCall + stall), patience: .seconds(stall), clock: clock,
      logger: logger, activity: { poller.progress.activity }, ready: { nil })
  }

  /// Seconds.
  private static let longestPollCall = 120

  private func poller() throws -> (Poller, RabbitOutbox, LedgerDatabase) {
    let outbox = RabbitOutbox(
      try rabbit(), topology: try topology(), meter: PublishMeter(stage: Role.poll.rawValue, factory: registry),
      onEvent: events("poll outbox"))
    let database = try database(connections: 2)
    var plan = PollPlan(since: settings.time(.pollSince) ?? BeijingTime(epochSeconds: 0))
    plan.intervalSeconds = settings.whole(.pollInterval)
    plan.overlapSeconds = settings.whole(.pollOverlap)
    plan.lagSeconds = settings.whole(.pollLag)
    plan.pageSize = settings.whole(.pollPageSize)
    plan.reconcileSeconds = settings.whole(.reconcileInterval)
    plan.reconcileDays = settings.whole(.reconcileDays)
    let progress = PollProgress(clock)
    let source = try sharingOrderSource { progress.mark() }
    let ledger = PostgresPollLedger(database)
    let poller = Poller(
      source: source, ledger: ledger, outbox: outbox, plan: plan, clock: clock, logger: logger,
      metrics: PipelineMetrics(factory: registry), sweeps: ledger, progress: progress)
    return (poller, outbox, database)
  }

  /// One poll cycle.
  /// - Returns: false when nothing was read, because another process polls.
  func pollOnce() async throws -> Bool {
    let (poller, outbox, database) = try poller()
    try await fitLedger(database)()
    let result: Result<Bool, PollInterruption>
    do throws(PollInterruption) { result = .success(try await poller.once()) } catch { result = .failure(error) }
    await outbox.close()
    await close()
    return try result.get()
  }
}
