/// All orders, with an index per time that lists are asked by. Nothing is sorted per request: an index is built when first asked for
/// and kept up to date while single orders move.
final class OrderStore {
  /// `time_type` of `order/list`.
  enum TimeType: Int, CaseIterable { case update = 1, create, account, delete }

  private(set) var orders: [SalesOrder] = []
  private var byID: [Int64: Int] = [:]
  private var byNumber: [String: Int] = [:]
  private var indexes: [TimeType: [Int]] = [:]

  var count: Int { orders.count }

  func add(_ batch: [SalesOrder]) {
    for order in batch {
      byID[order.id] = orders.count
      byNumber[order.number] = orders.count
      orders.append(order)
    }
    indexes = [:]
  }

  func removeAll() {
    orders = []
    byID = [:]
    byNumber = [:]
    indexes = [:]
  }

  func position(id: Int64) -> Int? { byID[id] }
  func position(number: String) -> Int? { byNumber[number] }

  subscript(_ position: Int) -> SalesOrder { orders[position] }

  /// Edits an order; every index that it moves in follows.
  func edit(_ position: Int, _ change: (inout SalesOrder) -> Void) {
    let before = orders[position]
    change(&orders[position])
    // A bill may have come of what somebody was shown.
    if let shown = before.infoText {
      orders[position].earlierTexts.append(shown)
      if orders[position].earlierTexts.count > SalesOrder.mostEarlierTexts {
        orders[position].earlierTexts.removeFirst()
      }
    }
    orders[position].infoText = nil
    orders[position].listText = nil
    let after = orders[position]
    if before.number != after.number {
      byNumber[before.number] = nil
      byNumber[after.number] = position
    }
    if before.updateTime != after.updateTime, var index = indexes.removeValue(forKey: .update) {
      // Taken out of the dictionary first, so that the array is moved within and not copied.
      let old = place(of: (before.updateTime, before.id), in: index, .update, skipping: position)
      index.remove(at: old)
      index.insert(position, at: place(of: (after.updateTime, after.id), in: index, .update, skipping: nil))
      indexes[.update] = index
    }
    if before.createTime != after.createTime { indexes[.create] = nil }
    if before.accountDate != after.accountDate { indexes[.account] = nil }
    if before.deleteTime != after.deleteTime { indexes[.delete] = nil }
  }

  /// Keeps the made text of an order.
  func keep(_ position: Int, info: [UInt8]) { orders[position].infoText = info }
  func keep(_ position: Int, list: [UInt8]) { orders[position].listText = list }
  func forgetTexts() {
    for position in orders.indices {
      orders[position].infoText = nil
      orders[position].listText = nil
    }
  }

  /// Positions of the orders whose time is within the window (both ends belong to it), newest first, equals by id descending.
  func window(_ type: TimeType, from: Int, to: Int) -> ArraySlice<Int> {
    let index = index(type)
    let start = firstPlace(in: index) { time(type, orders[$0]) <= to }
    let end = firstPlace(in: index) { time(type, orders[$0]) < from }
    return index[start..<max(start, end)]
  }

  private func index(_ type: TimeType) -> [Int] {
    if let index = indexes[type] { return index }
    let index = orders.indices.sorted {
      (time(type, orders[$0]), orders[$0].id) > (time(type, orders[$1]), orders[$1].id)
    }
    indexes[type] = index
    return index
  }

  private func time(_ type: TimeType, _ order: SalesOrder) -> Int {
    switch type {
    case .update: order.updateTime
    case .create: order.createTime
    case .account: BeijingTime.seconds(order.accountDate) ?? 0
    case .delete: order.deleteTime ?? Int.min
    }
  }

  /// Where (time, id) stands in a descending index; `skipping` is the order that is looked for with its old time.
  private func place(of key: (Int, Int64), in index: [Int], _ type: TimeType, skipping: Int?) -> Int {
    if let skipping {
      // Its stored time is the new one already, so it would break the search: compare it by its old key.
      return firstPlace(in: index) { $0 == skipping || (time(type, orders[$0]), orders[$0].id) < key }
    }
    return firstPlace(in: index) { (time(type, orders[$0]), orders[$0].id) < key }
  }

  private func firstPlace(in index: [Int], _ isBehind: (Int) -> Bool) -> Int {
    var low = 0
    var high = index.count
    while low < high {
      let middle = (low + high) / 2
      if isBehind(index[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
