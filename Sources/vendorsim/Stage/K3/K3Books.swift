import JSON

/// The admin surface of the simulated K/3.
extension K3Site {
  func admin(_ request: Request) -> Reply {
    let body = { (try? JSONDocument(request.body))?.root }
    switch (request.method, request.path) {
    case ("GET", "/_sim/stats"): return stats()
    case ("GET", "/_sim/bills"): return billBook(request.query)
    case ("GET", "/_sim/settings"): return K3Settings.board.show(settings)
    case ("POST", "/_sim/settings"):
      guard let object = body() else { return refused(["the body is no JSON"]) }
      let problems = K3Settings.board.change(&settings, object)
      return problems.isEmpty ? K3Settings.board.show(settings) : refused(problems)
    case ("GET", "/_sim/faults"): return stage.showFaults(profile: profile)
    case ("POST", "/_sim/faults"): return changeFaults(body())
    case ("POST", "/_sim/master"): return changeMaster(body())
    case ("POST", "/_sim/reset"):
      reset()
      return stats()
    default:
      return stage.admin(request, body: body) ?? .page(404, "Not Found")
    }
  }

  private func reset() {
    stage.reset()
    lateWork = []
    firstSaveMilliseconds = 0
    lastSaveMilliseconds = 0
    tokens = K3Tokens()
    master = MasterData.initial
    orders = BillStore()
    others = [:]
    tallies = [:]
    (saves, stored, refusedDuplicates) = (0, 0, 0)
  }

  private func changeFaults(_ body: JSONValue?) -> Reply {
    guard let body else { return refused(["the body is no JSON"]) }
    let before = stage.faults
    var wanted: FaultProfile?
    if let name = body["profile"] {
      guard let profile = name.string.flatMap({ FaultProfile(rawValue: $0) }) else {
        return refused(["profile: known are \(FaultProfile.allCases.map(\.rawValue).joined(separator: ", "))"])
      }
      wanted = profile
      stage.faults.set(profile.k3)
    }
    let problems = stage.faults.change(body)
    if !problems.isEmpty {
      stage.faults = before
      return refused(problems)
    }
    if let wanted {
      profile = wanted
      settings.revokeAfterSaves = wanted == .off ? 0 : max(1, plan.orders / 3)
    }
    return stage.showFaults(profile: profile)
  }

  /// `{"object":"Customer","number":"C00001","disabled":true}`, `{"object":"Material","number":"…","remove":true}`.
  private func changeMaster(_ body: JSONValue?) -> Reply {
    guard let body, let object = body["object"]?.string, MasterData.objects.contains(object),
      let number = body["number"]?.string, !number.isEmpty
    else {
      return refused([
        "wanted: object (one of \(MasterData.objects.joined(separator: ", "))), number, and disabled, remove or name"
      ])
    }
    if body["remove"]?.bool == true {
      master.remove(object, number)
    } else {
      let known = master[object]?.find(number: number, name: "", byName: false)
      master.put(
        object, number, body["name"]?.string ?? known?.name ?? number, unit: body["unit"]?.string ?? "",
        disabled: body["disabled"]?.bool ?? false)
    }
    return Reply("{}")
  }

  private func stats() -> Reply {
    Reply(
      jsonObject { writer in
        writer.member("bills", orders.count)
        writer.member("saves", saves)
        writer.member("stored", stored)
        writer.member("first_save_ms", firstSaveMilliseconds)
        writer.member("last_save_ms", lastSaveMilliseconds)
        writer.member("refused_duplicates", refusedDuplicates)
        writer.member("others", counts: others.mapValues(\.count))
        writer.member("profile", profile.rawValue)
        stage.stats(&writer)
      })
  }

  /// The book: every stored bill, page by page: orders as they were saved, then the other objects by name.
  private func billBook(_ query: Query) -> Reply {
    let bills = orders.bills
    let beside = others.sorted { $0.key < $1.key }.flatMap { object, bills in bills.map { (object, $0) } }
    let total = bills.count + beside.count
    let from = min(max(0, query.whole("from") ?? 0), total)
    let to = min(total, from + min(max(1, query.whole("count") ?? 1_000), 5_000))
    return Reply(
      jsonObject(reserving: 1_400 * (to - from + 1)) { writer in
        writer.member("total", total)
        writer.member("from", from)
        writer.member("stored", orders.count + beside.count)
        writer.member("saves", saves)
        writer.member("refused_duplicates", refusedDuplicates)
        writer.member(
          "bills",
          array: { list in
            for case let bill? in bills[min(from, bills.count)..<min(to, bills.count)] {
              list.object { write(bill, &$0) }
            }
            for (object, bill) in beside[max(0, from - bills.count)..<max(0, to - bills.count)] {
              list.object { row in
                row.member("object", object)
                write(bill.key, bill.facts(settings), &row)
              }
            }
          })
      })
  }

  private func write(_ bill: Bill, _ writer: inout JSONWriter) {
    let tally = tallies[bill.key] ?? Tally()
    writer.member("object", "SO")
    writer.member("saves", tally.saves)
    writer.member("refused", tally.refused)
    writer.member("updates", bill.updates)
    writer.member("status", bill.status)
    write(bill.key, figures.facts(bill), &writer)
  }

  private func write(_ key: String, _ facts: BillFacts, _ writer: inout JSONWriter) {
    writer.member("key", key)
    writer.member("bill", object: { facts.write(into: &$0) })
    var total = ExactDecimal.zero
    for line in facts.lines { total = (try? total.adding(line.total)) ?? total }
    writer.member("total", total.normalized.description)
  }
}
