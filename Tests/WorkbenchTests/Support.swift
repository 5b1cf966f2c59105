import Foundation
import JSON

/// The repository's folder.
let checkout = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().path

/// Calls `body` with a folder that holds these files and is gone afterwards.
func withFolder(_ files: [String: String], _ body: (String) throws -> Void) throws {
  let folder = FileManager.default.temporaryDirectory.appending(path: "workbench-\(UUID().uuidString)").path
  defer { try? FileManager.default.removeItem(atPath: folder) }
  for (name, text) in files {
    let file = URL(filePath: "\(folder)/\(name)")
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
  }
  try body(folder)
}

func parsed(_ text: String) throws -> JSONValue { try JSONDocument(Array(text.utf8)).root }

/// A strategy's files with one header row of these fields besides the number.
func strategyFiles(_ fields: String, in folder: String = "s") -> [String: String] {
  let number = #"{"field":"FBillNo","value":"{order_no}"}"#
  let page = #"{"field":"Page1","type":"array","children":[\#(number),\#(fields)]}"#
  return [
    "\(folder)/source.json": #"{"api":"/v1/invoices/order/list"}"#,
    "\(folder)/target.json": #"{"api":"/SO/Save","ferry":{"key":"Page1.FBillNo"},"request":[\#(page)]}"#,
  ]
}
