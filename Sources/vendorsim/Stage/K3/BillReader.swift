import JSON

/// A refusal of K/3: the envelope's code and message, and the reason in `Data`.
struct Refusal: Error {
  var status = 201
  var message = "Faild"
  var reason: String

  /// The kinds of A.14 that carry their text in `Message`.
  static func plain(_ message: String) -> Refusal { Refusal(message: message, reason: "") }
  static func data(_ reason: String) -> Refusal { Refusal(reason: reason) }
  static let badParameters = Refusal.plain("参数错误")
}

/// Reads `{"Data":{"Page1":[{…}],"Page2":[{…}]}}` into rows, judging each field as K/3 would.
struct BillReader {
  let settings: K3Settings
  let header: FieldTable
  let lines: FieldTable
  let master: MasterData
  private let requiredHeader: [(position: Int, name: String)]
  private let requiredLine: [(position: Int, name: String)]

  init(settings: K3Settings, header: FieldTable, lines: FieldTable, master: MasterData) {
    self.settings = settings
    self.header = header
    self.lines = lines
    self.master = master
    let found = { (names: [String], table: FieldTable) in
      names.compactMap { name in table.position(name, anyCase: true).map { ($0, name) } }
    }
    requiredHeader = found(settings.requiredHeader, header)
    requiredLine = found(settings.requiredLine, lines)
  }

  /// The `Data` object of a request.
  static func data(_ root: JSONValue, settings: K3Settings) throws(Refusal) -> JSONValue {
    guard root.kind == .object, let data = member(root, "Data", settings), data.kind == .object else {
      throw .badParameters
    }
    return data
  }

  /// A member whose name may come in any case.
  static func member(_ object: JSONValue, _ name: String, _ settings: K3Settings) -> JSONValue? {
    if let exact = object[name] { return exact }
    guard settings.anyCaseInput else { return nil }
    let folded = name.lowercased()
    return object.members.first { $0.key.lowercased() == folded }?.value
  }

  func read(_ data: JSONValue) throws(Refusal) -> (header: FieldRow, lines: [FieldRow]) {
    guard let page1 = Self.member(data, "Page1", settings), page1.kind == .array, page1.count == 1, let head = page1[0],
      let page2 = Self.member(data, "Page2", settings), page2.kind == .array, page2.count > 0
    else { throw .badParameters }
    guard page2.count <= settings.linesCap else { throw .data("分录行数超过\(settings.linesCap)") }
    let headerRow = try row(head, header)
    try require(requiredHeader, headerRow)
    var rows: [FieldRow] = []
    rows.reserveCapacity(page2.count)
    for line in page2.elements {
      let row = try row(line, lines)
      try require(requiredLine, row)
      rows.append(row)
    }
    return (headerRow, rows)
  }

  // MARK: one row

  func row(_ object: JSONValue, _ table: FieldTable) throws(Refusal) -> FieldRow {
    guard object.kind == .object else { throw .badParameters }
    var row = FieldRow(reserving: object.count)
    for (name, value) in object.members {
      guard let position = table.position(name, anyCase: settings.anyCaseInput) else {
        if settings.unknownFieldFails { throw .plain("字段[\(name)]不存在或未授权") }
        continue
      }
      if let read = try self.value(value, table[position]) { row[position] = read }
    }
    return row
  }

  private func value(_ value: JSONValue, _ field: Field) throws(Refusal) -> FieldValue? {
    if value.isNull { return nil }
    switch field.kind {
    case .system: return nil
    case .reference(let object): return try reference(value, field, object)
    case .flag: return .text(try flag(value, field))
    default: break
    }
    guard let text = value.text else { throw .data("[\(field.name)]数据无效") }
    if text.isEmpty { return nil }
    switch field.kind {
    case .decimal:
      guard let number = ExactDecimal(text), decimalsFit(number, field.name) else { throw .data("[\(field.name)]数据无效") }
    case .whole:
      guard ExactDecimal(text)?.wholeNumber != nil else { throw .data("[\(field.name)]数据无效") }
    case .date:
      let isDate = BeijingTime.seconds(settings.lenientDates ? String(text.prefix(10)) : text) != nil
      guard isDate else { throw .data("[\(field.name)]数据无效") }
    default: break
    }
    return .text(text)
  }

  private func decimalsFit(_ number: ExactDecimal, _ name: String) -> Bool {
    guard settings.checksDecimals else { return true }
    let scale = number.normalized.scale
    return switch name {
    case "Fauxqty", "FQty": scale <= settings.quantityDecimals
    case "Fauxprice", "FAuxTaxPrice": scale <= settings.priceDecimals
    case "Famount", "FTaxAmt", "FAllAmount", "FAllStdAmount": scale <= settings.amountDecimals
    default: true
    }
  }

  private func flag(_ value: JSONValue, _ field: Field) throws(Refusal) -> String {
    switch value.bool.map({ $0 ? "1" : "0" }) ?? value.text {
    case "0", "false", "": return "0"
    case "1", "true": return "1"
    default: throw .data("[\(field.name)]数据无效")
    }
  }

  private func reference(_ value: JSONValue, _ field: Field, _ object: String?) throws(Refusal) -> FieldValue? {
    if value.kind != .object {
      // FSelTranType and others were seen as bare values; what has a table behind it must be an object.
      guard object == nil, let text = value.text else { throw .data("[\(field.name)]数据无效") }
      return text.isEmpty ? nil : .reference(number: text, name: "")
    }
    let number = Self.member(value, "FNumber", settings)?.text ?? ""
    let name = Self.member(value, "FName", settings)?.text ?? ""
    if number.isEmpty && name.isEmpty { return nil }
    guard let object, settings.checksReferences else { return .reference(number: number, name: name) }
    guard let item = master[object]?.find(number: number, name: name, byName: settings.resolvesByName) else {
      throw .data(Self.missing(object, field.name, number.isEmpty ? name : number))
    }
    if item.disabled { throw .data("\(Self.caption(object))[\(item.number)]已禁用") }
    return .reference(number: item.number, name: item.name)
  }

  private static func missing(_ object: String, _ field: String, _ value: String) -> String {
    switch object {
    case "Customer", "Material", "MeasureUnit": "\(caption(object))[\(value)]不存在"
    default: "[\(field)]的值[\(value)]不存在"
    }
  }

  private static func caption(_ object: String) -> String {
    switch object {
    case "Customer": "客户"
    case "Material": "物料"
    case "MeasureUnit": "计量单位"
    default: object
    }
  }

  private func require(_ fields: [(position: Int, name: String)], _ row: FieldRow) throws(Refusal) {
    for (position, name) in fields where row[position] == nil { throw .data("[\(name)]不能为空") }
  }
}
