import JSON
import Orders

// What messages call operands, and what the collections answered to the order's lookups.
extension OrderReader {
  func name(of operand: Int) -> String { operands[operand].name }

  /// The name, and of a field that `formatResponse` makes what it is made of.
  func title(of operand: Int) -> String { operands[operand].title }

  func madeFrom(_ operand: Int) -> String? { operands[operand].madeFrom }

  func names(_ operands: [Int]) -> String? {
    operands.isEmpty ? nil : operands.map(name).joined(separator: ", ")
  }

  func lookup(_ number: Int) -> Lookup { lookups[number] }

  /// The number of the lookup that an operand is; nil for anything else.
  func lookupNumber(of operand: Int) -> Int? {
    if case .lookup(let number) = operands[operand].source { return number }
    return nil
  }

  /// What a message calls a lookup.
  func lookupName(_ number: Int) -> String { lookups[number].name(operands) }

  /// The question of a lookup with its values, for the person who maps.
  func question(_ number: Int) -> String {
    let lookup = lookups[number]
    let key: LookupKey
    do throws(ValueError) {
      guard let asked = try lookup.key(self) else { return "nothing asked: \(lookup.asked(operands)) is empty" }
      key = asked
    } catch { return "nothing asked: \(error.sentence)" }
    let conditions = key.conditions.map { "\($0.field)=\($0.value)" }.joined(separator: " ")
    let record = (try? answers.hasRecord(lookup, self)) == true ? "a record" : "no record"
    return "\(lookup.collection) where \(conditions): \(record), \(lookup.field.text)"
  }

  func answer(to number: Int) throws(ValueError) -> Value { try answers.value(lookups[number], self) }

  /// Whether a lookup's record has an empty text.
  func isEmptyText(_ number: Int) -> Bool {
    guard let value = try? answer(to: number), case .text = value else { return false }
    return value.isBlank
  }

  func hasRecord(for number: Int) throws(ValueError) -> Bool { try answers.hasRecord(lookups[number], self) }

  func miss(_ number: Int) -> LookupMiss {
    answers.miss(lookups[number], asked: lookups[number].asked(operands), self)
  }
}
