public import Orders
public import Pipeline

extension MemoryPollLedger: SweepLedger {
  /// Begins a reconciliation, as the port says.
  public func startReconcile(_ window: TimeWindow, everySeconds: Int) async throws(LedgerFailure) {
    let isElected = isElected
    try checked { state in
      let last = window.to.advanced(bySeconds: -Int64(everySeconds))
      let latest = window.to.advanced(bySeconds: Int64(everySeconds))
      let isEarly = state.sweeps.contains { sweep in
        sweep.kind == .reconcile && sweep.window.to <= latest
          && (sweep.state == .running || sweep.state == .paused || sweep.window.to > last)
      }
      guard isElected(state), !isEarly else { return }
      let isFirst = !state.sweeps.contains { $0.kind == .reconcile }
      _ = state.begin(.reconcile, .create, isFirst ? TimeWindow(from: window.to, to: window.to) ?? window : window)
      if isFirst {
        state.sweeps[state.sweeps.count - 1].state = .done
        state.sweeps[state.sweeps.count - 1].next = window.to.advanced(bySeconds: 1)
      }
    }
  }

  /// Sweeps under way, as the port says.
  public func runningSweeps() async throws(LedgerFailure) -> [Sweep] {
    try checked { state in state.sweeps.filter { $0.state == .running } }
  }

  /// Moves a sweep on, as the port says.
  public func advance(
    _ sweep: Sweep, past second: BeijingTime, _ findings: SweepFindings
  ) async throws(LedgerFailure) -> Bool {
    let isElected = isElected
    return try checked { state in
      guard isElected(state), let index = state.sweeps.firstIndex(where: { $0.id == sweep.id }),
        state.sweeps[index].next == sweep.next, [.running, .paused].contains(state.sweeps[index].state)
      else { return false }
      state.sweeps[index].next = second.advanced(bySeconds: 1)
      state.sweeps[index].findings = state.sweeps[index].findings + findings
      if second >= sweep.window.to { state.sweeps[index].state = .done }
      return true
    }
  }

  /// Begins a backfill, as the port says.
  public func startBackfill(_ window: TimeWindow, _ basis: Sweep.Basis) async throws(LedgerFailure) -> Sweep {
    try checked { $0.begin(.backfill, basis, window) }
  }

  /// Begins to publish again, as the port says.
  public func startRepublishing(_ window: TimeWindow) async throws(LedgerFailure) -> Sweep {
    let now = now
    return try checked { state in
      for (id, known) in state.orders
      where known.contentHash == FetchedRevision.removalHash
        || (window.from...window.to).contains(known.updateTime)
      {
        state.orders[id]?.isPublished = false
      }
      if let at = state.watermarks[.removed] {
        state.watermarks[.removed] = min(at, window.from)
        state.moved[.removed] = now
      }
      return state.begin(.backfill, .update, window)
    }
  }

  /// The last sweeps, as the port says.
  public func sweeps() async throws(LedgerFailure) -> [Sweep] {
    try checked { Array($0.sweeps.reversed().prefix(1_000)) }
  }

  /// Pauses, resumes and cancels, as the port says.
  public func change(_ id: Int64, to wanted: Sweep.State) async throws(LedgerFailure) -> SweepChange {
    try checked { state in
      guard let index = state.sweeps.firstIndex(where: { $0.id == id }) else { return .unknown }
      guard wanted.origins.contains(state.sweeps[index].state) else { return .refused(state.sweeps[index]) }
      state.sweeps[index].state = wanted
      return .changed(state.sweeps[index])
    }
  }
}

extension MemoryPollLedger.Books.State {
  fileprivate mutating func begin(_ kind: Sweep.Kind, _ basis: Sweep.Basis, _ window: TimeWindow) -> Sweep {
    let sweep = Sweep(
      id: Int64(sweeps.count + 1), kind: kind, basis: basis, window: window, next: window.from, state: .running,
      findings: SweepFindings())
    sweeps.append(sweep)
    return sweep
  }
}
