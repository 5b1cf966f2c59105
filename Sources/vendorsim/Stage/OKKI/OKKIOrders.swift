import JSON

/// `order/list` and `order/info`.
extension OKKISite {
  var text: OrderText { OrderText(settings: settings, company: { self.company($0) }) }

  func position(_ query: Query) -> Int? {
    if let id = query["order_id"], !id.isEmpty { return Int64(id).flatMap { store.position(id: $0) } }
    return query["order_no"].flatMap { store.position(number: $0) }
  }

  func orderInfo(_ request: Request) -> Reply {
    guard let position = position(request.query), store[position].deleteTime == nil else { return notFound() }
    infos += 1
    shown.insert(store[position].id)
    if infos == settings.revokeAfterInfos {
      tokens.revokeAll()
      stage.faults.count(.tokenRevoked)
    }
    return success(infoText(position))
  }

  func infoText(_ position: Int) -> [UInt8] {
    if let known = store[position].infoText { return known }
    let made = text.info(store[position])
    store.keep(position, info: made)
    return made
  }

  func orderList(_ request: Request) -> Reply {
    let query = request.query
    guard let page = page(query, defaultSize: 10) else { return failure(400, "count 超出范围") }
    guard let type = query["time_type"].map({ Int($0).flatMap { OrderStore.TimeType(rawValue: $0) } }) ?? .update else {
      return failure(400, "time_type 参数错误")
    }
    guard let window = window(query) else { return failure(400, "时间格式错误") }
    let matching = matching(query, store.window(type, from: window.from, to: window.to))
    if !stage.faults.isQuiet { shift(matching, page: page.index) }
    let part = slice(matching, page)
    let items = part.map { spoilt(store[$0].id, spoilt($0, listText($0))) }
    return success(reserving: items.reduce(128) { $0 + $1.count + 1 }) { writer in
      writer.key("count")
      if settings.countAsString { writer.string(String(matching.count)) } else { writer.integer(Int64(matching.count)) }
      writer.member("list", array: { list in for item in items { list.raw(item) } })
    }
  }

  /// With half of a character in a member of its own, when the switch says so.
  private func spoilt(_ position: Int, _ text: [UInt8]) -> [UInt8] {
    guard settings.spoiltRowEvery > 0, store[position].id % Int64(settings.spoiltRowEvery) == 0 else { return text }
    return text.dropLast() + Array(#","remark":"\ud83d"}"#.utf8)
  }

  /// A list's row with what makes all of its page unreadable, when the switches say so.
  func spoilt(_ id: Int64, _ text: [UInt8]) -> [UInt8] {
    var text = text
    func member(_ value: [UInt8]) { text = text.dropLast() + Array(#","note":""#.utf8) + value + Array(#""}"#.utf8) }
    if settings.strayQuoteEvery > 0, id % Int64(settings.strayQuoteEvery) == 0 { member(Array(#"3" pipe"#.utf8)) }
    if settings.hugeRowEvery > 0, id % Int64(settings.hugeRowEvery) == 0 {
      member([UInt8](repeating: UInt8(ascii: "x"), count: 9 << 20))
    }
    return text
  }

  func listText(_ position: Int) -> [UInt8] {
    if let known = store[position].listText { return known }
    let made = text.listItem(store[position])
    store.keep(position, list: made)
    return made
  }

  // MARK: selection

  /// Page number from 1 and page size, clamped; nil when too large a page is an error.
  func page(_ query: Query, defaultSize: Int) -> (index: Int, size: Int)? {
    let size = max(1, query.whole("count") ?? defaultSize)
    if size > settings.pageCap, settings.oversizePage == .error { return nil }
    return (max(1, query.whole("start_index") ?? 1), min(size, settings.pageCap))
  }

  /// The window of a query, both ends included; nil when a time does not parse.
  func window(_ query: Query) -> (from: Int, to: Int)? {
    var window = (from: Int.min + 1, to: Int.max)
    if let text = query["start_time"], !text.isEmpty {
      guard let from = BeijingTime.seconds(text) else { return nil }
      window.from = from
    }
    if let text = query["end_time"], !text.isEmpty {
      guard let to = BeijingTime.seconds(text, endOfDay: settings.bareEndDateInclusive) else { return nil }
      window.to = to
    }
    return window
  }

  func slice<Element>(_ all: ArraySlice<Element>, _ page: (index: Int, size: Int)) -> [Element] {
    let (start, overflow) = (page.index - 1).multipliedReportingOverflow(by: page.size)
    guard !overflow, start < all.count else { return [] }
    if settings.newestFirst {
      return Array(all[(all.startIndex + start)..<min(all.startIndex + start + page.size, all.endIndex)])
    }
    return Array(all.reversed()[start..<min(start + page.size, all.count)])
  }

  private func matching(_ query: Query, _ window: ArraySlice<Int>) -> ArraySlice<Int> {
    let removed = query["removed"] == "1"
    let approved = query["approval"] == "1" && settings.approvalFiltersApproved
    let drafts = query["approval_with_draft"] == "1"
    let statuses = statuses(query["status"])
    let key =
      "\(removed)\(approved)\(drafts)\(query["status"] ?? "")|\(query["time_type"] ?? "")|\(query["start_time"] ?? "")|\(query["end_time"] ?? "")"
    if !removed, !approved, statuses == nil, !hasRemoved { return window }
    if let filtered, filtered.key == key, filtered.changes == changes { return filtered.positions[...] }
    let positions = window.filter { position in
      let order = store[position]
      let isRemoved = order.deleteTime != nil
      if removed {
        if settings.removedShowsOnlyDeleted && !isRemoved { return false }
      } else if isRemoved {
        return false
      }
      if approved, order.approval != 2, !(drafts && order.approval == 0) { return false }
      return statuses?.contains(order.status) ?? true
    }
    filtered = (key, changes, positions)
    return positions[...]
  }

  private func statuses(_ text: String?) -> [Int64]? {
    guard let text, !text.isEmpty else { return nil }
    if text == "0", settings.statusZeroIsNoFilter { return nil }
    return text.split(separator: ",").compactMap { Int64($0) }
  }

  // MARK: faults of moving orders

  /// Edits or deletes an order between its listing and its first look, when the plan says so.
  func between(_ request: Request, _ draw: FaultPlan<OKKIFault>.Draw) {
    guard request.path == "/v1/invoices/order/info", draw.attempt == 1, let position = position(request.query) else {
      return
    }
    let now = stage.clock.seconds
    if stage.faults.strikes(.changedBetween, draw) { touch(position, now: now) }
    if stage.faults.strikes(.changedSilently, draw) { touch(position, now: nil) }
    if stage.faults.strikes(.deletedBetween, draw) { remove(position) }
  }

  /// Changes what a bill is made of: the last line goes. With `now` the update time follows, without it stays.
  func touch(_ position: Int, now: Int?) {
    changes += 1
    store.edit(position) { order in
      if order.defect == nil, order.lines.count > 1 { order.lines.removeLast() }
      order.remark += " (改)"
      if let now { order.updateTime = now }
    }
  }

  /// Gives the lines of an order that was made without a product number their numbers; false where that is not what it lacks.
  func mend(_ position: Int) -> Bool {
    guard store[position].defect == .noProductNumber else { return false }
    changes += 1
    store.edit(position) { order in
      order.defect = nil
      for place in order.lines.indices where order.lines[place].productNumber.isEmpty {
        order.lines[place].productNumber = Catalogue.productNumber(order.lines[place].productIndex)
      }
    }
    return true
  }

  func remove(_ position: Int) {
    changes += 1
    removedCount += 1
    store.edit(position) { $0.deleteTime = stage.clock.seconds }
  }

  private func shift(_ matching: ArraySlice<Int>, page: Int) {
    guard !matching.isEmpty else { return }
    let draw = stage.faults.draw("shift", key: "page \(page)")
    if stage.faults.strikes(.shifting, draw) {
      var chance = Chance(seed: plan.seed, stream: "shift \(page)", index: Int(draw.attempt))
      let victim = matching[matching.startIndex + chance.below(matching.count)]
      changes += 1
      store.edit(victim) { $0.updateTime = stage.clock.seconds }
    }
  }
}
