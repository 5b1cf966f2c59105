import JSON

/// The actions on sales orders that read.
extension K3Site {
  func template(_ call: inout Call) throws(Refusal) -> Reply {
    success(reserving: 4_096) { writer in
      writer.object { data in
        data.member(
          "Data",
          object: { pages in
            for (name, table) in [("Page1", header), ("Page2", lines)] {
              pages.member(
                name,
                array: { list in
                  list.object { row in
                    for field in table.fields {
                      row.key(field.name)
                      write(nil, field, &row)
                    }
                  }
                })
            }
          })
      }
    }
  }

  func getDetail(_ call: inout Call) throws(Refusal) -> Reply {
    let position = try target(call)
    guard let bill = orders.bills[position] else { throw .badParameters }
    return success(reserving: 4_096) { writer in
      writer.object { data in
        data.member(
          "Page1",
          array: { list in
            list.object { row in
              row.member("FInterID", bill.internalID)
              row.member("FStatus", bill.status)
              row.member("FMultiCheckStatus", bill.review)
              fields(header, bill.header, &row)
            }
          })
        data.member(
          "Page2",
          array: { list in
            for (place, line) in bill.lines.enumerated() {
              list.object { row in
                row.member("FInterID2", bill.internalID)
                row.member("FEntryID2", place + 1)
                row.member("FDetailID2", bill.internalID * 1_000 + place + 1)
                fields(lines, line, &row)
              }
            }
          })
      }
    }
  }

  private func fields(_ table: FieldTable, _ row: FieldRow, _ writer: inout JSONWriter) {
    for (position, field) in table.fields.enumerated() where field.kind != .system && field.name != "FEntryID2" {
      writer.key(field.name)
      write(row[position], field, &writer)
    }
  }

  /// A stored value as GetDetail and the template show it: references as objects, figures as numbers.
  func write(_ value: FieldValue?, _ field: Field, _ writer: inout JSONWriter) {
    switch (field.kind, value) {
    case (.reference, let value):
      var (number, name) = ("", "")
      if case .reference(let first, let second)? = value { (number, name) = (first, second) }
      writer.object { one in
        one.member("FNumber", number)
        one.member("FName", name)
      }
    case (.decimal, let value?), (.whole, let value?):
      if let number = ExactDecimal(value.key) { writer.number(number) } else { writer.string(value.key) }
    case (.decimal, nil), (.whole, nil): writer.integer(0)
    default: writer.string(value?.key ?? "")
    }
  }

  // MARK: GetList

  func getList(_ call: inout Call) throws(Refusal) -> Reply {
    guard let root = call.root else { throw .badParameters }
    let query = try ListQuery(root, settings: settings)
    let columns = try columns(query)
    let filter = try query.filter.map { text throws(Refusal) in try Filter(text) { self.slot($0) } }
    var matches: [(bill: Bill, line: Int)] = []
    for position in candidates(filter) {
      guard let bill = orders.bills[position], isVisible(bill) else { continue }
      for line in 0..<(query.page == 1 ? 1 : bill.lines.count)
      where filter?.holds({ self.value($0, bill, line) }) ?? true {
        matches.append((bill, line))
      }
    }
    if !query.order.isEmpty { try sort(&matches, query.order) }
    if query.top > 0 { matches = Array(matches.prefix(query.top)) }
    if query.misplaced { return listReply(rows: [], total: matches.count, query: query, bills: true, null: true) }
    let part = query.part(matches, cap: settings.pageCap)
    let rows = part.map { match in jsonObject { row(match.bill, match.line, columns, &$0) } }
    return listReply(rows: rows, total: matches.count, query: query, bills: true, null: false)
  }

  func listReply(rows: [[UInt8]], total: Int, query: ListQuery, bills: Bool, null: Bool) -> Reply {
    success(reserving: rows.reduce(128) { $0 + $1.count + 1 }) { writer in
      writer.object { data in
        data.member(bills ? "ROWCOUNT" : "RowCount", total)
        data.member(bills ? "PAGESIZE" : "PageSize", null ? 0 : query.size(cap: settings.pageCap))
        data.member(bills ? "PAGEINDEX" : "PageIndex", null ? 0 : query.index)
        data.key(bills ? "DATA" : "Data")
        if null { return data.null() }
        data.beginArray()
        for row in rows { data.raw(row) }
        data.endArray()
      }
    }
  }

  /// A bill stands in lists a while after it was saved, when the site is set so.
  private func isVisible(_ bill: Bill) -> Bool {
    settings.visibleAfterMilliseconds == 0
      || bill.savedAtMilliseconds + settings.visibleAfterMilliseconds <= stage.clock.milliseconds
  }

  /// Where to look: the bills of one number when the filter asks for exactly that, else all.
  private func candidates(_ filter: Filter?) -> [Int] {
    if let number = filter?.equalText(slot: .header(figures.number)) { return orders.positions(number) }
    return Array(orders.bills.indices)
  }

  /// A field that lists can show or filter by.
  func slot(_ name: String) -> ListSlot? {
    switch name.lowercased() {
    case "finterid": return .internalID
    case "fstatus": return .status
    case "fmulticheckstatus": return .review
    case "fcheckerid": return .checker
    default: break
    }
    if let position = header.position(name, anyCase: true) { return .header(position) }
    return lines.position(name, anyCase: true).map { .line($0) }
  }

  private func value(_ slot: ListSlot, _ bill: Bill, _ line: Int) -> String? {
    switch slot {
    case .internalID: String(bill.internalID)
    case .status: String(bill.status)
    case .review: String(bill.review)
    case .checker: bill.checker
    case .header(let field): bill.header[field]?.key
    case .line(let field): bill.lines[line][field]?.key
    }
  }

  private func columns(_ query: ListQuery) throws(Refusal) -> [(name: String, slot: ListSlot)] {
    if query.fields.isEmpty {
      var all: [(String, ListSlot)] = [("FInterID", .internalID), ("FStatus", .status)]
      for (position, field) in header.fields.enumerated() where field.kind != .system {
        all.append((field.name, .header(position)))
      }
      if query.page != 1 {
        for (position, field) in lines.fields.enumerated() where field.kind != .system {
          all.append((field.name, .line(position)))
        }
      }
      return all
    }
    var columns: [(String, ListSlot)] = []
    for name in query.fields {
      if let slot = slot(name) {
        columns.append((name, slot))
      } else if settings.unknownListFieldFails {
        throw .plain("字段[\(name)]不存在或未授权")
      }
    }
    return columns
  }

  private func row(_ bill: Bill, _ line: Int, _ columns: [(name: String, slot: ListSlot)], _ writer: inout JSONWriter) {
    for (name, slot) in columns {
      writer.key(name)
      switch slot {
      case .header(let field): listed(bill.header[field], header[field], &writer)
      case .line(let field): listed(bill.lines[line][field], lines[field], &writer)
      case .checker: writer.string(bill.checker)
      default: writer.number(text: value(slot, bill, line) ?? "0")
      }
    }
  }

  /// references flattened, unless the site is set otherwise.
  private func listed(_ value: FieldValue?, _ field: Field, _ writer: inout JSONWriter) {
    guard case .reference = field.kind, settings.listReferences != .object else { return write(value, field, &writer) }
    guard case .reference(let number, let name)? = value else { return writer.string("") }
    writer.string(settings.listReferences == .number || name.isEmpty ? number : name)
  }

  private func sort(_ matches: inout [(bill: Bill, line: Int)], _ order: [(name: String, descending: Bool)])
    throws(Refusal)
  {
    var keys: [(slot: ListSlot, descending: Bool)] = []
    for (name, descending) in order {
      guard let slot = slot(name) else { throw .plain("字段[\(name)]不存在或未授权") }
      keys.append((slot, descending))
    }
    matches.sort { left, right in
      for (slot, descending) in keys {
        let first = value(slot, left.bill, left.line) ?? ""
        let second = value(slot, right.bill, right.line) ?? ""
        switch Filter.compare(first, second) {
        case 0: continue
        case let sign: return descending ? sign > 0 : sign < 0
        }
      }
      return left.bill.internalID < right.bill.internalID
    }
  }
}

/// A field of a list row.
enum ListSlot: Hashable {
  case internalID, status, review, checker
  case header(Int)
  case line(Int)
}
