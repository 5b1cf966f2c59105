import Foundation

/// A Swift file of the project, cut into words.
struct SourceFile: Sendable {
  /// Its path from the project's folder.
  let path: String
  let lineCount: Int
  /// Names and numbers, single signs, and each line's end; neither comments nor what stands in string literals.
  let words: [String]

  init(path: String, text: String) {
    self.path = path
    lineCount = text.utf8.count(where: { $0 == 0x0A })
    var cutter = WordCutter(Array(text.utf8))
    words = cutter.words()
  }

  /// The modules that it imports, by their top names, whatever stands before `import`.
  var imports: Set<String> {
    let modifiers: Set = ["public", "package", "internal", "private", "fileprivate", "open"]
    let kinds: Set = ["typealias", "struct", "class", "enum", "protocol", "let", "var", "func", "actor"]
    var found: Set<String> = []
    for statement in words.split(whereSeparator: { $0 == "\n" || $0 == ";" }) {
      var rest = statement[...]
      while rest.first == "@" {
        rest = rest.dropFirst(2)
        if rest.first == "(" { rest = rest.drop(while: { $0 != ")" }).dropFirst() }
      }
      if modifiers.contains(rest.first ?? "") { rest = rest.dropFirst() }
      guard rest.first == "import" else { continue }
      rest = rest.dropFirst()
      if kinds.contains(rest.first ?? "") { rest = rest.dropFirst() }
      if let module = rest.first { found.insert(module) }
    }
    return found
  }
}

/// Cuts Swift text into words, byte by byte: all of the project is read in each run.
private struct WordCutter {
  private let bytes: [UInt8]
  private var at = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func words() -> [String] {
    var words: [String] = []
    while at < bytes.count {
      let byte = bytes[at]
      if starts("//") {
        while at < bytes.count, bytes[at] != 0x0A { at += 1 }
      } else if starts("/*") {
        skipComment()
      } else if let (closing, escape) = opening() {
        skipString(closing: closing, escape: escape)
        words.append("\"\"")
      } else if Self.isWord(byte) {
        let start = at
        while at < bytes.count, Self.isWord(bytes[at]) { at += 1 }
        words.append(String(decoding: bytes[start..<at], as: UTF8.self))
      } else {
        if byte > 0x20 || byte == 0x0A { words.append(String(decoding: [byte], as: UTF8.self)) }
        at += 1
      }
    }
    return words
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...: true
    default: false
    }
  }

  private func starts(_ text: StaticString, at place: Int? = nil) -> Bool {
    starts(Array(text.description.utf8), at: place ?? at)
  }

  private func starts(_ text: [UInt8], at place: Int) -> Bool {
    guard place + text.count <= bytes.count else { return false }
    for offset in text.indices where bytes[place + offset] != text[offset] { return false }
    return true
  }

  /// At the beginning of a string literal: steps over its quotes and tells how it ends and how it escapes.
  private mutating func opening() -> (closing: [UInt8], escape: [UInt8])? {
    var hashes = 0
    while at + hashes < bytes.count, bytes[at + hashes] == UInt8(ascii: "#") { hashes += 1 }
    guard at + hashes < bytes.count, bytes[at + hashes] == UInt8(ascii: "\"") else { return nil }
    let quotes = starts("\"\"\"", at: at + hashes) ? 3 : 1
    at += hashes + quotes
    let tail = Array(repeating: UInt8(ascii: "#"), count: hashes)
    return (Array(repeating: UInt8(ascii: "\""), count: quotes) + tail, [UInt8(ascii: "\\")] + tail)
  }

  private mutating func skipString(closing: [UInt8], escape: [UInt8]) {
    while at < bytes.count {
      if starts(closing, at: at) {
        at += closing.count
        return
      }
      at += starts(escape, at: at) ? escape.count + 1 : 1
    }
  }

  private mutating func skipComment() {
    var depth = 0
    repeat {
      if starts("/*") {
        depth += 1
        at += 2
      } else if starts("*/") {
        depth -= 1
        at += 2
      } else {
        at += 1
      }
    } while depth > 0 && at < bytes.count
  }
}

/// The project's folder.
struct Project {
  let root: URL

  /// The folder that holds these tests' `Tests`.
  init() {
    root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  }

  /// All Swift files below a folder, sorted by path.
  func swiftFiles(below folder: String) throws -> [SourceFile] {
    try files(below: folder).filter { $0.hasSuffix(".swift") }.map { path in
      SourceFile(path: path, text: try String(contentsOf: root.appending(path: path), encoding: .utf8))
    }
  }

  /// A file's text.
  func text(of path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// The paths of all files below a folder, sorted.
  func files(below folder: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path(percentEncoded: false))
      .map { "\(folder)/\($0)" }.sorted()
  }

  /// The system library modules below `Sources/Drivers`.
  func cModules() throws -> Set<String> {
    let maps = try files(below: "Sources/Drivers").filter { $0.hasSuffix("/module.modulemap") }
    return Set(maps.map { String($0.split(separator: "/").dropLast().last ?? "") })
  }
}
