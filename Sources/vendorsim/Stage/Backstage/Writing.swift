import JSON

extension JSONWriter {
  mutating func member(_ key: String, _ value: String) {
    self.key(key)
    string(value)
  }

  mutating func member(_ key: String, _ value: Int) {
    self.key(key)
    integer(Int64(value))
  }

  mutating func member(_ key: String, _ value: Int64) {
    self.key(key)
    integer(value)
  }

  mutating func member(_ key: String, _ value: Bool) {
    self.key(key)
    bool(value)
  }

  mutating func member(_ key: String, number value: ExactDecimal) {
    self.key(key)
    number(value)
  }

  mutating func member(_ key: String, object build: (inout JSONWriter) -> Void) {
    self.key(key)
    beginObject()
    build(&self)
    endObject()
  }

  mutating func member(_ key: String, array build: (inout JSONWriter) -> Void) {
    self.key(key)
    beginArray()
    build(&self)
    endArray()
  }

  mutating func object(_ build: (inout JSONWriter) -> Void) {
    beginObject()
    build(&self)
    endObject()
  }

  /// `{"a":3,"b":1}`, keys sorted.
  mutating func member(_ key: String, counts: [String: Int]) {
    member(
      key,
      object: { writer in
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) { writer.member(name, count) }
      })
  }
}

/// The text of one JSON object.
func jsonObject(reserving capacity: Int = 256, _ build: (inout JSONWriter) -> Void) -> [UInt8] {
  var writer = JSONWriter(reserving: capacity)
  writer.object(build)
  return writer.bytes
}
