import FoundationEssentials
import JSON

/// A file that cannot be used.
public struct UnusableFile: Error, Sendable, Equatable, CustomStringConvertible {
  /// One sentence with the file's path.
  public let description: String

  /// A sentence about a file.
  public init(_ description: String) { self.description = description }
}

/// Reads files and folders.
enum Files {
  /// A file's bytes.
  /// - Throws: `UnusableFile`.
  static func bytes(_ path: String) throws(UnusableFile) -> [UInt8] {
    guard !isFolder(path), let data = FileManager.default.contents(atPath: path) else {
      throw UnusableFile("\(path) cannot be read")
    }
    let bytes = [UInt8](data)
    // Editors of Windows begin a file so; to JSON it is nothing.
    return bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
  }

  /// A JSON file.
  /// - Throws: `UnusableFile`, with line and column for what is not JSON.
  static func json(_ path: String) throws(UnusableFile) -> JSONDocument {
    let bytes = try bytes(path)
    do throws(JSONError) { return try JSONDocument(bytes) } catch {
      let before = bytes.prefix(error.offset)
      let line = before.count { $0 == 0x0A } + 1
      throw UnusableFile("\(path) is not JSON (line \(line)): \(error.kind.rawValue)")
    }
  }

  /// Names in a folder, sorted; nil when it is none.
  static func names(in folder: String) -> [String]? {
    try? FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  static func isFolder(_ path: String) -> Bool {
    var isFolder = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder
  }

  static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// Writes a file whole or not at all.
  static func write(_ bytes: [UInt8], to path: String) throws(UnusableFile) {
    do { try Data(bytes).write(to: URL(filePath: path), options: .atomic) } catch {
      throw UnusableFile("\(path) cannot be written")
    }
  }
}
