import JSON

/// What a document holds in another shape than its keys are written in, and keys that stand twice in one object: each of
/// them would be passed over without a word.
enum DocumentShape {
  /// Looks at a whole document.
  static func check(_ root: JSONValue, _ problems: inout ProblemList) {
    repeated(in: root, at: "", &problems)
    for key in ["id", "number", "effect", "type", "method"] {
      guard let value = root[key], !value.isNull, value.string == nil else { continue }
      problems.report("must be a text", at: key, value)
    }
    // PHP writes truth values in all of these forms.
    if let value = root["idCheck"], !value.isNull, value.bool == nil,
      !["true", "false", "0", "1"].contains(value.text?.lowercased())
    {
      problems.report("must be true or false", at: "idCheck", value)
    }
    if let value = root["response"], !value.isNull, value.kind != .array {
      // PHP writes what is empty as a list or as an object.
      if value.kind == .object, value.count == 0 {
        problems.warn(
          "is an empty object where a list of field descriptors stands, and declares nothing", at: "response", value)
      } else {
        problems.report("must be a list of field descriptors", at: "response", value)
      }
    }
    for key in ["groupCalculate", "operation"] {
      guard let value = root[key], value.kind == .array || value.kind == .object, value.count == 0 else { continue }
      problems.warn("is empty and does nothing", at: key, value)
    }
  }

  /// Keys that stand twice, at any depth. Their place is named as that of a descriptor is: by its field.
  static func repeated(in value: JSONValue, at path: String, _ problems: inout ProblemList) {
    switch value.kind {
    case .object:
      var seen: Set<String> = []
      for (key, member) in value.members {
        let place = key == "children" ? path : path.isEmpty ? excerpt(key) : "\(path).\(excerpt(key))"
        if !seen.insert(key).inserted {
          problems.warn(
            "the key «\(excerpt(key))» stands here twice; the last one counts", at: path.isEmpty ? place : path, member)
        }
        repeated(in: member, at: place, &problems)
      }
    case .array:
      for (position, element) in value.elements.enumerated() {
        let name = element.kind == .object ? element["field"]?.string.map { ".\(excerpt($0))" } : nil
        repeated(in: element, at: path + (name ?? "[\(position)]"), &problems)
      }
    default: break
    }
  }
}
