import JSON

/// The admin surface of the simulated OKKI.
extension OKKISite {
  func admin(_ request: Request) -> Reply {
    let body = { (try? JSONDocument(request.body))?.root }
    switch (request.method, request.path) {
    case ("GET", "/_sim/stats"): return stats()
    case ("GET", "/_sim/orders"): return orderBook(request.query)
    case ("POST", "/_sim/orders"): return changeOrders(body())
    case ("GET", "/_sim/settings"): return OKKISettings.board.show(settings)
    case ("POST", "/_sim/settings"):
      guard let object = body() else { return refused(["the body is no JSON"]) }
      let problems = OKKISettings.board.change(&settings, object)
      store.forgetTexts()
      return problems.isEmpty ? OKKISettings.board.show(settings) : refused(problems)
    case ("GET", "/_sim/faults"): return stage.showFaults(profile: profile)
    case ("POST", "/_sim/faults"): return changeFaults(body())
    case ("POST", "/_sim/reset"):
      reset()
      return stats()
    default:
      return stage.admin(request, body: body) ?? .page(404, "Not Found")
    }
  }

  private func reset() {
    stage.reset()
    tokens.reset()
    shown = []
    infos = 0
    removedCount = 0
    filtered = nil
    fill()
  }

  private func changeFaults(_ body: JSONValue?) -> Reply {
    guard let body else { return refused(["the body is no JSON"]) }
    var wanted: FaultProfile?
    if let name = body["profile"] {
      guard let profile = name.string.flatMap({ FaultProfile(rawValue: $0) }) else {
        return refused(["profile: known are \(FaultProfile.allCases.map(\.rawValue).joined(separator: ", "))"])
      }
      wanted = profile
    }
    let before = stage.faults
    if let wanted { stage.faults.set(wanted.okki) }
    let problems = stage.faults.change(body)
    if !problems.isEmpty {
      stage.faults = before
      return refused(problems)
    }
    if let wanted {
      profile = wanted
      settings.revokeAfterInfos = wanted == .off ? 0 : max(1, store.count / 3)
    }
    return stage.showFaults(profile: profile)
  }

  /// `{"add": n}` invents new orders updated now; `{"touch": id}`, `{"touch_silently": id}`, `{"mend_silently": id}`,
  /// `{"return": id}` and `{"remove": id}` change one. Mended is a product number that was left out, and `update_time` stays.
  private func changeOrders(_ body: JSONValue?) -> Reply {
    guard let body, body.kind == .object, body.count > 0 else {
      return refused(["wanted: add (a number), touch, touch_silently, mend_silently, return or remove (an order id)"])
    }
    let now = stage.clock.seconds
    for (name, value) in body.members {
      guard let number = value.int64 else { return refused(["\(name): a whole number is wanted"]) }
      if name == "add" {
        guard (1...1_000_000).contains(number) else { return refused(["add: 1 to 1000000"]) }
        store.add(maker.orders(store.count..<(store.count + Int(number)), times: now...now))
        changes += 1
        continue
      }
      guard let position = store.position(id: number) else { return refused(["\(name): no order \(number)"]) }
      switch name {
      case "touch": touch(position, now: now)
      case "touch_silently": touch(position, now: nil)
      case "mend_silently":
        guard mend(position) else { return refused(["\(name): order \(number) lacks no product number"]) }
      case "return":
        store.edit(position) { $0.status = Self.returned }
        touch(position, now: now)
      case "remove": remove(position)
      default:
        let known = "add, touch, touch_silently, mend_silently, return, remove"
        return refused(["\(name): no such name; known are \(known)"])
      }
    }
    return stats()
  }

  private func stats() -> Reply {
    var parked: [String: Int] = [:]
    var load = 0
    var removed = 0
    for position in 0..<store.count {
      if store[position].deleteTime != nil {
        removed += 1
        continue
      }
      if let defect = store[position].defect { parked[defect.reason.rawValue, default: 0] += 1 } else { load += 1 }
    }
    return Reply(
      jsonObject { writer in
        writer.member("orders", store.count)
        writer.member("expected_load", load)
        writer.member("expected_park", counts: parked)
        writer.member("removed", removed)
        writer.member("shown", shown.count)
        writer.member("profile", profile.rawValue)
        stage.stats(&writer)
      })
  }

  /// The book: what must come of each order, in the order of their making, page by page.
  private func orderBook(_ query: Query) -> Reply {
    let from = min(max(0, query.whole("from") ?? 0), store.count)
    let to = min(store.count, from + min(max(1, query.whole("count") ?? 1_000), 5_000))
    let rules = BillRules { id in
      Int64(id).flatMap { self.company($0) }.flatMap { $0.hidden ? nil : $0.serial }
    }
    return Reply(
      jsonObject(reserving: 1_400 * (to - from + 1)) { writer in
        writer.member("total", store.count)
        writer.member("from", from)
        writer.member(
          "orders",
          array: { list in
            for position in from..<to { list.object { write(position, rules, into: &$0) } }
          })
      })
  }

  private func write(_ position: Int, _ rules: BillRules, into writer: inout JSONWriter) {
    let order = store[position]
    writer.member("id", order.id)
    writer.member("number", order.number)
    if order.deleteTime != nil { return writer.member("fate", "removed") }
    let text = order.infoText ?? self.text.info(order)
    guard let shown = try? JSONDocument(text) else { return writer.member("fate", "unreadable") }
    switch rules.fate(shown.root) {
    case .load(let facts):
      writer.member("fate", "load")
      writer.member("bill", object: { facts.write(into: &$0) })
    case .park(let reason):
      writer.member("fate", "park")
      writer.member("reason", reason.rawValue)
    case .removed:
      writer.member("fate", "removed")
    }
    if order.status == Self.returned { writer.member("returned", true) }
    if order.earlierTexts.isEmpty { return }
    writer.member(
      "earlier",
      array: { list in
        for text in order.earlierTexts {
          guard let shown = try? JSONDocument(text), case .load(let facts) = rules.fate(shown.root) else { continue }
          list.object { facts.write(into: &$0) }
        }
      })
  }
}
