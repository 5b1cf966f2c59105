import JSON

/// The actions on sales orders that write.
extension K3Site {
  /// Made when first needed after a change of settings or base data.
  var reader: BillReader {
    if let known = cachedReader { return known }
    let made = BillReader(settings: settings, header: header, lines: lines, master: master)
    cachedReader = made
    return made
  }

  func save(_ call: inout Call) throws(Refusal) -> Reply {
    guard let root = call.root else { throw .badParameters }
    let data = try BillReader.data(root, settings: settings)
    var (head, rows) = try reader.read(data)
    try check(head, rows)
    for place in rows.indices { figures.complete(&rows[place], header: head, settings: settings) }
    let asked = head.text(figures.number)
    let keyField = header.position(settings.keyField, anyCase: true) ?? figures.number
    let key = head.text(keyField)
    saves += 1
    tallies[key, default: Tally()].saves += 1
    let number = try number(asked, key: key)
    if number != asked { head[figures.number] = .text(number) }
    let bill = Bill(
      internalID: orders.nextInternalID, number: number, key: key, header: head, lines: rows,
      savedAtMilliseconds: stage.clock.milliseconds)
    orders.add(bill)
    stored += 1
    lastSaveMilliseconds = stage.clock.milliseconds
    if firstSaveMilliseconds == 0 { firstSaveMilliseconds = lastSaveMilliseconds }
    call.wrote = true
    if stored == settings.revokeAfterSaves {
      tokens.revokeAll()
      stage.faults.count(.tokenRevoked)
    }
    return saved(bill)
  }

  /// The number that a new bill gets, by the duplicate mode.
  private func number(_ asked: String, key: String) throws(Refusal) -> String {
    if asked.isEmpty { return orders.freeNumber() }
    if orders.positions(asked).isEmpty { return asked }
    switch settings.duplicates {
    case .accept: return asked
    case .renumber: return orders.freeNumber()
    case .reject:
      refusedDuplicates += 1
      tallies[key, default: Tally()].refused += 1
      throw .data("单据编号[\(asked)]已存在")
    }
  }

  private func saved(_ bill: Bill) -> Reply {
    if settings.saveDialect == .legacy { return envelope(200, bill.number) { $0.string("保存成功") } }
    return success { writer in
      writer.object { data in
        data.member("BillNo", bill.number)
        data.member("BillInterID", bill.internalID)
      }
    }
  }

  private func check(_ head: FieldRow, _ rows: [FieldRow]) throws(Refusal) {
    if settings.checksPeriod, !settings.closedTo.isEmpty, head.text(figures.date).prefix(10) <= settings.closedTo {
      throw .data("单据日期不能小于当前会计期间")
    }
    for row in rows { try figures.check(row, settings: settings, master: master) }
  }

  // MARK: change and delete

  func update(_ call: inout Call) throws(Refusal) -> Reply {
    guard let root = call.root else { throw .badParameters }
    let data = try BillReader.data(root, settings: settings)
    let (head, rows) = try reader.read(data)
    let number = BillReader.member(root, "FBillNo", settings)?.text ?? head.text(figures.number)
    let position = try editable(number)
    try check(head, rows)
    let entry = lines.position("FEntryID2", anyCase: false) ?? 0
    let merges = !settings.updateReplacesLines
    orders.update(position) { bill in
      bill.updates += 1
      for (field, value) in head.entries where Int(field) != figures.number { bill.header[Int(field)] = value }
      if merges {
        for row in rows {
          let place = (Int(row.text(entry)) ?? 0) - 1
          if bill.lines.indices.contains(place) {
            for (field, value) in row.entries { bill.lines[place][Int(field)] = value }
          } else {
            bill.lines.append(row)
          }
        }
      } else {
        bill.lines = rows
      }
      for place in bill.lines.indices { figures.complete(&bill.lines[place], header: bill.header, settings: settings) }
    }
    call.wrote = true
    guard let bill = orders.bills[position] else { throw .badParameters }
    return saved(bill)
  }

  func delete(_ call: inout Call) throws(Refusal) -> Reply {
    let position = try target(call)
    if !settings.deletesAudited, let bill = orders.bills[position], bill.status != 0 {
      throw .data("单据已审核,不能修改")
    }
    orders.remove(position)
    call.wrote = true
    return success { $0.null() }
  }

  func checkBill(_ call: inout Call) throws(Refusal) -> Reply {
    let position = try target(call)
    guard let data = try call.root.map({ root throws(Refusal) in try BillReader.data(root, settings: settings) }) else {
      throw .badParameters
    }
    let checker = BillReader.member(data, "FChecker", settings)?.text ?? ""
    switch BillReader.member(data, "FCheckDirection", settings)?.text ?? "2" {
    case "1":
      orders.update(position) { $0.review = 4 }
    case "2":
      orders.update(position) { bill in
        bill.review = 16
        bill.status = 1
        bill.checker = checker
      }
    case "4":
      orders.update(position) { bill in
        bill.review = 0
        bill.status = 0
      }
    default: throw .badParameters
    }
    call.wrote = true
    return success { $0.null() }
  }

  // MARK: finding

  /// The bill that `Data` names by FBillNo, FNumber or FInterID.
  func target(_ call: Call) throws(Refusal) -> Int {
    guard let root = call.root else { throw .badParameters }
    let data = try BillReader.data(root, settings: settings)
    if let id = BillReader.member(data, "FInterID", settings)?.text.flatMap({ Int($0) }) {
      guard let position = orders.position(internalID: id) else { throw unknownBill }
      return position
    }
    let number =
      (BillReader.member(data, "FBillNo", settings) ?? BillReader.member(data, "FNumber", settings))?.text ?? ""
    guard let position = orders.positions(number).first else { throw unknownBill }
    return position
  }

  private var unknownBill: Refusal { Refusal(status: settings.unknownBillStatus, message: "单据不存在", reason: "") }

  private func editable(_ number: String) throws(Refusal) -> Int {
    guard let position = orders.positions(number).first else { throw unknownBill }
    if let bill = orders.bills[position], bill.status != 0 { throw .data("单据已审核,不能修改") }
    return position
  }
}
