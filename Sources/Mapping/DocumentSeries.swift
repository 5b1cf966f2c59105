import JSON
import Orders

/// Documents of one order being mapped one after the other: gathers what they become, or all that is wrong with them.
struct DocumentSeries<Made> {
  private let count: Int
  private var made: [Made] = []
  private var failures = FailureList()
  private var fields: [ExplainedField] = []

  init(count: Int) { self.count = count }

  /// Maps one.
  /// - Parameter position: its place among the documents, from 0.
  mutating func add(_ position: Int, _ make: () throws(MappingFailures) -> Made) {
    do throws(MappingFailures) { made.append(try make()) } catch {
      for failure in error.told {
        let place = place(failure.target, position)
        failures.add(failure.at(place))
      }
      failures.add(untold: error.untold)
    }
  }

  /// Notes how the fields of one came about.
  mutating func add(_ trace: [ExplainedField]?, of position: Int) {
    fields += (trace ?? []).map { $0.at(place($0.target, position)) }
  }

  /// A field's place; among several documents with the document's number.
  private func place(_ target: String, _ position: Int) -> String {
    if count == 1 { return target }
    return target.isEmpty ? "document \(position + 1)" : "document \(position + 1): \(target)"
  }

  /// What all became.
  /// - Throws: `MappingFailures` of all documents together.
  func result() throws(MappingFailures) -> [Made] {
    if let failures = failures.failures { throw failures }
    if made.isEmpty {
      throw MappingFailures(failures: [MappingFailure(.orderMalformed, target: "", "the order makes no document")])
    }
    return made
  }

  /// Holds a rule against all that was made, unless something failed already.
  mutating func check(_ rule: ([Made]) -> [MappingFailure]) {
    if failures.count == 0 { for failure in rule(made) { failures.add(failure) } }
  }

  /// The same with the accounts of the fields, and what is noted of each document.
  func explanation(_ write: ([Made]) -> [(body: [UInt8], notes: [BillNote])]) -> Explanation {
    do throws(MappingFailures) {
      let documents = write(try result())
      let notes = documents.enumerated().flatMap { position, document in
        document.notes.map { BillNote($0.kind, place: place($0.place, position), $0.text) }
      }
      return Explanation(documents: .success(documents.map(\.body)), fields: fields, notes: notes)
    } catch {
      return Explanation(documents: .failure(error), fields: fields)
    }
  }
}

extension MappingFailure {
  fileprivate func at(_ target: String) -> MappingFailure {
    MappingFailure(code, target: target, sources: sources, sentence, remedy: remedy)
  }

  /// The last one that is told.
  func followed(by untold: Int) -> MappingFailure {
    MappingFailure(
      code, target: target, sources: sources, "\(sentence); \(untold) more fields cannot be mapped", remedy: remedy)
  }
}

extension ExplainedField {
  fileprivate func at(_ target: String) -> ExplainedField {
    ExplainedField(target: target, rule: rule, inputs: inputs, steps: steps, result: result, failure: failure)
  }
}

extension MappingInputs {
  /// Each document of an order draws other numbers by chance.
  func forDocument(_ position: Int) -> MappingInputs {
    guard position > 0, let seed = randomSeed else { return self }
    var inputs = self
    inputs.randomSeed = seed &+ UInt64(position) &* 0x9E37_79B9_7F4A_7C15
    return inputs
  }
}

extension Selection {
  /// The same, taken apart; `order` is what was selected of.
  func split(_ order: JSONValue, _ splitting: Splitting?) throws(MappingFailures) -> Selection {
    guard let splitting, order.kind == .object else { return self }
    switch self {
    case .refused: return .refused
    case .whole: return .changed(try splitting.documents(of: order))
    case .changed(let documents):
      guard let document = documents.first else { return self }
      return .changed(try splitting.documents(of: document.root))
    }
  }
}
