public import JSON
public import Mapping

/// A target to try: one of Ferry's strategies, or a document that was written for another platform.
public enum WorkStrategy: Sendable {
  /// Makes bills for K/3, with all of Ferry's rules.
  case bill(Strategy)
  /// Makes the request of whatever `api` it names.
  case document(StrategyDocument)

  /// Reads a target.
  /// - Parameters:
  ///   - target: its path.
  ///   - source: the source's path; nil takes `source.json` beside the target, if there is one.
  ///   - example: what an example tries instead of what the files say; nil takes them as they are.
  /// - Throws: `UnusableFile`, or `StrategyProblems` with every problem of all files.
  public init(target: String, source: String? = nil, example: StrategyExample? = nil) throws {
    var text = try Files.bytes(target)
    let source = source ?? Self.neighbour("source.json", of: target)
    var sourceText = try source.map { try Files.bytes($0) }
    if let members = example?.target { text = try Overlay.text(text, target, with: members) }
    if let members = example?.source {
      sourceText = try Overlay.text(sourceText ?? Array("{}".utf8), source ?? "source.json", with: members)
    }
    if Self.isBill(text) {
      let calendar = try example?.calendar ?? Self.neighbour("calendar.json", of: target).map { try Files.bytes($0) }
      self = .bill(
        try Strategy(
          name: "strategy", source: sourceText ?? Array("{}".utf8), target: text, calendar: calendar, asIfOn: true))
    } else {
      let orders = try sourceText.map { try StrategyDocument(file: source ?? "", text: $0) }
      self = .document(try StrategyDocument(file: target, text: text, source: orders))
    }
  }

  private static func neighbour(_ name: String, of target: String) -> String? {
    let folder = target.lastIndex(of: "/").map { String(target[...$0]) } ?? ""
    let path = folder + name
    return path != target && Files.exists(path) ? path : nil
  }

  /// Whether it is for one of K/3's objects (vendor-apis.md A.2).
  static func isBill(_ text: [UInt8]) -> Bool {
    Strategy.object(ofTarget: text) != nil
  }

  /// Warnings of its files.
  public var warnings: [StrategyProblem] {
    switch self {
    case .bill(let strategy): strategy.warnings
    case .document(let document): document.warnings
    }
  }

  /// Whether an order may become several documents.
  var splits: Bool {
    switch self {
    case .bill(let strategy): strategy.splits
    case .document(let document): document.splits
    }
  }

  /// What it makes of an order, with an account of each field.
  /// - Parameters:
  ///   - collections: answer its lookups.
  ///   - byField: false leaves out the fields, and maps as the transform stage does.
  public func explain(
    _ order: JSONValue, collections: FileCollections, inputs: MappingInputs, byField: Bool = true
  ) -> Explanation {
    do throws(MappingFailures) {
      switch self {
      case .bill(let strategy):
        let mapper = Mapper(strategy)
        guard let documents = Self.documents(try mapper.selection(of: order), order) else { break }
        let keys = documents.flatMap { mapper.lookups(of: $0, inputs: inputs) }
        return mapper.explain(
          documents, from: order, lookups: collections.answers(to: keys), inputs: inputs, byField: byField)
      case .document(let document):
        guard let records = Self.documents(try document.selection(of: order), order) else { break }
        let keys = records.flatMap { document.lookups(of: $0, inputs: inputs) }
        return document.explain(
          of: records, lookups: collections.answers(to: keys), inputs: inputs, byField: byField)
      }
      return Explanation(refusal: "the strategy's condition does not take the order")
    } catch {
      return Explanation(failures: error)
    }
  }

  /// Nil for an order that is not taken.
  private static func documents(_ selection: Selection, _ order: JSONValue) -> [JSONValue]? {
    switch selection {
    case .refused: nil
    case .whole: [order]
    case .changed(let documents): documents.map(\.root)
    }
  }
}

/// An order in a file.
public enum WorkOrder {
  /// Reads an order: the object itself, or OKKI's whole answer with the order in its `data`.
  /// - Throws: `UnusableFile`.
  public static func read(_ path: String) throws(UnusableFile) -> JSONDocument {
    let document = try Files.json(path)
    guard let data = document.root["data"], data.kind == .object, document.root["code"] != nil,
      let inner = try? JSONDocument(Array(data.rawBytes))
    else { return document }
    return inner
  }
}
