import Expressions
import JSON
import Orders

/// Reads one order for one run: knows which rows the run is in, and reads what a row holds once however many fields
/// need it.
final class OrderReader {
  private let table: OperandTable
  private let answers: LookupTable
  let inputs: MappingInputs
  /// How expressions are evaluated, with either division.
  private let exact: EvaluationSettings
  private let mysql: EvaluationSettings
  /// Why the last operand that an expression asked for could not be had.
  var refusal: ValueError?
  /// The lookups that an expression read in vain; nil while nobody asks.
  var missed: [Int]?
  /// The order, and the rows that the run is in; innermost last. As many as lists lie within each other. In memory of
  /// its own, like what has been read, since these are asked for every field of every row, and a class's variables are
  /// checked for overlapping accesses each time.
  private let rows: UnsafeMutableBufferPointer<Row>
  private var level = 0
  private var clock = 1
  private let read: UnsafeMutableBufferPointer<Read>
  /// What repeated parts of formulas came to.
  private let parts: UnsafeMutableBufferPointer<Part>

  private struct Row {
    var value: JSONValue
    /// When it was entered.
    var entered: Int
  }

  /// How often chance was asked for.
  var draws = 0
  /// Steps of all formulas so far.
  private var steps = 0
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
    var value = Value.nothing
  }

  init(_ order: JSONValue, _ table: OperandTable, answers: LookupTable, inputs: MappingInputs) {
    self.table = table
    self.answers = answers
    self.inputs = inputs
    // Expressions that ask for either without having been given it are refused before they run.
    var exact = EvaluationSettings(now: inputs.now ?? BeijingTime(epochSeconds: 0))
    exact.secondsFromUTC = table.zone.secondsFromUTC
    self.exact = exact
    var mysql = exact
    mysql.division = .mysql
    self.mysql = mysql
    rows = .allocate(capacity: table.depth + 1)
    rows.initialize(repeating: Row(value: order, entered: 1))
    read = .allocate(capacity: table.operands.count)
    _ = read.initialize(from: table.operands.lazy.map { Read(level: $0.level) })
    parts = .allocate(capacity: table.rememberedLevels.count)
    _ = parts.initialize(from: table.rememberedLevels.lazy.map { Part(level: $0) })
  }

  deinit {
    rows.deinitialize()
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

  func enter(_ row: JSONValue) {
    clock += 1
    level += 1
    rows[level] = Row(value: row, entered: clock)
  }

  func leave() { level -= 1 }

  /// Does something in each row of a list: an object counts as one row, anything else as none
  /// (mapping-language.md §8).
  func forEachRow(of list: ListReach, _ body: (Int) -> Void) {
    guard let found = self.list(list) else { return }
    if found.kind == .object {
      enter(found)
      body(0)
      return leave()
    }
    var position = 0
    for row in found.elements {
      enter(row)
      body(position)
      leave()
      position += 1
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
    let kind = rows[level].value.kind
    return kind == .object ? nil : kind == .null ? "nothing" : "no object but a \(kind)"
  }

  private func list(_ list: ListReach) -> JSONValue? {
    raw(list).flatMap { $0.kind == .array || $0.kind == .object ? $0 : nil }
  }

  private func raw(_ list: ListReach) -> JSONValue? {
    for place in list.places {
      var value = rows[place.level].value
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

  func name(of operand: Int) -> String { table.operands[operand].name }

  /// The name, and of a field that `formatResponse` makes what it is made of.
  func title(of operand: Int) -> String { table.operands[operand].title }

  func madeFrom(_ operand: Int) -> String? { table.operands[operand].madeFrom }

  func names(_ operands: [Int]) -> String? {
    operands.isEmpty ? nil : operands.map(name).joined(separator: ", ")
  }

  /// What an operand reads in the present rows. What leads nowhere reads nothing.
  func value(of operand: Int) throws(ValueError) -> Value {
    let now = rows[read[operand].level].entered
    if read[operand].entered == now { return read[operand].value }
    let value = try fresh(table.operands[operand])
    read[operand].value = value
    read[operand].entered = now
    return value
  }

  /// Whether the formulas of this order may go on after so many steps more.
  func spend(_ more: Int) -> Bool {
    if isAccounting {
      accountSteps += more
      return accountSteps <= Self.mostSteps
    }
    steps += more
    return steps <= Self.mostSteps
  }

  /// What a part of a formula came to in the present rows.
  func remembered(part number: Int, _ variant: Int) -> SQLValue? {
    let place = table.remembered[number]
    guard place >= 0, parts[place + variant].entered == rows[parts[place + variant].level].entered else { return nil }
    return parts[place + variant].value
  }

  func remember(_ value: SQLValue, part number: Int, _ variant: Int) {
    guard table.remembered[number] >= 0 else { return }
    let place = table.remembered[number] + variant
    parts[place].value = value
    parts[place].entered = rows[parts[place].level].entered
  }

  /// Why a part over rows came to nothing in the present rows.
  func rememberedFailure(part number: Int, _ variant: Int) -> (error: EvaluationError, refusal: ValueError?)? {
    let place = table.remembered[number]
    guard !failed.isEmpty, place >= 0, let found = failed[place + variant],
      found.entered == rows[parts[place + variant].level].entered
    else { return nil }
    return (found.error, found.refusal)
  }

  func remember(failure: EvaluationError, part number: Int, _ variant: Int) {
    guard table.remembered[number] >= 0 else { return }
    let place = table.remembered[number] + variant
    failed[place] = Failed(error: failure, refusal: refusal, entered: rows[parts[place].level].entered)
  }

  private func fresh(_ operand: Operand) throws(ValueError) -> Value {
    let value: Value
    switch operand.source {
    case .field(let reach): value = try self.value(at: reach, operand.name)
    case .made(let reach, let format, _):
      value = try format.applied(to: try self.value(at: reach, operand.title), name: operand.title)
    case .variable(let variable):
      guard let found = variable.value(inputs) else { throw .unknown(operand.name) }
      value = found
    case .lookup(let number): value = try answers.value(table.lookups[number], self)
    }
    guard let filter = operand.filter else { return value }
    return try filter.applied(to: value, name: operand.title, table.zone)
  }

  private func value(at reach: Reach, _ name: String) throws(ValueError) -> Value {
    var value = rows[reach.level].value
    for step in reach.steps {
      // Outside its array a path into a list reads the first element.
      if value.kind == .array, let first = value[0] { value = first }
      guard let member = Self.member(step, of: value) else {
        // A flattened key has dots of its own.
        guard reach.steps.count > 1, let flat = rows[reach.level].value[reach.flatKey] else { return .nothing }
        return try Value(flat, name: name)
      }
      value = member
    }
    return try Value(value, name: name)
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
    let operand = table.operands[number]
    let reach: Reach
    var format: MadeField.Format?
    switch operand.source {
    case .field(let place): reach = place
    case .made(let place, let made, _): (reach, format) = (place, made)
    case .variable, .lookup: return (nil, [try fresh(operand)])
    }
    var found: [JSONValue?] = [rows[reach.level].value]
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
      values.append(try operand.filter?.applied(to: value, name: operand.title, table.zone) ?? value)
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

  // MARK: Lookups

  func lookup(_ number: Int) -> Lookup { table.lookups[number] }

  /// The number of the lookup that an operand is; nil for anything else.
  func lookupNumber(of operand: Int) -> Int? {
    if case .lookup(let number) = table.operands[operand].source { return number }
    return nil
  }

  /// What a message calls a lookup.
  func lookupName(_ number: Int) -> String { table.lookups[number].name(table) }

  /// The question of a lookup with its values, for the person who maps.
  func question(_ number: Int) -> String {
    let lookup = table.lookups[number]
    let key: LookupKey
    do throws(ValueError) {
      guard let asked = try lookup.key(self) else { return "nothing asked: \(lookup.asked(table)) is empty" }
      key = asked
    } catch { return "nothing asked: \(error.sentence)" }
    let conditions = key.conditions.map { "\($0.field)=\($0.value)" }.joined(separator: " ")
    let record = (try? answers.hasRecord(lookup, self)) == true ? "a record" : "no record"
    return "\(lookup.collection) where \(conditions): \(record), \(lookup.field.text)"
  }

  func answer(to number: Int) throws(ValueError) -> Value { try answers.value(table.lookups[number], self) }

  /// Whether a lookup's record has an empty text.
  func isEmptyText(_ number: Int) -> Bool {
    guard let value = try? answer(to: number), case .text = value else { return false }
    return value.isBlank
  }

  func hasRecord(for number: Int) throws(ValueError) -> Bool { try answers.hasRecord(table.lookups[number], self) }

  func miss(_ number: Int) -> LookupMiss {
    answers.miss(table.lookups[number], asked: table.lookups[number].asked(table), self)
  }
}
