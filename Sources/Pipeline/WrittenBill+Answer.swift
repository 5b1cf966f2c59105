import JSON

extension WrittenBill {
  /// The answer under the names that K/3 and strategies use for number and id (vendor-apis.md A.5.2).
  var answer: JSONDocument? {
    var writer = JSONWriter()
    writer.beginObject()
    for name in ["FBillNo", "BillNo", "Number", "number"] {
      writer.key(name)
      writer.string(number)
    }
    for name in ["FInterID", "BillInterID", "Id", "id"] {
      writer.key(name)
      if let internalID { writer.integer(internalID) } else { writer.null() }
    }
    writer.endObject()
    return try? JSONDocument(writer.bytes)
  }
}
