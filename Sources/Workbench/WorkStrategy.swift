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
  ///   - source: the source's path; nil takes `source.json` beside the target, if there is one. So is `calendar.json`.
  /// - Throws: `UnusableFile`, or `StrategyProblems` with every problem of all files.
  public init(target: String, source: String? = nil) throws {
    let text = try Files.bytes(target)
    let source = source ?? Self.neighbour("source.json", of: target)
    let sourceText = try source.map { try Files.bytes($0) }
    if Self.isBill(text) {
      let calendar = try Self.neighbour("calendar.json", of: target).map { try Files.bytes($0) }
      self = .bill(
        try Strategy(name: "strategy", source: sourceText ?? Array("{}".utf8), target: text, calendar: calendar)
          .asIfOn)
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
  private static func isBill(_ text: [UInt8]) -> Bool {
    guard let root = try? JSONDocument(text).root else { return false }
    let api = (root["metadata"] ?? root)["api"]?.string ?? ""
    let parts = api.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 3 && parts[0].isEmpty && parts[2] == "Save"
  }

  /// Warnings of its files.
  public var warnings: [StrategyProblem] {
    switch self {
    case .bill(let strategy): strategy.warnings
    case .document(let document): document.warnings
    }
  }

  /// What it makes of an order, with an account of each field.
  /// - Parameter collections: answer its lookups.
  public func explain(_ order: JSONValue, collections: FileCollections, inputs: MappingInputs) -> Explanation {
    switch self {
    case .bill(let strategy):
      let mapper = Mapper(strategy)
      var order = order
      do throws(MappingFailures) {
        switch try mapper.selection(of: order) {
        case .whole: break
        case .changed(let documents): order = documents[0].root
        case .refused: return Explanation(refusal: "the strategy's condition does not take the order")
        }
      } catch { return Explanation(refusal: error.description) }
      let table = collections.answers(to: mapper.lookups(of: order, inputs: inputs))
      return mapper.explain(order, lookups: table, inputs: inputs)
    case .document(let document):
      let table = collections.answers(to: document.lookups(of: order, inputs: inputs))
      return document.explain(of: order, lookups: table, inputs: inputs)
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
