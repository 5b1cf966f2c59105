import JSON
import Orders

/// A bill before its body is written.
struct BillDraft {
  private(set) var number: String
  private(set) var members: [JSONMember]
  let notes: [BillNote]

  init(number: String, members: [JSONMember], notes: [BillNote]) {
    self.number = number
    self.members = members
    self.notes = notes
  }

  func bill(of strategy: Strategy) -> Bill {
    var writer = JSONWriter(reserving: 4096)
    writer.beginObject()
    writer.key("Data")
    JSONTree.object(members).write(to: &writer)
    writer.endObject()
    return Bill(
      object: strategy.object, number: number, body: writer.bytes, notes: notes, keyField: strategy.keyField)
  }

  /// The number that stands at a path, where the first element of an array stands for it.
  static func text(at path: ArraySlice<String>, in members: [JSONMember]) -> String? {
    guard let member = members.first(where: { $0.key == path.first }) else { return nil }
    var value = member.value
    if path.count > 1, case .array(let elements) = value, let first = elements.first { value = first }
    if case .object(let members) = value { return text(at: path.dropFirst(), in: members) }
    return path.count == 1 ? value.keyText : nil
  }

  /// Gives the bill another number.
  /// - Parameter path: where its number stands.
  mutating func renumber(_ number: String, at path: Path) {
    self.number = number
    members = Self.replaced(.string(number), at: path.segments[...], in: members)
  }

  private static func replaced(
    _ value: JSONTree, at path: ArraySlice<String>, in members: [JSONMember]
  ) -> [JSONMember] {
    guard let place = members.firstIndex(where: { $0.key == path.first }) else { return members }
    var members = members
    switch members[place].value {
    case _ where path.count == 1: members[place].value = value
    case .object(let inner): members[place].value = .object(replaced(value, at: path.dropFirst(), in: inner))
    case .array(var elements):
      guard case .object(let inner)? = elements.first else { return members }
      elements[0] = .object(replaced(value, at: path.dropFirst(), in: inner))
      members[place].value = .array(elements)
    default: break
    }
    return members
  }
}

extension JSONTree {
  /// A bill's number: a text, or a number's.
  var keyText: String? {
    switch self {
    case .string(let text): text
    case .number(let number), .digits(let number): number.description
    case .null, .bool, .array, .object: nil
    }
  }
}

extension [BillDraft] {
  /// With numbers of which no two are the same, in whatever case: K/3 takes a number once. The first bill keeps its number,
  /// those after it get the next that no bill has.
  func numbered(by path: Path) -> [BillDraft] {
    if count < 2 { return self }
    let taken = Set(map { $0.number.lowercased() })
    var seen: Set<String> = []
    var last: [String: Int] = [:]
    return map { draft in
      let number = draft.number.lowercased()
      if seen.insert(number).inserted { return draft }
      var suffix = last[number] ?? 1
      repeat { suffix += 1 } while taken.contains("\(number)-\(suffix)")
      last[number] = suffix
      var draft = draft
      draft.renumber("\(draft.number)-\(suffix)", at: path)
      return draft
    }
  }
}
