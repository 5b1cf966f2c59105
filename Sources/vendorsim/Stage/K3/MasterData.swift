import JSON

/// One kind of base data (Customer, Material, …).
struct MasterTable {
  struct Item {
    var id: Int
    var number: String
    var name: String
    var disabled = false
    /// Number of its unit, of materials.
    var unit = ""
    var model = ""
  }

  private(set) var items: [Item] = []
  private var byNumber: [String: Int] = [:]
  private var byName: [String: Int] = [:]
  private let firstID: Int

  init(firstID: Int) { self.firstID = firstID }

  /// Adds an item, or changes the one with this number.
  /// - Returns: its id.
  @discardableResult
  mutating func put(_ number: String, _ name: String, unit: String = "", model: String = "", disabled: Bool = false)
    -> Int
  {
    if let position = byNumber[number] {
      items[position].name = name
      items[position].disabled = disabled
      if !unit.isEmpty { items[position].unit = unit }
      return items[position].id
    }
    byNumber[number] = items.count
    if byName[name] == nil { byName[name] = items.count }
    items.append(
      Item(id: firstID + items.count, number: number, name: name, disabled: disabled, unit: unit, model: model))
    return firstID + items.count - 1
  }

  func find(number: String, name: String, byName allowed: Bool) -> Item? {
    if !number.isEmpty { return byNumber[number].map { items[$0] } }
    return allowed && !name.isEmpty ? byName[name].map { items[$0] } : nil
  }

  mutating func remove(_ number: String) {
    guard let position = byNumber.removeValue(forKey: number) else { return }
    if byName[items[position].name] == position { byName[items[position].name] = nil }
    items[position].disabled = true
  }
}

/// The base data of the account set.
struct MasterData {
  private(set) var tables: [String: MasterTable] = [:]

  static let objects = ["Customer", "Material", "Currency", "MeasureUnit", "Department", "Employee", "SubMessage"]

  /// The account set as it is at the start; made once, copied when a server changes its own.
  static let initial = MasterData()

  private init() {
    for (place, object) in Self.objects.enumerated() { tables[object] = MasterTable(firstID: (place + 1) * 100_000) }
    for index in 0..<Catalogue.mostCompanies where index % 97 != 96 {
      put("Customer", Catalogue.customerNumber(index), Catalogue.companyName(index))
    }
    for unit in Catalogue.units { put("MeasureUnit", unit.number, unit.name) }
    for currency in Catalogue.currencies { put("Currency", currency.number, currency.name) }
    for (number, name) in Catalogue.departments { put("Department", number, name) }
    for person in Catalogue.people { put("Employee", person.employee, person.nickname) }
    for index in 0..<Catalogue.products {
      tables["Material"]?.put(
        Catalogue.productNumber(index), Catalogue.productName(index), unit: Catalogue.productUnit(index).number,
        model: "670-\(padded(index, 4))")
    }
    put("SubMessage", "FXF02", "赊销")
    put("SubMessage", "JF02", "电汇")
  }

  subscript(_ object: String) -> MasterTable? { tables[object] }

  @discardableResult
  mutating func put(_ object: String, _ number: String, _ name: String, unit: String = "", disabled: Bool = false)
    -> Int
  {
    tables[object]?.put(number, name, unit: unit, disabled: disabled) ?? 0
  }

  mutating func remove(_ object: String, _ number: String) { tables[object]?.remove(number) }
}
