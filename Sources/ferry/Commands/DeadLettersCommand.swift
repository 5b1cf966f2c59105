import ArgumentParser
import FoundationEssentials
import Glibc
import Pipeline
import Queue

struct DeadLettersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dead-letters", abstract: "Lists, shows, replays and discards parked messages.",
    discussion: """
      Needs FERRY_RABBITMQ_URL and FERRY_POSTGRES_URL. Each command first moves what lies in the broker's dead queues into \
      PostgreSQL, where every act is recorded with who and when. What cannot be moved stays in its queue and is told; the \
      command does its work all the same, and ends with 1.
      """,
    subcommands: [
      DeadLettersListCommand.self, DeadLettersShowCommand.self, DeadLettersReplayCommand.self,
      DeadLettersDiscardCommand.self,
    ])
}

/// Which letters a command is about.
struct LetterOptions: ParsableArguments {
  @Option(help: "only those parked for this reason, such as customer_unmapped") var reason: String?
  @Option(help: "only those of this order: OKKI's order_id, or the order's number") var order: String?
  @Option(help: "only those of this stage: transform or load", transform: { try LetterOptions.word($0) })
  var stage: StageName?
  @Option(help: "only those that are waiting, replayed or discarded", transform: { try LetterOptions.word($0) })
  var state: FiledLetter.State?

  fileprivate static func word<Word: RawRepresentable<String> & CaseIterable>(_ text: String) throws -> Word {
    if let word = Word(rawValue: text) { return word }
    throw ValidationError("it must be one of " + Word.allCases.map(\.rawValue).joined(separator: ", "))
  }

  var isEmpty: Bool { reason == nil && order == nil && stage == nil && state == nil }

  var filter: LetterFilter {
    var filter = LetterFilter()
    (filter.reason, filter.order, filter.stage, filter.state) = (reason, order, stage, state)
    return filter
  }
}

/// What every one of the commands begins and ends with.
enum LetterDesk {
  /// Runs a command after the dead queues have been emptied into the archive.
  /// - Parameter needsBroker: whether the command ends where that fails; else it is said, and the archive alone answers.
  static func with(needsBroker: Bool, _ body: (DeadLetterOffice) async throws -> Void) async throws {
    let needed: Set<SettingName> = [.postgresURL, .postgresSchema, .rabbitURL, .queuePrefix, .retrySeconds]
    try await Startup.command(for: .transform, needing: needed) { wiring in
      let (office, queues) = try await wiring.deadLetters()
      do {
        let left = try await collect(office, needsBroker: needsBroker)
        try await body(office)
        if left > 0 { throw ExitCode(1) }
      } catch let failure as DeadLetterOffice.Failure {
        await queues.close()
        switch failure {
        case .ledger(let failure): throw failure
        case .broker(let failure): throw failure
        }
      } catch {
        await queues.close()
        throw error
      }
      await queues.close()
    }
  }

  /// How many letters stay in their queues; each is told.
  private static func collect(_ office: DeadLetterOffice, needsBroker: Bool) async throws -> Int {
    var left = 0
    do throws(DeadLetterOffice.Failure) {
      _ = try await office.collect { letter in
        left += 1
        Startup.complain(letter.text)
      }
    } catch {
      guard case .broker(let failure) = error, !needsBroker else { throw error }
      Startup.complain("The dead queues cannot be read, so what was parked since the last time is missing: \(failure)")
    }
    return left
  }

  /// Whether a person agrees, by `--yes` or at the terminal.
  static func agrees(_ yes: Bool, to question: String) throws -> Bool {
    if yes { return true }
    guard isatty(STDIN_FILENO) == 1 else {
      Startup.complain("\(question) Nothing was done: say --yes, or run it at a terminal.")
      throw ExitCode(64)
    }
    Startup.complain("\(question) [y/N]")
    return ["y", "yes"].contains((readLine() ?? "").lowercased())
  }

  /// Who acts.
  static func name(_ by: String?) throws -> String {
    let name = by ?? ProcessInfo.processInfo.environment["USER"] ?? ""
    guard (1...100).contains(name.count) else {
      throw ValidationError("nobody is named in USER: say who you are with --by NAME (at most 100 characters)")
    }
    return name
  }
}

struct DeadLettersListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Prints what is parked, a line each; without --state what is waiting.")

  @OptionGroup var letters: LetterOptions
  @Flag(help: "one JSON object a line") var json = false

  func run() async throws {
    try await LetterDesk.with(needsBroker: false) { office in
      var filter = letters.filter
      if filter.state == nil { filter.state = .waiting }
      var counts: [String: Int] = [:]
      var last: Int64 = 0
      while true {
        let some = try await office.archive.letters(filter, after: last, limit: 500, withBodies: false)
        guard let end = some.last else { break }
        last = end.id
        for letter in some {
          counts[letter.letter.reason, default: 0] += 1
          print(json ? letter.json(acts: nil) : letter.line)
        }
      }
      if json { return }
      let parts = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }
      Startup.complain(parts.isEmpty ? "No such letter." : parts.joined(separator: ", "))
    }
  }
}

struct DeadLettersShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Prints a letter with its message, the vendor's answer, and what was done to it.",
    discussion: "Exit 1 when there is none of this number. The message holds the order's or bill's whole content.")

  @Argument(help: "the letter's number, as list prints it") var id: Int64
  @Flag(help: "one JSON object in one line") var json = false

  func run() async throws {
    try await LetterDesk.with(needsBroker: false) { office in
      var filter = LetterFilter()
      filter.ids = [id]
      guard let letter = try await office.archive.letters(filter, after: 0, limit: 1, withBodies: true).first else {
        Startup.complain("There is no letter \(id).")
        throw ExitCode(1)
      }
      let acts = try await office.archive.acts(on: id)
      print(json ? letter.json(acts: acts) : letter.text(acts: acts))
    }
  }
}

/// The letters that an act is for.
struct ChosenLetters: ParsableArguments {
  @Argument(help: "numbers of letters, as list prints them") var ids: [Int64] = []
  @OptionGroup var letters: LetterOptions
  @Flag(help: "all that are waiting") var all = false
  @Flag(help: "do not ask") var yes = false
  @Option(help: "who acts; without it USER") var by: String?

  func validate() throws {
    if ids.isEmpty, letters.isEmpty, !all {
      throw ValidationError("name letters: by their numbers, by --reason, --order, --stage or --state, or --all")
    }
  }

  /// The letters' numbers now: what is parked later is not among them. Without `--state` those that are waiting.
  func chosen(_ office: DeadLetterOffice) async throws -> [Int64] {
    var filter = letters.filter
    if filter.state == nil { filter.state = .waiting }
    if !ids.isEmpty { filter.ids = ids }
    let numbers = try await office.numbers(filter)
    let others = Set(ids).subtracting(numbers).sorted()
    if !others.isEmpty {
      let list = others.map { "\($0)" }.joined(separator: ", ")
      Startup.complain("Left out, since they are not there or not \(filter.state?.rawValue ?? "meant"): \(list)")
    }
    return numbers
  }
}

struct DeadLettersReplayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Gives letters to their stages again, each on its first attempt.",
    discussion: """
      What was written to K/3 meanwhile is not written again, so a replay may be repeated. With --refetch the message stays \
      where it is, and the poller reads the letter's order anew in its next cycle: for orders that were mended in OKKI. What it \
      reads is a new version of the order, and counts as changed where the order is in K/3 already. Exit 0 when the broker has \
      confirmed all, or all are asked for; 1 when some were refused.
      """)

  @OptionGroup var chosen: ChosenLetters
  @Flag(help: "have the orders read anew from OKKI instead") var refetch = false
  @Flag(help: "one JSON object in one line") var json = false

  func run() async throws {
    let by = try LetterDesk.name(chosen.by)
    try await LetterDesk.with(needsBroker: !refetch) { office in
      let ids = try await chosen.chosen(office)
      if ids.isEmpty { return Startup.complain("No such letter.") }
      let question = refetch ? "Read the orders of \(ids.count) letters anew?" : "Replay \(ids.count) letters?"
      guard try LetterDesk.agrees(chosen.yes, to: question) else { return }
      let result = try await refetch ? office.refetch(ids, by: by) : office.replay(ids, by: by)
      let done = "\(result.replayed.count) \(refetch ? "to be read anew" : "replayed")"
      print(json ? result.json(refetch: refetch) : done)
      for (id, why) in result.refused { Startup.complain("\(id): \(why)") }
      let left = ids.count - result.replayed.count
      if left > 0 {
        Startup.complain("\(left) stay as they were." + (refetch ? "" : " Run the command again."))
        throw ExitCode(1)
      }
    }
  }
}

struct DeadLettersDiscardCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "discard", abstract: "Marks letters as done with. They stay in PostgreSQL, and can still be replayed.")

  @OptionGroup var chosen: ChosenLetters
  @Flag(help: "one JSON object in one line") var json = false

  func run() async throws {
    let by = try LetterDesk.name(chosen.by)
    try await LetterDesk.with(needsBroker: false) { office in
      let ids = try await chosen.chosen(office)
      if ids.isEmpty { return Startup.complain("No such letter.") }
      guard try LetterDesk.agrees(chosen.yes, to: "Discard \(ids.count) letters?") else { return }
      let discarded = try await office.discard(ids, by: by)
      print(json ? LetterDesk.json(discarded: discarded, of: ids) : "\(discarded.count) discarded")
    }
  }
}
