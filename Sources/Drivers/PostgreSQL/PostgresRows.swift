internal import CPostgreSQL

/// The result of one statement. Values are read from libpq's own memory, when they are asked for.
public struct PostgresRows: Sendable {
  private let result: ResultBox
  /// Rows.
  public let count: Int
  /// Rows inserted, updated, deleted or selected.
  public let affected: Int

  init(_ result: ResultBox) {
    self.result = result
    count = result.rows
    affected = result.affected
  }

  /// The columns' names.
  public var columns: [String] { result.columnNames }

  /// The value as text, nil for NULL. Row and column count from 0 and must exist, as in an array.
  public subscript(row: Int, column: Int) -> String? {
    // SAFETY, here and below: the buffer is used only inside the closure.
    unsafe result.read(row, column) { bytes in unsafe String(decoding: bytes, as: UTF8.self) }
  }

  /// The value as a whole number; nil for NULL and for anything else.
  public func int(_ row: Int, _ column: Int) -> Int64? {
    unsafe result.read(row, column) { bytes in unsafe parseInteger(bytes) } ?? nil
  }

  /// The value as a truth value; nil for NULL and for anything but `t` and `f`.
  public func bool(_ row: Int, _ column: Int) -> Bool? {
    unsafe result.read(row, column) { bytes -> Bool? in
      guard bytes.count == 1 else { return nil }
      return switch unsafe bytes[0] {
      case UInt8(ascii: "t"): true
      case UInt8(ascii: "f"): false
      default: nil
      }
    } ?? nil
  }

  /// A `bytea`'s bytes, or another type's text as UTF-8; nil for NULL.
  public func bytes(_ row: Int, _ column: Int) -> [UInt8]? {
    let isBytea = result.isBytea(column)
    return unsafe result.read(row, column) { bytes in unsafe isBytea ? parseHex(bytes) : Array(bytes) } ?? nil
  }
}

/// Owns a PGresult.
///
/// `@unchecked Sendable` without a lock: the result is never changed after this object is made, and libpq documents
/// reading one from several threads as safe.
// SAFETY of @safe: the pointer is freed in deinit and read only within the bounds checked here.
@safe final class ResultBox: @unchecked Sendable {
  private let pointer: OpaquePointer
  let rows: Int
  private let columns: Int

  /// Takes the result over.
  init(_ pointer: OpaquePointer) {
    unsafe self.pointer = unsafe pointer
    rows = Int(unsafe PQntuples(pointer))
    columns = Int(unsafe PQnfields(pointer))
  }

  deinit { unsafe PQclear(pointer) }

  var status: ExecStatusType { unsafe PQresultStatus(pointer) }

  var affected: Int {
    // SAFETY: libpq gives a string that lives as long as the result.
    unsafe PQcmdTuples(pointer).flatMap { unsafe Int(String(cString: $0)) } ?? 0
  }

  var columnNames: [String] {
    // SAFETY: as in affected; the column is in range.
    (0..<columns).map { column in unsafe PQfname(pointer, Int32(column)).map { unsafe String(cString: $0) } ?? "" }
  }

  func isBytea(_ column: Int) -> Bool {
    // 17 is bytea's OID, fixed in every PostgreSQL. An out-of-range column has the type 0.
    unsafe PQftype(pointer, Int32(column)) == 17
  }

  /// Gives a value's bytes to a closure; nil for NULL.
  func read<Value>(_ row: Int, _ column: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Value) -> Value? {
    // The caller's own slip, as with an array.
    precondition(0..<rows ~= row && 0..<columns ~= column, "no row \(row), column \(column) in the result")
    let (row, column) = (Int32(row), Int32(column))
    // SAFETY: row and column are in range; the value has PQgetlength bytes and lives as long as the result.
    guard unsafe PQgetisnull(pointer, row, column) == 0, let value = unsafe PQgetvalue(pointer, row, column) else {
      return nil
    }
    let raw = unsafe UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(pointer, row, column)))
    return unsafe raw.withMemoryRebound(to: UInt8.self) { unsafe body($0) }
  }

  /// A field of an error, such as PG_DIAG_SQLSTATE.
  func errorField(_ field: Int32) -> String? {
    // SAFETY: libpq gives a string that lives as long as the result, or null.
    unsafe PQresultErrorField(pointer, field).map { unsafe String(cString: $0) }
  }
}

/// Reads a decimal whole number; nil when it is none or out of range.
private func parseInteger(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
  // SAFETY: every index is below count.
  let isNegative = unsafe text.first == UInt8(ascii: "-")
  let start = isNegative ? 1 : 0
  guard text.count > start else { return nil }
  var value: Int64 = 0
  for index in start..<text.count {
    let byte = unsafe text[index]
    guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { return nil }
    let digit = Int64(byte &- UInt8(ascii: "0"))
    let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
    let (next, more) = shifted.addingReportingOverflow(isNegative ? -digit : digit)
    guard !overflow, !more else { return nil }
    value = next
  }
  return value
}

/// Reads `\x0a1b...`; nil when it is not of that form.
private func parseHex(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
  // SAFETY: every index is below count, which is even.
  guard text.count >= 2, text.count % 2 == 0, unsafe text[0] == UInt8(ascii: "\\"), unsafe text[1] == UInt8(ascii: "x")
  else { return nil }
  var bytes: [UInt8] = []
  bytes.reserveCapacity(text.count / 2 - 1)
  for index in stride(from: 2, to: text.count, by: 2) {
    guard let high = unsafe nibble(text[index]), let low = unsafe nibble(text[index + 1]) else { return nil }
    bytes.append(high << 4 | low)
  }
  return bytes
}

private func nibble(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  default: nil
  }
}
