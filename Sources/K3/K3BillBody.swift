internal import JSON
internal import Orders

/// The body of a Save (vendor-apis.md A.5.2): `{"Data":{"Page1":[{header}],"Page2":[{line},…]}}`.
struct K3BillBody {
  private let document: JSONDocument
  private let bytes: [UInt8]
  /// The header.
  let header: JSONValue
  /// The lines.
  let lines: [JSONValue]

  /// Reads a body; nil when it is not one.
  init?(_ bytes: [UInt8]) {
    guard let document = try? JSONDocument(bytes), let header = Self.header(of: document.root) else { return nil }
    self.document = document
    self.bytes = bytes
    self.header = header
    lines = document.root.member("Data")?.member("Page2").map { Array($0.elements) } ?? []
  }

  /// The one header of a body; nil when it is not one.
  static func header(of root: JSONValue) -> JSONValue? {
    guard let page = root.member("Data")?.member("Page1"), page.kind == .array, page.count == 1,
      let header = page[0], header.kind == .object
    else { return nil }
    return header
  }

  /// The body of an Update of the bill with this number (A.5.3): named at the top and in the header. Nil when the result would
  /// be none.
  func updating(_ number: String) -> [UInt8]? {
    let save = with(number, in: Bill.numberField)
    guard let root = (try? JSONDocument(save))?.root, root.member(Bill.numberField) == nil else { return nil }
    var writer = JSONWriter(reserving: number.utf8.count + 16)
    writer.key(Bill.numberField)
    writer.string(number)
    let afterBrace = root.rawBytes.startIndex + 1
    return save[..<afterBrace] + writer.bytes + [UInt8(ascii: ",")] + save[afterBrace...]
  }

  /// The body with this text in a field of its header, everything else byte for byte as it was.
  func with(_ text: String, in field: String) -> [UInt8] {
    var writer = JSONWriter(reserving: text.utf8.count + 32)
    if let old = header.member(field) {
      writer.string(text)
      let place = old.rawBytes.indices
      return bytes[..<place.lowerBound] + writer.bytes + bytes[place.upperBound...]
    }
    let afterBrace = header.rawBytes.startIndex + 1
    writer.key(field)
    writer.string(text)
    let comma = header.count > 0 ? "," : ""
    return bytes[..<afterBrace] + writer.bytes + Array(comma.utf8) + bytes[afterBrace...]
  }
}
