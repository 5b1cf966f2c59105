import JSON
import Orders

extension Flattening {
  /// Reads what a source says of taking its records apart.
  init(source root: JSONValue, _ problems: inout ProblemList) {
    let inner = root["otherRequestParams"]?["beatFlat"]
    let place = root["beatFlat"] == nil && inner != nil ? "otherRequestParams.beatFlat" : "beatFlat"
    lists = Names.read(root["beatFlat"] ?? inner, "lists", at: place, &problems)
    if let operation = Operation(root["operation"], &problems) { read(operation, &problems) }
    id = Self.name(root["id"])
    number = Self.name(root["number"])
    if let check = root["idCheck"], check.bool == false || check.text == "false" {
      problems.warn(
        "not used: Ferry sends every order once, and a changed order is no new one", at: "idCheck", check)
    }
  }

  private mutating func read(_ operation: Operation, _ problems: inout ProblemList) {
    switch operation.method {
    case .none: break
    case .batchArraySave: problems.warn("not used: a source saves nothing", at: "operation", operation.value)
    case .merge: problems.report("merge stands in the target", at: "operation", operation.value)
    case .splitArray:
      arrayKey = operation.value["arrayKey"]?.string
      if arrayKey?.isEmpty ?? true {
        problems.report("splitArray needs «arrayKey», the name of a list", at: "operation", operation.value)
      }
      operation.check(["arrayKey"], &problems)
    }
  }

  /// The name of a field; the newer manual writes paths into the answer here, which say nothing of a record.
  private static func name(_ value: JSONValue?) -> String? {
    guard let text = value?.string, !text.isEmpty, !text.contains("{") else { return nil }
    return text
  }
}

/// A document's `operation`.
struct Operation {
  enum Method: String, CaseIterable {
    case none
    case splitArray
    case merge
    case batchArraySave
  }

  let method: Method
  let value: JSONValue

  /// Nil when there is none, or none that can be read.
  init?(_ value: JSONValue?, _ problems: inout ProblemList) {
    guard let value, !value.isNull, value.kind != .array && value.kind != .object || value.count > 0 else { return nil }
    let known = Method.allCases.map(\.rawValue)
    guard let name = value["method"]?.string, let method = Method(rawValue: name) else {
      let near = value["method"]?.string.flatMap { Spelling.nearest(to: $0, among: known) }
      let meant = near.map { "; is «\($0)» meant?" } ?? "; known are \(known.joined(separator: ", "))"
      problems.report("needs a «method»\(meant)", at: "operation", value)
      return nil
    }
    self.method = method
    self.value = value
  }

  /// Keys that the method does not know are passed over with a warning, unless they are near to one that it knows.
  func check(_ known: [String], _ problems: inout ProblemList) {
    Names.check(value, known: known + ["method"], at: "operation", &problems)
  }
}

/// Reading of names in lists.
enum Names {
  /// A list of names; a text with commas is one too, and so is a name alone.
  static func read(
    _ value: JSONValue?, _ what: String, at place: String, _ problems: inout ProblemList
  ) -> [String] {
    guard let value, !value.isNull else { return [] }
    let names: [String?] =
      switch value.kind {
      case .array: value.elements.map { $0.string.map(trimmed) }
      case .string: value.string?.split(separator: ",").map { trimmed($0) } ?? []
      default: [nil]
      }
    guard !names.contains(where: { $0?.isEmpty ?? true }) else {
      problems.report("must be a list of names of \(what)", at: place, value)
      return []
    }
    var seen: Set<String> = []
    return names.compactMap { $0 }.filter { seen.insert($0).inserted }
  }

  /// Looks at an object's keys: one that is near to a known one is refused, another one passed over.
  static func check(_ object: JSONValue, known: [String], at place: String, _ problems: inout ProblemList) {
    for (key, value) in object.members where !known.contains(key) && !key.hasSuffix("_bk") {
      if let meant = Spelling.nearest(to: key, among: known) {
        problems.report("the key is unknown; is «\(meant)» meant?", at: "\(place).\(excerpt(key))", value)
      } else {
        problems.warn("the key is unknown and has no effect", at: "\(place).\(excerpt(key))", value)
      }
    }
  }
}
