import Expressions
import JSON
import Orders

/// Reads one order for one run: knows which rows the run is in, and reads what a row holds once however many fields
/// need it.
final class OrderReader {
  let operands: [Operand]
  let lookups: [Lookup]
  /// See `OperandTable`.
  private let fields: [JSONFields]  // Kept alive for `levels`.
  private let rememberedPlaces: [Int]
  private let zone: Zone
  let answers: LookupTable
  /// The order, in which all rows stand: they are known by their places in it, which count no references.
  private let document: JSONDocument
  let inputs: MappingInputs
  /// How expressions are evaluated, with either division.
  private let exact: EvaluationSettings
  private let mysql: EvaluationSettings
  /// Why the last operand that an expression asked for could not be had.
  var refusal: ValueError?
  /// The lookups that an expression read in vain; nil while nobody asks.
  var missed: [Int]?
  /// The order, and the rows that the run is in; innermost last. As many as lists lie within each other. In memory of
  /// its own, like what has been read, since these are asked for every field of every row.
  private let rows: UnsafeMutableBufferPointer<Row>
  private let state: UnsafeMutablePointer<State>
  private let read: UnsafeMutableBufferPointer<Read>
  /// What repeated parts of formulas came to.
  private let parts: UnsafeMutableBufferPointer<Part>
  /// Of each level the places of its fields in the row that they were looked for in, one level behind the other.
  private let found: UnsafeMutablePointer<Int>
  private let levels: UnsafeMutablePointer<Level>

  private struct Level {
    let fields: Unmanaged<JSONFields>
    /// The first of its places in `found`.
    let start: Int
    /// When the row was entered in which the fields were looked for.
    var entered = 0
  }

  private struct State {
    /// How many rows the run is in.
    var level = 0
    var clock = 1
    /// Steps of all formulas so far.
    var steps = 0
  }

  private struct Row {
    var place: Int
    /// When it was entered.
    var entered: Int
  }

  /// Whether the fields of a row are looked for one by one, since few of them are wanted.
  var looksForOne = false
  /// How often chance was asked for.
  var draws = 0
  /// Steps of the accounts of formulas so far.
  private var accountSteps = 0
  /// Whether an account is made, not a value.
  var isAccounting = false
  /// Formulas of 20,000 rows take some 3 million. At the bound one order has taken a third of a second where formulas
  /// reckon, and some seven where they build texts, of which 64 bytes are a step.
  private static let mostSteps = 20_000_000

  private struct Part {
    let level: Int
    /// When the row was entered that the value is from; 0 for none.
    var entered = 0
    var value = SQLValue.null
  }

  /// Parts over rows that failed, by their place among the parts.
  private var failed: [Int: Failed] = [:]

  private struct Failed {
    let error: EvaluationError
    /// Why an operand could not be had, where that is the error.
    let refusal: ValueError?
    let entered: Int
  }

  private struct Read {
    let level: Int
    /// When the row was entered that the value is from; 0 for not read.
    var entered = 0
    /// Its number among its level's fields; below 0: none.
    let field: Int
    /// Whether it is a field of the row that nothing is done to.
    let isPlain: Bool
    var value = Value.nothing

    init(_ operand: Operand, _ field: Int) {
      level = operand.level
      self.field = field
      isPlain = operand.isPlain
    }
  }

  init(_ order: JSONValue, _ table: OperandTable, answers: LookupTable, inputs: MappingInputs) {
    operands = table.operands
    lookups = table.lookups
    rememberedPlaces = table.remembered
    zone = table.zone
    document = order.source
    self.answers = answers
    self.inputs = inputs
    // Expressions that ask for either without having been given it are refused before they run.
    var exact = EvaluationSettings(now: inputs.now ?? BeijingTime(epochSeconds: 0))
    exact.secondsFromUTC = table.zone.secondsFromUTC
    self.exact = exact
    var mysql = exact
    mysql.division = .mysql
    self.mysql = mysql
    state = .allocate(capacity: 1)
    state.initialize(to: State())
    rows = .allocate(capacity: table.depth + 1)
    rows.initialize(repeating: Row(place: order.place, entered: 1))
    read = .allocate(capacity: table.operands.count)
    let numbers = table.fieldNumbers.isEmpty ? Array(repeating: -1, count: table.operands.count) : table.fieldNumbers
    _ = read.initialize(from: zip(table.operands, numbers).lazy.map { Read($0, $1) })
    fields = table.fields
    levels = .allocate(capacity: max(1, fields.count))
    var start = 0
    for (number, list) in fields.enumerated() {
      (levels + number).initialize(to: Level(fields: .passUnretained(list), start: start))
      start += list.count
    }
    found = .allocate(capacity: max(1, start))
    parts = .allocate(capacity: table.rememberedLevels.count)
    _ = parts.initialize(from: table.rememberedLevels.lazy.map { Part(level: $0) })
  }

  deinit {
    state.deallocate()
    levels.deallocate()
    found.deallocate()
    rows.deallocate()
    read.deinitialize()
    read.deallocate()
    parts.deinitialize()
    parts.deallocate()
  }

  func evaluation(_ division: EvaluationSettings.Division) -> EvaluationSettings {
    division == .exact ? exact : mysql
  }

  // MARK: Rows

  /// Goes into a row.
  /// - Parameter place: where the order has it.
  func enter(_ place: Int) {
    state.pointee.clock += 1
    state.pointee.level += 1
    rows[state.pointee.level] = Row(place: place, entered: state.pointee.clock)
  }

  func leave() { state.pointee.level -= 1 }

  /// Does something in each row of a list: an object counts as one row, anything else as none
  /// (mapping-language.md §8).
  func forEachRow(of list: ListReach, _ body: (Int) -> Void) {
    guard let found = self.list(list) else { return }
    if found.kind == .object {
      enter(found.place)
      body(0)
      return leave()
    }
    var place = document.firstElement(of: found.place)
    for position in 0..<found.count {
      enter(place)
      body(position)
      leave()
      place = document.next(after: place)
    }
  }

  /// The rows of a list, as `forEachRow` enters them.
  func rows(of list: ListReach) -> [JSONValue] {
    guard let found = self.list(list) else { return [] }
    return found.kind == .object ? [found] : Array(found.elements)
  }

  func rowCount(of list: ListReach) -> Int {
    guard let found = self.list(list) else { return 0 }
    return found.kind == .object ? 1 : found.count
  }

  /// What stands where a list should, if it is neither that nor nothing.
  func strayKind(of list: ListReach) -> String? {
    guard let found = raw(list), ![.array, .object, .null].contains(found.kind), found.string != "" else { return nil }
    return "a \(found.kind)"
  }

  /// What the present row is, if it is no row.
  var strayRow: String? {
    let kind = document.kind(at: rows[state.pointee.level].place)
    return kind == .object ? nil : kind == .null ? "nothing" : "no object but a \(kind)"
  }

  private func list(_ list: ListReach) -> JSONValue? {
    raw(list).flatMap { $0.kind == .array || $0.kind == .object ? $0 : nil }
  }

  private func raw(_ list: ListReach) -> JSONValue? {
    for place in list.places {
      var value = document.value(at: rows[place.level].place)
      var isThere = true
      for step in place.steps {
        guard let member = Self.member(step, of: value) else {
          isThere = false
          break
        }
        value = member
      }
      if isThere { return value }
    }
    return nil
  }

  // MARK: Operands

  /// What an operand reads in the present rows. What leads nowhere reads nothing.
  func value(of operand: Int) throws(ValueError) -> Value {
    let now = rows[read[operand].level].entered
    if read[operand].entered == now { return read[operand].value }
    let value: Value = if let plain = plainField(operand) { plain } else { try fresh(operands[operand]) }
    read[operand].value = value
    read[operand].entered = now
    return value
  }

  /// What a field of the row has to which nothing is done; nil for everything else.
  private func plainField(_ operand: Int) -> Value? {
    guard read[operand].isPlain, document.kind(at: rows[read[operand].level].place) == .object,
      let place = fieldPlace(operand)
    else { return nil }
    if place < 0 { return .nothing }
    switch document.kind(at: place) {
    case .number: return document.decimal(at: place).map { .number($0) }
    case .string: return .text(document.string(at: place))
    default: return nil
    }
  }

  /// Whether the formulas of this order may go on after so many steps more.
  func spend(_ more: Int) -> Bool {
    if isAccounting {
      accountSteps += more
      return accountSteps <= Self.mostSteps
    }
    state.pointee.steps += more
    return state.pointee.steps <= Self.mostSteps
  }

  /// Whether a part of a formula stands more than once, or in deeper rows than it depends on.
  func isRemembered(part number: Int) -> Bool { rememberedPlaces[number] >= 0 }

  /// What a part of a formula came to in the present rows.
  func remembered(part number: Int, _ variant: Int) -> SQLValue? {
    let place = rememberedPlaces[number]
    guard place >= 0, parts[place + variant].entered == rows[parts[place + variant].level].entered else { return nil }
    return parts[place + variant].value
  }

  func remember(_ value: SQLValue, part number: Int, _ variant: Int) {
    guard rememberedPlaces[number] >= 0 else { return }
    let place = rememberedPlaces[number] + variant
    parts[place].value = value
    parts[place].entered = rows[parts[place].level].entered
  }

  /// Why a part over rows came to nothing in the present rows.
  func rememberedFailure(part number: Int, _ variant: Int) -> (error: EvaluationError, refusal: ValueError?)? {
    let place = rememberedPlaces[number]
    guard !failed.isEmpty, place >= 0, let found = failed[place + variant],
      found.entered == rows[parts[place + variant].level].entered
    else { return nil }
    return (found.error, found.refusal)
  }

  func remember(failure: EvaluationError, part number: Int, _ variant: Int) {
    guard rememberedPlaces[number] >= 0 else { return }
    let place = rememberedPlaces[number] + variant
    failed[place] = Failed(error: failure, refusal: refusal, entered: rows[parts[place].level].entered)
  }

  private func fresh(_ operand: Operand) throws(ValueError) -> Value {
    let value: Value
    switch operand.source {
    case .field: value = try self.read(operand)
    case .made(_, let format, _): value = try format.applied(to: try self.read(operand), name: operand.title)
    case .variable(let variable):
      guard let found = variable.value(inputs) else { throw .unknown(operand.name) }
      value = found
    case .lookup(let number): value = try answers.value(lookups[number], self)
    }
    guard let filter = operand.filter else { return value }
    return try filter.applied(to: value, name: operand.title, zone)
  }

  /// Where the present row has a field, or below 0; nil for what is not among the fields that are found together.
  private func fieldPlace(_ operand: Int) -> Int? {
    let (number, field) = (read[operand].level, read[operand].field)
    let row = rows[number]
    guard field >= 0, !looksForOne || levels[number].entered == row.entered else { return nil }
    let places = found + levels[number].start
    if levels[number].entered != row.entered {
      levels[number].entered = row.entered
      levels[number].fields._withUnsafeGuaranteedRef { document.find($0, in: row.place, places) }
    }
    return places[field] == JSONFields.nowhere ? -1 : JSONFields.place(places[field])
  }

  /// What the order has for an operand that is a field of it, or made of one.
  private func read(_ operand: Operand) throws(ValueError) -> Value {
    guard let keys = operand.keys else { return try deepValue(operand) }
    // Nearly always a field of the row itself.
    let row = rows[operand.level].place
    if document.kind(at: row) == .object {
      let place = document.member(keys, of: row)
      return place < 0 ? .nothing : try Value(document, place, operand)
    }
    return try deepValue(operand)
  }

  private func deepValue(_ operand: Operand) throws(ValueError) -> Value {
    guard let reach = operand.reach else { return .nothing }
    let row = document.value(at: rows[reach.level].place)
    var value = row
    for step in reach.steps {
      // Outside its array a path into a list reads the first element.
      if value.kind == .array, let first = value[0] { value = first }
      guard let member = Self.member(step, of: value) else {
        // A flattened key has dots of its own.
        guard reach.steps.count > 1, let flat = row[reach.flatKey] else { return .nothing }
        return try Value(flat, name: operand.title)
      }
      value = member
    }
    return try Value(value, name: operand.title)
  }

  private static func member(_ step: Reach.Step, of value: JSONValue) -> JSONValue? {
    if let found = value[step.key] { return found }
    for key in step.others {
      if let found = value[key] { return found }
    }
    return nil
  }

  /// What an operand reads in every row of its list, or of the lists on its way, and which list that is. A row without
  /// the field has its place, so that fields of the same list stay side by side.
  func values(of number: Int) throws(ValueError) -> (list: String?, values: [Value]) {
    let operand = operands[number]
    let reach: Reach
    var format: MadeField.Format?
    switch operand.source {
    case .field(let place): reach = place
    case .made(let place, let made, _): (reach, format) = (place, made)
    case .variable, .lookup: return (nil, [try fresh(operand)])
    }
    var found: [JSONValue?] = [document.value(at: rows[reach.level].place)]
    var list: String?
    if let own = operand.list {
      found = self.list(own).map { $0.kind == .array ? Array($0.elements) : [$0] } ?? []
      list = own.name
    }
    var path = list ?? ""
    for step in reach.steps {
      if let rows = Self.rows(of: found) { (found, list) = (rows, path) }
      found = found.map { $0.flatMap { Self.member(step, of: $0) } }
      path += path.isEmpty ? step.key : ".\(step.key)"
    }
    // A list without fields of its own; one that something is made of is one value.
    if format == nil, operand.filter == nil, let rows = Self.rows(of: found) { (found, list) = (rows, path) }
    var values: [Value] = []
    values.reserveCapacity(found.count)
    for value in found {
      var value = try value.map { value throws(ValueError) in try Value(value, name: operand.name) } ?? .nothing
      if let format { value = try format.applied(to: value, name: operand.title) }
      values.append(try operand.filter?.applied(to: value, name: operand.title, zone) ?? value)
    }
    return (list, values)
  }

  /// The rows of lists that lie in rows; an object counts as a row, nothing as none. Nil where none of them is a list.
  private static func rows(of values: [JSONValue?]) -> [JSONValue?]? {
    guard values.contains(where: { $0?.kind == .array }) else { return nil }
    return values.flatMap { value -> [JSONValue?] in
      guard let value, !value.isNull else { return [] }
      return value.kind == .array ? Array(value.elements) : [value]
    }
  }
}
