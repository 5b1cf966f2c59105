import Orders
import Pipeline
import PipelineTesting

/// PostgreSQL as the protocol sees it: statements that are done or not, answers that get lost, a lease, and
/// an advisory lock that lives as long as its connection.
final class SimulatedDatabase: @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.
  let server: Server
  let ledger: MemoryLedger
  let books: MemoryPollLedger.Books
  let breakers: MemoryPartnerBreakers
  fileprivate var connections: [MemoryPollLedger] = []
  private let world: World

  init(_ world: World) {
    self.world = world
    ledger = MemoryLedger(clock: world.clock)
    books = MemoryPollLedger.Books(clock: world.clock)
    breakers = MemoryPartnerBreakers { world.now * 1_000 }
    server = Server("PostgreSQL", world)
  }

  /// Down for so long: all connections are lost, and their locks with them.
  func restart(for milliseconds: Int64) {
    server.goDown(for: milliseconds)
    let lost = connections
    connections = []
    for connection in lost { connection.disconnect() }
  }
}

/// The ledger, asked by one process.
final class SimulatedLedger: SyncLedger, PollLedger, SweepLedger, Collections, @unchecked Sendable {
  // Unchecked: only the main thread ever touches it.
  private let host: Host
  private let database: SimulatedDatabase
  private let poll: MemoryPollLedger
  /// Told of every move of a watermark.
  private let onAdvance: @Sendable (PollStream, BeijingTime) -> Void
  /// Told of every removal that is recorded.
  private let onRemoval: @Sendable (RemovalRequest, RemovalAnswer) -> Void
  /// Told of every slice of a sweep that is done.
  private let onSweep: @Sendable (Sweep.Kind, SweepFindings) -> Void
  /// Told of orders that need not be read anew any more.
  private let onReadAnew: @Sendable ([OrderID]) -> Void
  /// Told of every claim that ended.
  private let onSettle: @Sendable (BillID) -> Void

  init(
    _ host: Host, _ database: SimulatedDatabase,
    onAdvance: @escaping @Sendable (PollStream, BeijingTime) -> Void,
    onRemoval: @escaping @Sendable (RemovalRequest, RemovalAnswer) -> Void,
    onSweep: @escaping @Sendable (Sweep.Kind, SweepFindings) -> Void,
    onReadAnew: @escaping @Sendable ([OrderID]) -> Void, onSettle: @escaping @Sendable (BillID) -> Void
  ) {
    self.onSettle = onSettle
    self.onReadAnew = onReadAnew
    self.onSweep = onSweep
    self.onRemoval = onRemoval
    self.host = host
    self.database = database
    self.onAdvance = onAdvance
    let poll = MemoryPollLedger(database.books)
    self.poll = poll
    host.whenDead { [world = host.world] in
      // The server sees the connection end a little later.
      world.after(Int64(world.random.number(1...5_000))) { poll.disconnect() }
    }
  }

  private func ask<Answer: Sendable>(
    _ statement: @escaping @Sendable () async throws(LedgerFailure) -> Answer
  ) async throws(LedgerFailure) -> Answer {
    let reply = await host.call(database.server, timeout: 40_000) { () async -> Result<Answer, LedgerFailure> in
      do throws(LedgerFailure) { return .success(try await statement()) } catch { return .failure(error) }
    }
    switch reply {
    case .answer(let result): return try result.get()
    case .notSent: throw .unavailable("connection refused")
    case .lost: throw .unavailable("no answer")
    }
  }

  // MARK: The loader's

  func claim(_ requests: [ClaimRequest], leaseSeconds: Int) async throws(LedgerFailure) -> [ClaimAnswer] {
    try await ask { [database] () async throws(LedgerFailure) in
      try await database.ledger.claim(requests, leaseSeconds: leaseSeconds)
    }
  }

  func settle(_ settlements: [Settlement]) async throws(LedgerFailure) -> [Bool] {
    try await ask { [database, onSettle] () async throws(LedgerFailure) in
      let flags = try await database.ledger.settle(settlements)
      for (settlement, isHeld) in zip(settlements, flags) where isHeld { onSettle(settlement.bill) }
      return flags
    }
  }

  func remove(_ requests: [RemovalRequest], leaseSeconds: Int) async throws(LedgerFailure) -> [RemovalAnswer] {
    try await ask { [database, onRemoval] () async throws(LedgerFailure) in
      let answers = try await database.ledger.remove(requests, leaseSeconds: leaseSeconds)
      for (request, answer) in zip(requests, answers) { onRemoval(request, answer) }
      return answers
    }
  }

  // MARK: The poller's

  func position(of stream: PollStream) async throws(LedgerFailure) -> PollPosition? {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.position(of: stream) }
  }

  func advance(_ stream: PollStream, from old: BeijingTime?, to new: BeijingTime) async throws(LedgerFailure) -> Bool {
    try await ask { [poll, onAdvance] () async throws(LedgerFailure) in
      let moved = try await poll.advance(stream, from: old, to: new)
      if moved { onAdvance(stream, new) }
      return moved
    }
  }

  func unpublished(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline] {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.unpublished(among: headlines) }
  }

  func unremoved(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline] {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.unremoved(among: headlines) }
  }

  func numbered(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline] {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.numbered(among: headlines) }
  }

  func number(_ revisions: [FetchedRevision]) async throws(LedgerFailure) -> [RevisionAnswer] {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.number(revisions) }
  }

  func record(_ published: [PublishedRevision]) async throws(LedgerFailure) -> Bool {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.record(published) }
  }

  func refetches(limit: Int) async throws(LedgerFailure) -> [Refetch]? {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.refetches(limit: limit) }
  }

  func endRefetches(_ done: [Refetch]) async throws(LedgerFailure) -> Bool {
    try await ask { [poll, onReadAnew] () async throws(LedgerFailure) in
      let isEnded = try await poll.endRefetches(done)
      if isEnded { onReadAnew(done.map(\.order)) }
      return isEnded
    }
  }

  func store(customers: [CollectionRecord]) async throws(LedgerFailure) -> Bool {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.store(customers: customers) }
  }

  func lead() async throws(LedgerFailure) -> Bool {
    do throws(LedgerFailure) {
      return try await ask { [poll, database, host] () async throws(LedgerFailure) in
        // Killed on the way: the connection ends behind the question, and the lock with it.
        if !host.isAlive { return false }
        if !database.connections.contains(where: { $0 === poll }) { database.connections.append(poll) }
        return try await poll.lead()
      }
    } catch {
      // The client closes the connection; until another one is elected its fence holds.
      poll.disconnect()
      throw error
    }
  }

  func resign() async { if host.isAlive { await poll.resign() } }

  // MARK: Sweeps

  func startReconcile(_ window: TimeWindow, everySeconds: Int) async throws(LedgerFailure) {
    try await ask { [poll] () async throws(LedgerFailure) in
      try await poll.startReconcile(window, everySeconds: everySeconds)
    }
  }

  func runningSweeps() async throws(LedgerFailure) -> [Sweep] {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.runningSweeps() }
  }

  func advance(
    _ sweep: Sweep, past second: BeijingTime, _ findings: SweepFindings
  ) async throws(LedgerFailure) -> Bool {
    try await ask { [poll, onSweep] () async throws(LedgerFailure) in
      let moved = try await poll.advance(sweep, past: second, findings)
      if moved { onSweep(sweep.kind, findings) }
      return moved
    }
  }

  func startBackfill(_ window: TimeWindow, _ basis: Sweep.Basis) async throws(LedgerFailure) -> Sweep {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.startBackfill(window, basis) }
  }

  func startRepublishing(_ window: TimeWindow) async throws(LedgerFailure) -> Sweep {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.startRepublishing(window) }
  }

  func sweeps() async throws(LedgerFailure) -> [Sweep] {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.sweeps() }
  }

  func change(_ id: Int64, to state: Sweep.State) async throws(LedgerFailure) -> SweepChange {
    try await ask { [poll] () async throws(LedgerFailure) in try await poll.change(id, to: state) }
  }

  // MARK: Collections

  func find(_ keys: [LookupKey]) async throws(LedgerFailure) -> [LookupAnswer] { keys.map { _ in .nothing } }
  func store(_ records: [CollectionRecord], in collection: String) async throws(LedgerFailure) {}
}
