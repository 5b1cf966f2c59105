import Glibc
import JSON
public import Orders

/// Reads the records of a collection from a file, piece by piece: a JSON array of objects, or objects one after the
/// other (JSON lines).
public final class RecordFile {
  /// Longest record in bytes.
  public static let maxRecordBytes = 4 << 20
  /// Longest id in bytes.
  public static let maxIDBytes = 500
  private static let batchBytes = 4 << 20
  private static let batchRecords = 2_000

  private enum Form {
    case unknown, array, lines, ended
  }

  private let path: String
  private let idField: String
  private var bytes: ByteSource
  private var form = Form.unknown
  /// Records read so far.
  public private(set) var count = 0

  /// A file, or a pipe.
  /// - Parameter idField: the field that a record is known by; dots lead into objects.
  /// - Throws: `UnusableFile` when it cannot be opened.
  public init(_ path: String, idField: String) throws(UnusableFile) {
    self.path = path
    self.idField = idField
    bytes = try ByteSource(path)
  }

  deinit { bytes.close() }

  /// The next records; none at the end.
  /// - Throws: `UnusableFile` with the number and line of the record that cannot be used.
  public func batch() throws(UnusableFile) -> [CollectionRecord] {
    var records: [CollectionRecord] = []
    var size = 0
    while records.count < Self.batchRecords, size < Self.batchBytes, let record = try next() {
      records.append(record)
      size += record.content.count
    }
    return records
  }

  private func next() throws(UnusableFile) -> CollectionRecord? {
    guard try begins() else { return nil }
    count += 1
    let line = bytes.line
    let content = try object()
    let document: JSONDocument
    do throws(JSONError) { document = try JSONDocument(content) } catch {
      let inside = content.prefix(error.offset).count { $0 == 0x0A }
      throw unusable("is not JSON: \(error.kind.rawValue)", line + inside)
    }
    guard let id = RecordFields.text(idField, of: document.root), !id.isEmpty else {
      throw unusable("has no text or number in its field «\(idField)», which is its id", line)
    }
    guard id.utf8.count <= Self.maxIDBytes else {
      throw unusable("has an id of more than \(Self.maxIDBytes) bytes", line)
    }
    return CollectionRecord(id: id, content: content)
  }

  private func unusable(_ sentence: String, _ line: Int) -> UnusableFile {
    UnusableFile("\(path):\(line): record \(count) \(sentence)")
  }

  private func wrong(_ sentence: String) -> UnusableFile { UnusableFile("\(path):\(bytes.line): \(sentence)") }

  /// Goes to the next record's first byte; false at the end.
  private func begins() throws(UnusableFile) -> Bool {
    if form == .ended { return false }
    if form == .unknown, try bytes.peek() == 0xEF {
      // A byte order mark, as some programs write.
      for byte: UInt8 in [0xEF, 0xBB, 0xBF] where try bytes.take() != byte { throw wrong("is not UTF-8") }
    }
    var byte = try bytes.afterSpace()
    if form == .unknown {
      form = byte == UInt8(ascii: "[") ? .array : .lines
      if form == .array {
        _ = try bytes.take()
        byte = try bytes.afterSpace()
        if byte == UInt8(ascii: "]") { return try end() }
      }
    } else if form == .array {
      if byte == UInt8(ascii: "]") { return try end() }
      guard byte == nil || byte == UInt8(ascii: ",") else { throw wrong("after record \(count) a , or ] is missing") }
      _ = try bytes.take()
      byte = try bytes.afterSpace()
    }
    if byte == nil {
      if form == .array { throw wrong("the list has no end after record \(count)") }
      form = .ended
      return false
    }
    return true
  }

  private func end() throws(UnusableFile) -> Bool {
    _ = try bytes.take()
    guard try bytes.afterSpace() == nil else { throw wrong("something follows the list") }
    form = .ended
    return false
  }

  /// The bytes of the object that begins here. Only its end is looked for; whether it is JSON is seen afterwards.
  private func object() throws(UnusableFile) -> [UInt8] {
    let line = bytes.line
    guard try bytes.peek() == UInt8(ascii: "{") else { throw unusable("is not an object", line) }
    var content: [UInt8] = []
    var depth = 0
    var isQuoted = false
    var isEscaped = false
    while let byte = try bytes.take() {
      content.append(byte)
      if content.count > Self.maxRecordBytes { throw unusable("has more than \(Self.maxRecordBytes) bytes", line) }
      if isQuoted {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isQuoted = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isQuoted = true
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth -= 1
        if depth == 0 { return content }
      default: break
      }
    }
    throw unusable("has no end", line)
  }
}

/// The bytes of an open file, of which a piece at a time is in memory.
private struct ByteSource {
  private let path: String
  private let descriptor: Int32
  private var piece: [UInt8] = []
  private var place = 0
  private var hasEnded = false
  /// The line that the next byte stands in, from 1.
  private(set) var line = 1

  init(_ path: String) throws(UnusableFile) {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw UnusableFile("\(path) cannot be opened") }
  }

  func close() { _ = Glibc.close(descriptor) }

  mutating func peek() throws(UnusableFile) -> UInt8? {
    if place == piece.count, !hasEnded { try read() }
    return place < piece.count ? piece[place] : nil
  }

  mutating func take() throws(UnusableFile) -> UInt8? {
    guard let byte = try peek() else { return nil }
    place += 1
    if byte == 0x0A { line += 1 }
    return byte
  }

  /// The next byte that is no space, which stays the next one.
  mutating func afterSpace() throws(UnusableFile) -> UInt8? {
    while let byte = try peek() {
      guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
      _ = try take()
    }
    return nil
  }

  private mutating func read() throws(UnusableFile) {
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw UnusableFile("\(path) cannot be read") }
      hasEnded = count == 0
      piece = Array(buffer.prefix(count))
      place = 0
      return
    }
  }
}
