import Foundation
import Orders
import Testing
import Workbench

@Suite("Files of records")
struct RecordFileTests {
  private func read(_ bytes: [UInt8], id: String = "id") throws -> [String] {
    let path = FileManager.default.temporaryDirectory.appending(path: "records-\(UUID().uuidString).json").path
    try Data(bytes).write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    do throws(UnusableFile) {
      let file = try RecordFile(path, idField: id)
      var records: [String] = []
      while case let batch = try file.batch(), !batch.isEmpty {
        records += batch.map { "\($0.id) \(String(decoding: $0.content, as: UTF8.self))" }
      }
      #expect(file.count == records.count)
      let rest = try file.batch()
      #expect(rest.isEmpty)
      return records
    } catch {
      throw UnusableFile(error.description.replacing(path, with: "FILE"))
    }
  }

  @Test(
    "an array and lines of objects are read, byte for byte",
    arguments: [
      (#"[{"id":1},{"id":"2"}]"#, [#"1 {"id":1}"#, #"2 {"id":"2"}"#]),
      ("\u{FEFF} [\n{ \"id\":1 } ,\r\n\t{\"id\":2}\n]\n", [#"1 { "id":1 }"#, #"2 {"id":2}"#]),
      ("{\"id\":1}\n{\"id\":2}", [#"1 {"id":1}"#, #"2 {"id":2}"#]),
      ("\n\n{\"id\":1}\r\n\r\n{\"id\":\n2}{\"id\":3}\n", [#"1 {"id":1}"#, "2 {\"id\":\n2}", #"3 {"id":3}"#]),
      (#"[{"id":"}]\"{","a":[{"b":"\\"}],"c":"["}]"#, [#"}]"{ {"id":"}]\"{","a":[{"b":"\\"}],"c":"["}"#]),
      ("[]", []), (" [ ] ", []), ("", []), ("\n", []),
    ])
  func reads(text: String, records: [String]) throws {
    #expect(try read(Array(text.utf8)) == records)
  }

  @Test("the id is the field that is named, also within an object")
  func id() throws {
    #expect(try read(Array(#"[{"F":{"no":"A 1"}}]"#.utf8), id: "F.no") == [#"A 1 {"F":{"no":"A 1"}}"#])
  }

  @Test(
    "what cannot be used is told with its line and number",
    arguments: [
      ("[{\"id\":1},\n{\"a\":2}]", "FILE:2: record 2 has no text or number in its field «id», which is its id"),
      ("{\"id\":1}\n{\"id\":null}", "FILE:2: record 2 has no text or number in its field «id», which is its id"),
      ("{\"id\":\"\"}", "FILE:1: record 1 has no text or number in its field «id», which is its id"),
      ("[{\"id\":1},\n\n2]", "FILE:3: record 2 is not an object"), ("\"x\"", "FILE:1: record 1 is not an object"),
      ("[{\"id\":1}", "FILE:1: the list has no end after record 1"),
      ("[", "FILE:1: the list has no end after record 0"),
      ("[{\"id\":1}\n{\"id\":2}]", "FILE:2: after record 1 a , or ] is missing"),
      ("[{\"id\":1},]", "FILE:1: record 2 is not an object"), ("[{\"id\":1}]\nx", "FILE:2: something follows the list"),
      ("{\"id\":1}\n{\"id\":2,", "FILE:2: record 2 has no end"), ("{\"id\":1}\n,", "FILE:2: record 2 is not an object"),
      ("{\"id\":\"\(String(repeating: "x", count: 501))\"}", "FILE:1: record 1 has an id of more than 500 bytes"),
    ])
  func refuses(text: String, sentence: String) throws {
    let error = try #require(throws: UnusableFile.self) { _ = try read(Array(text.utf8)) }
    #expect(error.description == sentence)
  }

  @Test("a record that is no JSON is told with the line of the mistake")
  func broken() throws {
    let text = "[{\"id\":1},\n{\"id\":2,\n\"a\":x}]"
    let error = try #require(throws: UnusableFile.self) { _ = try read(Array(text.utf8)) }
    #expect(error.description.hasPrefix("FILE:3: record 2 is not JSON: "))
    #expect(throws: UnusableFile.self) { _ = try read([0xEF, 0x20]) }
    #expect(throws: UnusableFile.self) { _ = try read(Array("{\"id\":\"".utf8) + [0xFF] + Array("\"}".utf8)) }
  }

  @Test("a record has its limit, and a file is read in parts")
  func large() throws {
    let filler = String(repeating: "x", count: 1 << 20)
    let records = (1...9).map { "{\"id\":\($0),\"f\":\"\(filler)\"}" }
    let path = FileManager.default.temporaryDirectory.appending(path: "records-\(UUID().uuidString).json").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(records.joined(separator: "\n").utf8).write(to: URL(filePath: path))
    let file = try RecordFile(path, idField: "id")
    var sizes: [Int] = []
    while case let batch = try file.batch(), !batch.isEmpty { sizes.append(batch.count) }
    #expect(sizes == [4, 4, 1])
    let many = (1...4_001).map { "{\"id\":\($0)}" }.joined(separator: "\n")
    try Data(many.utf8).write(to: URL(filePath: path))
    let lines = try RecordFile(path, idField: "id")
    let counts = try (1...4).map { _ in try lines.batch().count }
    #expect(counts == [2000, 2000, 1, 0])
    let huge = "{\"id\":1,\"f\":[" + Array(repeating: "\"\(filler)\"", count: 5).joined(separator: ",") + "]}"
    let error = try #require(throws: UnusableFile.self) { _ = try read(Array(huge.utf8)) }
    #expect(error.description == "FILE:1: record 1 has more than 4194304 bytes")
  }

  @Test("a file that is not there, or a folder, is told")
  func missing() throws {
    let error = try #require(throws: UnusableFile.self) { _ = try RecordFile("/nowhere/x.json", idField: "id") }
    #expect(error.description == "/nowhere/x.json cannot be opened")
    let folder = try #require(throws: UnusableFile.self) { _ = try RecordFile("/", idField: "id").batch() }
    #expect(folder.description == "/ cannot be read")
  }
}
