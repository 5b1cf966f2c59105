import JSON

/// Base data: lists, details, saving.
extension K3Site {
  /// Filters and sorting of base data see these; numbered as header slots.
  private static let columns = ["FItemID", "FNumber", "FName", "FModel", "FUnitID", "FForbidden"]

  private func value(_ column: Int, _ item: MasterTable.Item) -> String {
    switch column {
    case 0: String(item.id)
    case 1: item.number
    case 2: item.name
    case 3: item.model
    case 4: item.unit
    default: item.disabled ? "1" : "0"
    }
  }

  private func slot(master name: String) -> ListSlot? {
    Self.columns.firstIndex { $0.lowercased() == name.lowercased() }.map { .header($0) }
  }

  func masterList(_ call: inout Call) throws(Refusal) -> Reply {
    guard let root = call.root, let table = master[call.object] else { throw .badParameters }
    let query = try ListQuery(root, settings: settings)
    let filter = try query.filter.map { text throws(Refusal) in try Filter(text) { self.slot(master: $0) } }
    var shown: [Int] = []
    for name in query.fields {
      if case .header(let column)? = slot(master: name) {
        shown.append(column)
      } else if settings.unknownListFieldFails {
        throw .plain("字段[\(name)]不存在或未授权")
      }
    }
    if query.fields.isEmpty { shown = Array(Self.columns.indices) }
    var items = table.items.filter { item in
      guard query.showsForbidden || !item.disabled else { return false }
      return filter?.holds { slot in
        guard case .header(let column) = slot else { return nil }
        return value(column, item)
      } ?? true
    }
    if let (name, descending) = query.order.first, case .header(let column)? = slot(master: name) {
      items.sort {
        let order = Filter.compare(value(column, $0), value(column, $1))
        return descending ? order > 0 : order < 0
      }
    }
    if query.top > 0 { items = Array(items.prefix(query.top)) }
    if query.misplaced { return listReply(rows: [], total: items.count, query: query, bills: false, null: true) }
    let rows = query.part(items, cap: settings.pageCap).map { item in
      jsonObject { row in
        for column in shown {
          if column == 0 {
            row.member(Self.columns[0], item.id)
          } else {
            row.member(Self.columns[column], value(column, item))
          }
        }
      }
    }
    return listReply(rows: rows, total: items.count, query: query, bills: false, null: false)
  }

  func masterDetail(_ call: inout Call) throws(Refusal) -> Reply {
    guard let root = call.root, let table = master[call.object] else { throw .badParameters }
    let data = try BillReader.data(root, settings: settings)
    let number = BillReader.member(data, "FNumber", settings)?.text ?? ""
    guard let item = table.find(number: number, name: "", byName: false) else { throw .plain("[\(number)]不存在") }
    let unit = master["MeasureUnit"]?.find(number: item.unit, name: "", byName: false)
    return success(reserving: 512) { writer in
      writer.beginArray()
      writer.object { row in
        row.member("FNumber", item.number)
        row.member(
          "Data",
          object: { one in
            one.member("FItemID", item.id)
            one.member("FNumber", item.number)
            one.member("FName", item.name)
            one.member("FForbidden", item.disabled)
            guard let unit else { return }
            one.member("FModel", item.model)
            one.member(
              "FUnitID",
              object: {
                $0.member("FNumber", unit.number)
                $0.member("FName", unit.name)
              })
            one.member(
              "FErpClsID",
              object: {
                $0.member("FID", "WG")
                $0.member("FName", "外购")
              })
          })
      }
      writer.endArray()
    }
  }

  /// One row or several; a row without number fails, and the envelope still says "Successful".
  func masterSave(_ call: inout Call) throws(Refusal) -> Reply {
    guard let root = call.root, let data = BillReader.member(root, "Data", settings) else { throw .badParameters }
    let rows = data.kind == .array ? Array(data.elements) : [data]
    var results: [(id: Int, message: String)] = []
    for row in rows {
      let number = BillReader.member(row, "FNumber", settings)?.text ?? ""
      let name = BillReader.member(row, "FName", settings)?.text ?? ""
      let unit =
        BillReader.member(row, "FUnitID", settings).flatMap { BillReader.member($0, "FNumber", settings)?.text } ?? ""
      if number.isEmpty {
        results.append((0, "[FNumber]不能为空"))
      } else if call.object == "Material", master["MeasureUnit"]?.find(number: unit, name: "", byName: false) == nil {
        results.append((0, "计量单位[\(unit)]不存在"))
      } else {
        results.append((master.put(call.object, number, name, unit: unit), ""))
      }
    }
    call.wrote = true
    return success { writer in
      writer.beginArray()
      for result in results {
        writer.object { row in
          row.member("FStatus", result.id != 0)
          row.member("FItemID", result.id)
          row.member("FMessage", result.message)
        }
      }
      writer.endArray()
    }
  }
}
