#if FERRY_CHAOS
  import Glibc
  import Synchronization
#endif

/// A step of a role after which a build for `deploy/chaos` can end its own process, as kill −9 would.
///
/// Only a build with `FERRY_CHAOS=1` in its environment knows how: there `CHAOS_FAULT=after:poll.published:3` kills the
/// process when it has got so far for the third time. In every other build, the shipped one among them, reaching a point
/// is nothing at all, and the variable is not looked at.
public enum FaultPoint: String, CaseIterable, Sendable {
  case pollCustomersStored = "poll.customers_stored"
  case pollPageFetched = "poll.page_fetched"
  case pollNumbered = "poll.numbered"
  case pollPublished = "poll.published"
  case pollRecorded = "poll.recorded"
  case pollWatermarkMoved = "poll.watermark_moved"
  case pollRemovalsFetched = "poll.removals_fetched"
  case pollRemovalsPublished = "poll.removals_published"
  case pollRemovalsRecorded = "poll.removals_recorded"
  case pollRemovalsPassed = "poll.removals_passed"
  case pollSweepFetched = "poll.sweep_fetched"
  case pollSweepPublished = "poll.sweep_published"
  case pollSweepMoved = "poll.sweep_moved"
  case transformTaken = "transform.taken"
  case transformHandled = "transform.handled"
  case transformPublished = "transform.published"
  case transformBuried = "transform.buried"
  case transformAcknowledged = "transform.acknowledged"
  case loadTaken = "load.taken"
  case loadClaimed = "load.claimed"
  case loadLookedUp = "load.looked_up"
  case loadBeforeSave = "load.before_save"
  case loadAfterSave = "load.after_save"
  case loadBeforeUpdate = "load.before_update"
  case loadAfterUpdate = "load.after_update"
  case loadBeforeDelete = "load.before_delete"
  case loadAfterDelete = "load.after_delete"
  case loadSettled = "load.settled"
  case loadPublished = "load.published"
  case loadBuried = "load.buried"
  case loadAcknowledged = "load.acknowledged"

  /// A worker's own steps, the same for each stage.
  enum WorkerStep: String {
    /// A batch was taken from the queue.
    case taken
    /// The stage has decided.
    case handled
    /// The successors are confirmed, the messages not yet acknowledged.
    case published
    /// The same, with a message for the dead queue among them.
    case buried
    /// Messages were acknowledged.
    case acknowledged
  }

  /// Whether this build can end itself.
  public static var isArmed: Bool {
    #if FERRY_CHAOS
      true
    #else
      false
    #endif
  }

  /// The process got so far.
  @inline(__always) static func reached(_ point: FaultPoint) {
    #if FERRY_CHAOS
      PlannedFault.inEnvironment?.reached(point)
    #endif
  }

  /// A worker hands these to its stage. `CHAOS_FAULT=on:transform:NUMBER` kills each process that has the order of that
  /// number among them: a message that ends whoever works on it.
  @inline(__always) static func handed(_ envelopes: [Envelope], to stage: StageName) {
    #if FERRY_CHAOS
      PlannedFault.inEnvironment?.handed(envelopes, to: stage)
    #endif
  }

  /// A worker got so far.
  @inline(__always) static func reached(_ step: WorkerStep, at stage: StageName) {
    #if FERRY_CHAOS
      if let point = FaultPoint(rawValue: "\(stage.rawValue).\(step.rawValue)") { reached(point) }
    #endif
  }
}

#if FERRY_CHAOS
  /// What `CHAOS_FAULT` asks for.
  private final class PlannedFault: Sendable {
    static let inEnvironment = getenv("CHAOS_FAULT").flatMap { PlannedFault(String(cString: $0)) }

    private let point: FaultPoint?
    private let timesLeft: Mutex<Int>
    private let order: (stage: StageName, number: String)?

    /// `after:POINT`, `after:POINT:N` or `on:STAGE:NUMBER`. Another text ends the process: a fault that never comes would pass for
    /// one that did no harm.
    private init?(_ text: String) {
      let parts = text.split(separator: ":").map(String.init)
      if parts.count == 3, parts[0] == "on", let stage = StageName(rawValue: parts[1]) {
        (point, order) = (nil, (stage, parts[2]))
        timesLeft = Mutex(1)
        return
      }
      guard (2...3).contains(parts.count), parts[0] == "after", let point = FaultPoint(rawValue: parts[1]),
        let times = parts.count == 2 ? 1 : Int(parts[2]), times > 0
      else {
        print("CHAOS_FAULT is not understood: \(text)")
        fflush(nil)
        exit(64)
      }
      self.point = point
      order = nil
      timesLeft = Mutex(times)
    }

    func reached(_ point: FaultPoint) {
      guard point == self.point else { return }
      let isDue = timesLeft.withLock { left in
        left -= 1
        return left == 0
      }
      if isDue { kill(getpid(), SIGKILL) }
    }

    func handed(_ envelopes: [Envelope], to stage: StageName) {
      guard let order, order.stage == stage else { return }
      if envelopes.contains(where: { $0.orderNumber == order.number }) { kill(getpid(), SIGKILL) }
    }
  }
#endif

/// How far the wall clock of a build for `deploy/chaos` is off.
public enum ClockStep {
  /// Milliseconds to be added to the system's time: 0, and in a build with `FERRY_CHAOS=1` the seconds that stand in the file
  /// that `CHAOS_CLOCK` names, read each time.
  @inline(__always) public static var milliseconds: Int64 {
    #if FERRY_CHAOS
      stepInFile()
    #else
      0
    #endif
  }

  #if FERRY_CHAOS
    private static let path = getenv("CHAOS_CLOCK").map { String(cString: $0) }

    private static func stepInFile() -> Int64 {
      guard let path, let file = fopen(path, "r") else { return 0 }
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 32)
      guard fgets(&line, 32, file) != nil else { return 0 }
      return Int64(atoll(line)) * 1_000
    }
  #endif
}

/// Whether a build for `deploy/chaos` is to be taken for the next one, with a schema that is one step newer.
public enum NextSchema {
  /// False, and in a build with `FERRY_CHAOS=1` whether `CHAOS_NEXT_SCHEMA` is set.
  public static var isRehearsed: Bool {
    #if FERRY_CHAOS
      getenv("CHAOS_NEXT_SCHEMA") != nil
    #else
      false
    #endif
  }
}
