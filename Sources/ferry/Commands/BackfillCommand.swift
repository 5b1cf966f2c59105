import ArgumentParser
import FoundationEssentials
import Orders
import Pipeline

struct BackfillCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backfill", abstract: "Brings in orders of a time that the poller has not read.",
    discussion: """
      The running poller works on backfills between its cycles, a page at a time, at half of OKKI's rate at most, and goes on \
      where it was after whatever ends it. Orders that were published already are skipped. Times are Beijing time, written \
      yyyy-MM-dd HH:mm:ss or yyyy-MM-dd. All need FERRY_POSTGRES_URL alone; a dry run also FERRY_OKKI_….
      """,
    subcommands: [
      BackfillStartCommand.self, BackfillListCommand.self, BackfillPauseCommand.self, BackfillResumeCommand.self,
      BackfillCancelCommand.self,
    ])
}

/// What the commands have in common.
enum BackfillDesk {
  /// Runs a command on the ledger.
  static func withLedger(_ body: (any SweepLedger) async throws -> Void) async throws {
    try await Startup.command(for: .migrate, needing: [.postgresURL, .postgresSchema]) { wiring in
      try await body(wiring.sweepLedger())
    }
  }

  /// Changes a sweep's state.
  static func change(_ id: Int64, to state: Sweep.State) async throws {
    try await withLedger { sweeps in
      switch try await sweeps.change(id, to: state) {
      case .changed(let sweep): print(sweep.line)
      case .unknown:
        Startup.complain("There is no backfill \(id); ferry backfill list prints all.")
        throw ExitCode(1)
      case .refused(let sweep):
        let origins = state.origins.map(\.rawValue).joined(separator: " or ")
        Startup.complain(
          "Backfill \(id) is \(sweep.state.rawValue): only one that is \(origins) can become \(state.rawValue).")
        throw ExitCode(1)
      }
    }
  }
}

/// The window of a backfill, as somebody writes it.
struct BackfillWindow {
  /// Reads the two ends.
  /// - Parameter now: the present by this machine's clock. A day alone as the end means its last second, of today now.
  /// - Throws: `ValidationError` with what is wrong.
  static func window(from: String, to: String, now: BeijingTime) throws -> TimeWindow {
    let start = try time("--from", from)
    var end = try time("--to", to)
    if end > now { throw ValidationError("--to \(end) lies in the future; it is \(now) in Beijing") }
    if to.count == 10 { end = min(end.advanced(bySeconds: 86_399), now) }
    guard let window = TimeWindow(from: start, to: end) else {
      throw ValidationError("--to \(end) lies before --from \(start)")
    }
    return window
  }

  private static func time(_ name: String, _ text: String) throws -> BeijingTime {
    if let time = BeijingTime(text) { return time }
    throw ValidationError(
      "\(name) «\(text.prefix(40))» must be written yyyy-MM-dd HH:mm:ss or yyyy-MM-dd, Beijing time")
  }
}

struct BackfillStartCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start", abstract: "Begins a backfill of the orders of a window, both ends included.",
    discussion: """
      Orders before FERRY_POLL_SINCE are brought in too. With --dry-run OKKI is asked how many orders there are, within the \
      installation's rate limit; that needs the settings FERRY_OKKI_… too, and begins nothing.
      """)

  @Option(help: "first second; a day alone means its first one") var from: String
  @Option(help: "last second; a day alone means its last one") var to: String
  @Option(
    help: "which time of an order must lie in the window: update, or create (usual), when it was entered",
    transform: { text in
      if let basis = Sweep.Basis(rawValue: text) { return basis }
      throw ValidationError("it must be update or create")
    })
  var by: Sweep.Basis?
  @Flag(
    help: """
      publish also what was published, for orders that were lost with a queue: by --by update; what Ferry has written \
      in K/3 is not written twice, and what was parked is tried again; but not an order of which every letter was \
      discarded and no other bill of its newest revision can have been lost (ferry dead-letters replay brings that one back)
      """)
  var again = false
  @Flag(help: "ask OKKI how many orders there are, and begin nothing") var dryRun = false

  private func window() throws -> TimeWindow {
    let now = BeijingTime(epochSeconds: Int64(Date().timeIntervalSince1970))
    return try BackfillWindow.window(from: from, to: to, now: now)
  }

  private var basis: Sweep.Basis { by ?? (again ? .update : .create) }

  func validate() throws {
    _ = try window()
    if again, by == .create {
      throw ValidationError("--again goes by the time of the last change: leave --by out, or say --by update")
    }
  }

  func run() async throws {
    let window = try window()
    if dryRun { return try await count(window) }
    try await BackfillDesk.withLedger { sweeps in
      print(try await (again ? sweeps.startRepublishing(window) : sweeps.startBackfill(window, basis)).line)
      Startup.complain("The poller works on it; ferry backfill list tells how far it is.")
    }
  }

  private func count(_ window: TimeWindow) async throws {
    let needed: Set<SettingName> = [
      .okkiURL, .okkiClientID, .okkiClientSecret, .okkiRate, .okkiConcurrency, .certificateAuthorities, .postgresURL,
      .postgresSchema,
    ]
    try await Startup.command(for: .poll, needing: needed) { wiring in
      let count = try await wiring.count(of: basis == .create ? .created(window) : .updated(window))
      let what = basis == .create ? "entered" : "changed last"
      print("\(count) orders that were \(what) from \(window.from) to \(window.to)")
    }
  }
}

struct BackfillListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Prints backfills and the poller's reconciliations, the newest first, a line each.")

  @Flag(help: "one JSON object a line") var json = false

  func run() async throws {
    try await BackfillDesk.withLedger { sweeps in
      let all = try await sweeps.sweeps()
      for sweep in all { print(json ? sweep.json : sweep.line) }
      if all.isEmpty, !json { Startup.complain("There has been none.") }
    }
  }
}

struct BackfillPauseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Lets a backfill wait. The page that is being read is read to its end.")
  @Argument(help: "its number, as list prints it") var id: Int64
  func run() async throws { try await BackfillDesk.change(id, to: .paused) }
}

struct BackfillResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Lets a paused backfill go on where it was.")
  @Argument(help: "its number, as list prints it") var id: Int64
  func run() async throws { try await BackfillDesk.change(id, to: .running) }
}

struct BackfillCancelCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Ends a backfill. What it has published stays published.")
  @Argument(help: "its number, as list prints it") var id: Int64
  func run() async throws { try await BackfillDesk.change(id, to: .cancelled) }
}
