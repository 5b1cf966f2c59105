/// What properties and tables take on the wire, so that what does not fit is refused before a byte of it is sent.
enum FrameSize {
  struct Problem: Error {
    let text: String
  }

  /// Bytes of the whole header frame.
  static func header(_ properties: AMQPProperties) throws(Problem) -> Int {
    // The frame's own 8 bytes, class, weight, body size, flags, delivery mode.
    var size = 8 + 2 + 2 + 8 + 2 + 1
    try size += text(properties.contentType)
    try size += text(properties.messageID)
    try size += text(properties.correlationID)
    try size += text(properties.type)
    try size += text(properties.appID)
    try size += text(properties.expiration)
    if properties.timestamp != nil { size += 8 }
    if properties.priority != nil { size += 1 }
    if !properties.headers.isEmpty { size += try table(properties.headers) }
    return size
  }

  private static func text(_ text: String?) throws(Problem) -> Int {
    guard let count = text?.utf8.count else { return 0 }
    if count > 255 { throw Problem(text: "a property is longer than 255 bytes") }
    return 1 + count
  }

  /// Bytes of a table.
  static func table(_ headers: [AMQPHeader], depth: Int = 1) throws(Problem) -> Int {
    if depth > Wire.maxDepth { throw Problem(text: "headers nest deeper than \(Wire.maxDepth)") }
    var size = 4
    for header in headers {
      let count = header.name.utf8.count
      if count > 128 { throw Problem(text: "a header's name is longer than 128 bytes") }
      size += 1 + count + (try value(header.value, depth: depth))
    }
    return size
  }

  private static func value(_ value: AMQPValue, depth: Int) throws(Problem) -> Int {
    switch value {
    case .string(let text): return 5 + text.utf8.count
    case .bytes(let bytes): return 5 + bytes.count
    case .int, .double, .timestamp: return 9
    case .bool: return 2
    case .null: return 1
    case .table(let headers): return 1 + (try table(headers, depth: depth + 1))
    case .array(let values):
      if depth + 1 > Wire.maxDepth { throw Problem(text: "headers nest deeper than \(Wire.maxDepth)") }
      var size = 5
      for element in values { size += try self.value(element, depth: depth + 1) }
      return size
    }
  }
}
