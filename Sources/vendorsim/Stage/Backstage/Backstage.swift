import JSON

/// What both simulated servers have behind the scenes: clock, faults, counters, journal, and the admin surface below `/_sim/`.
final class Backstage<Fault: FaultList> {
  let seed: UInt64
  let clock: SimClock
  var faults: FaultPlan<Fault>
  let load = Load()
  private(set) var requests: [String: Int] = [:]
  private var journal: [JournalEntry] = []
  private var journalStart = 0
  private var journalTotal = 0
  private static var journalLength: Int { 10_000 }

  /// One request and what came of it. Never a token or a body.
  struct JournalEntry {
    var number: Int
    var atMilliseconds: Int
    var endpoint: String
    var key: String
    var status: Int
    var fault: String?
  }

  init(seed: UInt64, clock: SimClock) {
    self.seed = seed
    self.clock = clock
    faults = FaultPlan(seed: seed)
  }

  func record(_ endpoint: String, key: String, _ reply: Reply) {
    requests[endpoint, default: 0] += 1
    let entry = JournalEntry(
      number: journalTotal, atMilliseconds: clock.milliseconds, endpoint: endpoint, key: key,
      status: reply.ending == .dropped ? 0 : reply.status, fault: reply.fault)
    journalTotal += 1
    if journal.count < Self.journalLength {
      journal.append(entry)
    } else {
      journal[journalStart] = entry
      journalStart = (journalStart + 1) % Self.journalLength
    }
  }

  func reset() {
    requests = [:]
    journal = []
    journalStart = 0
    journalTotal = 0
    faults.forget()
    load.reset()
  }

  /// Counters that both servers show.
  func stats(_ writer: inout JSONWriter) {
    writer.member("requests", counts: requests)
    writer.member("faults", counts: faults.struck)
    writer.member("most_at_once", load.peak)
    writer.member("now", clock.text)
  }

  /// The admin routes that both servers share; nil for any other.
  func admin(_ request: Request, body: () -> JSONValue?) -> Reply? {
    switch (request.method, request.path) {
    case ("GET", "/_sim/journal"): return journal(request.query)
    case ("GET", "/_sim/clock"): return showClock()
    case ("POST", "/_sim/clock"):
      guard let object = body() else { return refused(["the body is no JSON"]) }
      return changeClock(object)
    default: return nil
    }
  }

  func showFaults(profile: FaultProfile) -> Reply {
    Reply(
      jsonObject(reserving: 2_048) { writer in
        writer.member("profile", profile.rawValue)
        faults.show(&writer)
      })
  }

  private func journal(_ query: Query) -> Reply {
    let last = min(max(0, query.whole("last") ?? 200), journal.count)
    let wanted = query["key"]
    return Reply(
      jsonObject(reserving: 128 * (last + 1)) { writer in
        writer.member("total", journalTotal)
        writer.member(
          "entries",
          array: { list in
            for offset in (journal.count - last)..<journal.count {
              let entry = journal[(journalStart + offset) % journal.count]
              if let wanted, entry.key != wanted { continue }
              list.object { one in
                one.member("number", entry.number)
                one.member("at_ms", entry.atMilliseconds)
                one.member("endpoint", entry.endpoint)
                one.member("key", entry.key)
                one.member("status", entry.status)
                if let fault = entry.fault { one.member("fault", fault) }
              }
            }
          })
      })
  }

  private func showClock() -> Reply {
    Reply(
      jsonObject { writer in
        writer.member("now", clock.text)
        writer.member("now_ms", clock.milliseconds)
        writer.member("frozen", clock.isFrozen)
      })
  }

  private func changeClock(_ object: JSONValue) -> Reply {
    var problems: [String] = []
    for (name, value) in object.members {
      switch name {
      case "now":
        if let seconds = value.string.flatMap({ BeijingTime.seconds($0) }) {
          clock.set(seconds: seconds)
        } else {
          problems.append("now: a Beijing time YYYY-MM-DD HH:MM:SS is wanted")
        }
      case "advance_seconds":
        if let seconds = value.int64 {
          clock.advance(seconds: Int(seconds))
        } else {
          problems.append("advance_seconds: a whole number is wanted")
        }
      case "frozen":
        if let still = value.bool { clock.freeze(still) } else { problems.append("frozen: true or false is wanted") }
      case "real":
        clock.release()
      default:
        problems.append("\(name): no such name; known are now, advance_seconds, frozen, real")
      }
    }
    return problems.isEmpty ? showClock() : refused(problems)
  }
}
