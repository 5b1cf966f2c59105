import JSON

/// A bill of a kind that is kept as it came.
struct OtherBill {
  let number: String
  /// The number that the Save asked for.
  let key: String
  let internalID: Int
  let savedAtMilliseconds: Int
  /// Its `Data`.
  let data: JSONValue
}

extension OtherBill {
  /// What of it the books show; a field that was not sent is empty or 0. Deliveries have their own names for some.
  func facts(_ settings: K3Settings) -> BillFacts {
    let page = { (name: String) in BillReader.member(data, name, settings) }
    let text = { (row: JSONValue?, names: [String]) -> String in
      for name in names {
        guard let field = row.flatMap({ BillReader.member($0, name, settings) }) else { continue }
        return (field.kind == .object ? BillReader.member(field, "FNumber", settings)?.text : field.text) ?? ""
      }
      return ""
    }
    let figure = { (row: JSONValue, names: [String]) in ExactDecimal(text(row, names)) ?? .zero }
    let head = page("Page1")?[0]
    let lines = page("Page2").map { Array($0.elements) } ?? []
    return BillFacts(
      number: number, customer: text(head, ["FCustID", "FSupplyID"]), currency: text(head, ["FCurrencyID"]),
      rate: ExactDecimal(text(head, ["FExchangeRate"])) ?? .zero,
      lines: lines.map { row in
        BillLine(
          material: text(row, ["FItemID"]), unit: text(row, ["FUnitID"]), quantity: figure(row, ["Fauxqty"]),
          taxPrice: figure(row, ["FAuxTaxPrice", "FConsignPrice"]), price: figure(row, ["Fauxprice"]),
          taxRate: figure(row, ["FCess"]), total: figure(row, ["FAllAmount", "FConsignAmount"]),
          net: figure(row, ["Famount"]), tax: figure(row, ["FTaxAmt"]), standardTotal: figure(row, ["FAllStdAmount"]),
          delivery: String(text(row, ["FDate1"]).prefix(10)))
      })
  }
}

/// Sales deliveries and return notices (A.11): no field is judged, but numbers are kept apart as those of orders are, and a
/// bill can be found and shown by its number, so that a Save whose answer got lost can be looked up.
extension K3Site {
  /// The objects of this kind.
  static let otherObjects: Set<String> = ["Sales_Delivery", "Goods_Return_Notice"]

  func otherAction(_ name: String) -> Action? {
    switch name {
    case "Save": saveOther
    case "GetList": listOthers
    case "GetDetail": showOther
    case "GetTemplate": otherTemplate
    default: nil
    }
  }

  private func saveOther(_ call: inout Call) throws(Refusal) -> Reply {
    guard let root = call.root else { throw .badParameters }
    let data = try BillReader.data(root, settings: settings)
    guard let page = BillReader.member(data, "Page1", settings)?[0] else { throw .badParameters }
    let kept = others[call.object] ?? []
    let asked = BillReader.member(page, "FBillNo", settings)?.text ?? ""
    var number = asked
    if kept.contains(where: { $0.number.lowercased() == number.lowercased() }) {
      switch settings.duplicates {
      case .reject: throw .data("单据编号[\(number)]已存在")
      case .renumber: number = ""
      case .accept: break
      }
    }
    if number.isEmpty { number = "\(call.object == "Sales_Delivery" ? "XOUT" : "RETN")\(padded(kept.count + 1, 6))" }
    let bill = OtherBill(
      number: number, key: asked, internalID: kept.count + 1, savedAtMilliseconds: stage.clock.milliseconds, data: data)
    others[call.object, default: []].append(bill)
    call.wrote = true
    return success { writer in
      writer.object { data in
        data.member("BillNo", number)
        data.member("BillInterID", bill.internalID)
      }
    }
  }

  private func listOthers(_ call: inout Call) throws(Refusal) -> Reply {
    guard let root = call.root else { throw .badParameters }
    let query = try ListQuery(root, settings: settings)
    let number = ListSlot.header(figures.number)
    let filter = try query.filter.map { text throws(Refusal) in
      try Filter(text) { $0.lowercased() == "fbillno" ? number : nil }
    }
    let visible = (others[call.object] ?? []).filter { bill in
      settings.visibleAfterMilliseconds == 0
        || bill.savedAtMilliseconds + settings.visibleAfterMilliseconds <= stage.clock.milliseconds
    }
    let found = visible.filter { bill in filter?.holds { $0 == number ? bill.number : nil } ?? true }
    let rows = query.part(found, cap: settings.pageCap).map { bill in
      jsonObject { writer in
        writer.member("FBillNo", bill.number)
        writer.member("FInterID", bill.internalID)
      }
    }
    return listReply(rows: rows, total: found.count, query: query, bills: true, null: query.misplaced)
  }

  private func showOther(_ call: inout Call) throws(Refusal) -> Reply {
    guard let root = call.root else { throw .badParameters }
    let data = try BillReader.data(root, settings: settings)
    let number = BillReader.member(data, "FBillNo", settings)?.text ?? ""
    guard let bill = others[call.object]?.first(where: { $0.number == number }) else {
      throw Refusal(status: settings.unknownBillStatus, message: "单据不存在", reason: "")
    }
    return success { writer in
      writer.object { data in
        data.member(
          "Page1",
          array: { list in
            list.object { row in
              row.member("FInterID", bill.internalID)
              copy(BillReader.member(bill.data, "Page1", settings)?[0], &row, number: bill.number)
            }
          })
        data.member(
          "Page2",
          array: { list in
            for line in BillReader.member(bill.data, "Page2", settings).map({ Array($0.elements) }) ?? [] {
              list.object { copy(line, &$0, number: nil) }
            }
          })
      }
    }
  }

  private func copy(_ object: JSONValue?, _ writer: inout JSONWriter, number: String?) {
    guard let object else { return }
    for (name, value) in object.members where name.lowercased() != "finterid" {
      writer.key(name)
      if let number, name.lowercased() == "fbillno" { writer.string(number) } else { writer.raw(value.rawBytes) }
    }
  }

  /// The fields of A.11, and for return notices those of an order that make sense there: nobody has published theirs.
  private func otherTemplate(_ call: inout Call) throws(Refusal) -> Reply {
    let texts = ["FBillNo", "Fdate", "FROB", "FClassTypeID", "FExplanation", "FExchangeRate"]
    let references = [
      "FCustID", "FSupplyID", "FCurrencyID", "FMarketingStyle", "FSaleStyle", "FDeptID", "FEmpID", "FFManagerID",
      "FSManagerID", "FBillerID",
    ]
    let lineTexts = [
      "FEntryID2", "Fauxqty", "FAuxQtyMust", "Fauxprice", "FAuxTaxPrice", "FCess", "Famount", "FTaxAmt",
      "FAllAmount", "FConsignPrice", "FConsignAmount", "FSourceBillNo", "Fnote",
    ]
    let lineReferences = ["FItemID", "FUnitID", "FDCStockID1", "FPlanMode", "FChkPassItem"]
    return success { writer in
      writer.object { data in
        data.member(
          "Data",
          object: { pages in
            for (name, fields, references) in [
              ("Page1", texts, references), ("Page2", lineTexts, lineReferences),
            ] {
              pages.member(
                name,
                array: { list in
                  list.object { row in
                    for field in fields { row.member(field, "") }
                    for field in references {
                      row.member(
                        field,
                        object: {
                          $0.member("FNumber", ""); $0.member("FName", "")
                        })
                    }
                  }
                })
            }
          })
      }
    }
  }
}
