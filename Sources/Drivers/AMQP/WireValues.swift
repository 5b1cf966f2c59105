import CRabbitMQ

#if canImport(Glibc)
  import Glibc
#endif

/// Swift values to the library's C forms and back.
extension Wire {
  /// Deepest nesting of tables and arrays.
  static let maxDepth = 16

  // MARK: To C; the results live in the pool until it is recycled

  func bytes(_ text: String) -> amqp_bytes_t {
    var text = text
    // SAFETY: the bytes are copied into the pool within the closure.
    return text.withUTF8 { unsafe copy(UnsafeRawBufferPointer($0)) }
  }

  func table(_ headers: [AMQPHeader]) -> amqp_table_t {
    if headers.isEmpty { return unsafe amqp_table_t(num_entries: 0, entries: nil) }
    // SAFETY: the pool gives 8-byte aligned memory of the size asked for; every entry is initialised before use.
    let entries = unsafe room(headers.count, of: amqp_table_entry_t.self)
    for (index, header) in headers.enumerated() {
      unsafe (entries + index).initialize(
        to: amqp_table_entry_t(key: bytes(header.name), value: fieldValue(header.value)))
    }
    return unsafe amqp_table_t(num_entries: Int32(headers.count), entries: entries)
  }

  private func fieldValue(_ value: AMQPValue) -> amqp_field_value_t {
    // SAFETY: the union member written is the one that `kind` names.
    var field = unsafe amqp_field_value_t()
    func kind(_ kind: amqp_field_value_kind_t) { unsafe field.kind = UInt8(kind.rawValue) }
    switch value {
    case .string(let text):
      kind(AMQP_FIELD_KIND_UTF8)
      unsafe field.value.bytes = unsafe bytes(text)
    case .int(let number):
      kind(AMQP_FIELD_KIND_I64)
      unsafe field.value.i64 = number
    case .bool(let flag):
      kind(AMQP_FIELD_KIND_BOOLEAN)
      unsafe field.value.boolean = flag ? 1 : 0
    case .double(let number):
      kind(AMQP_FIELD_KIND_F64)
      unsafe field.value.f64 = number
    case .timestamp(let seconds):
      kind(AMQP_FIELD_KIND_TIMESTAMP)
      unsafe field.value.u64 = seconds
    case .bytes(let raw):
      kind(AMQP_FIELD_KIND_BYTES)
      unsafe field.value.bytes = unsafe raw.withUnsafeBytes { unsafe copy($0) }
    case .table(let headers):
      kind(AMQP_FIELD_KIND_TABLE)
      unsafe field.value.table = unsafe table(headers)
    case .array(let values):
      kind(AMQP_FIELD_KIND_ARRAY)
      unsafe field.value.array = unsafe array(values)
    case .null:
      kind(AMQP_FIELD_KIND_VOID)
    }
    return unsafe field
  }

  private func array(_ values: [AMQPValue]) -> amqp_array_t {
    if values.isEmpty { return unsafe amqp_array_t(num_entries: 0, entries: nil) }
    // SAFETY: as in table(_:).
    let entries = unsafe room(values.count, of: amqp_field_value_t.self)
    for (index, value) in values.enumerated() { unsafe (entries + index).initialize(to: fieldValue(value)) }
    return unsafe amqp_array_t(num_entries: Int32(values.count), entries: entries)
  }

  private func copy(_ source: UnsafeRawBufferPointer) -> amqp_bytes_t {
    guard source.count > 0, let start = source.baseAddress else { return unsafe amqp_bytes_t(len: 0, bytes: nil) }
    // SAFETY: the target was just allocated with the source's size.
    let target = unsafe room(source.count, of: UInt8.self)
    unsafe memcpy(target, start, source.count)
    return unsafe amqp_bytes_t(len: source.count, bytes: target)
  }

  private func room<T>(_ count: Int, of type: T.Type) -> UnsafeMutablePointer<T> {
    // SAFETY: the pool is alive; its memory is fresh, untyped and 8-byte aligned, enough for every type used here.
    guard let raw = unsafe amqp_pool_alloc(pool, count * MemoryLayout<T>.stride) else {
      // Out of memory: Swift's own allocations would trap here too.
      preconditionFailure("out of memory")
    }
    return unsafe raw.bindMemory(to: T.self, capacity: count)
  }

  // MARK: From C; everything is copied

  static func string(_ bytes: amqp_bytes_t) -> String {
    // SAFETY: the library's bytes are valid until its buffers are released, which happens after the frame is read.
    unsafe String(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len), as: UTF8.self)
  }

  /// The same, or `last` where that has these very bytes.
  static func string(_ bytes: amqp_bytes_t, like last: String) -> String {
    unsafe isText(last, bytes) ? last : string(bytes)
  }

  /// Whether a text has exactly these bytes.
  private static func isText(_ text: String, _ bytes: amqp_bytes_t) -> Bool {
    // SAFETY: as in string(_:); both are compared within the closure and nothing of them is kept.
    unsafe text.utf8.withContiguousStorageIfAvailable { text in
      guard unsafe text.count == bytes.len else { return false }
      guard let start = text.baseAddress, text.count > 0 else { return true }
      return unsafe memcmp(start, bytes.bytes, text.count) == 0
    } == true
  }

  private static func string(_ bytes: amqp_bytes_t, like last: String?) -> String {
    // SAFETY: as in string(_:).
    guard let last else { return unsafe string(bytes) }
    return unsafe string(bytes, like: last)
  }

  static func array(_ bytes: amqp_bytes_t) -> [UInt8] {
    // SAFETY: as in string(_:).
    unsafe Array(UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len))
  }

  /// - Parameter last: those of the message before, whose names are taken over where they are the same at the same place.
  static func headers(_ table: amqp_table_t, depth: Int = 1, like last: [AMQPHeader] = []) -> [AMQPHeader] {
    let count = unsafe Int(table.num_entries)
    var headers: [AMQPHeader] = []
    headers.reserveCapacity(count)
    for index in 0..<count {
      // SAFETY: the library gives num_entries initialised entries.
      let entry = unsafe table.entries[index]
      let name = unsafe index < last.count ? string(entry.key, like: last[index].name) : string(entry.key)
      headers.append(AMQPHeader(name, unsafe value(entry.value, depth: depth)))
    }
    return headers
  }

  private static func value(_ field: amqp_field_value_t, depth: Int) -> AMQPValue {
    // SAFETY: `kind` names the union member that the library filled.
    let content = unsafe field.value
    switch amqp_field_value_kind_t(UInt32(unsafe field.kind)) {
    case AMQP_FIELD_KIND_BOOLEAN: return .bool(unsafe content.boolean != 0)
    case AMQP_FIELD_KIND_I8: return .int(Int64(unsafe content.i8))
    case AMQP_FIELD_KIND_U8: return .int(Int64(unsafe content.u8))
    case AMQP_FIELD_KIND_I16: return .int(Int64(unsafe content.i16))
    case AMQP_FIELD_KIND_U16: return .int(Int64(unsafe content.u16))
    case AMQP_FIELD_KIND_I32: return .int(Int64(unsafe content.i32))
    case AMQP_FIELD_KIND_U32: return .int(Int64(unsafe content.u32))
    case AMQP_FIELD_KIND_I64: return .int(unsafe content.i64)
    case AMQP_FIELD_KIND_U64:
      let number = unsafe content.u64
      return Int64(exactly: number).map { .int($0) } ?? .string(String(number))
    case AMQP_FIELD_KIND_F32: return .double(Double(unsafe content.f32))
    case AMQP_FIELD_KIND_F64: return .double(unsafe content.f64)
    case AMQP_FIELD_KIND_DECIMAL:
      return .string("\(unsafe content.decimal.value)e-\(unsafe content.decimal.decimals)")
    case AMQP_FIELD_KIND_TIMESTAMP: return .timestamp(unsafe content.u64)
    case AMQP_FIELD_KIND_UTF8:
      // What is not UTF-8 was mended, and has other bytes now. The validating initialiser took a seventh of this thread's time.
      let text = unsafe string(content.bytes)
      return unsafe isText(text, content.bytes) ? .string(text) : .bytes(array(content.bytes))
    case AMQP_FIELD_KIND_BYTES: return .bytes(unsafe array(content.bytes))
    case AMQP_FIELD_KIND_TABLE where depth < maxDepth: return .table(unsafe headers(content.table, depth: depth + 1))
    case AMQP_FIELD_KIND_ARRAY where depth < maxDepth:
      return .array(
        unsafe UnsafeBufferPointer(start: content.array.entries, count: Int(content.array.num_entries)).map {
          unsafe value($0, depth: depth + 1)
        })
    default: return .null
    }
  }

  /// - Parameter last: those of the message before, whose texts are taken over where they are the same.
  static func properties(_ raw: amqp_basic_properties_t, like last: AMQPProperties) -> AMQPProperties {
    // SAFETY: a field is read only when its flag says that it is there.
    let flags = unsafe Int32(bitPattern: raw._flags)
    func has(_ flag: Int32) -> Bool { flags & flag != 0 }
    return unsafe AMQPProperties(
      contentType: has(AMQP_BASIC_CONTENT_TYPE_FLAG) ? string(raw.content_type, like: last.contentType) : nil,
      messageID: has(AMQP_BASIC_MESSAGE_ID_FLAG) ? string(raw.message_id) : nil,
      correlationID: has(AMQP_BASIC_CORRELATION_ID_FLAG) ? string(raw.correlation_id) : nil,
      type: has(AMQP_BASIC_TYPE_FLAG) ? string(raw.type, like: last.type) : nil,
      appID: has(AMQP_BASIC_APP_ID_FLAG) ? string(raw.app_id, like: last.appID) : nil,
      timestamp: has(AMQP_BASIC_TIMESTAMP_FLAG) ? raw.timestamp : nil,
      expiration: has(AMQP_BASIC_EXPIRATION_FLAG) ? string(raw.expiration) : nil,
      priority: has(AMQP_BASIC_PRIORITY_FLAG) ? raw.priority : nil,
      persistent: has(AMQP_BASIC_DELIVERY_MODE_FLAG) && raw.delivery_mode == 2,
      headers: has(AMQP_BASIC_HEADERS_FLAG) ? headers(raw.headers, like: last.headers) : [])
  }
}
