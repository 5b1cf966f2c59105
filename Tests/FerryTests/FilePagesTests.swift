import DriverThread
import Foundation
import Testing

/// The process's pages of files, in KiB (`RssFile`).
private func filePages() throws -> Int {
  let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssFile:") })
  return try #require(Int(line.split(separator: " ")[1]))
}

/// Lies in the program's writable data.
nonisolated(unsafe) private var written = (1, 2, 3, 4)

@Suite("Pages of files", .timeLimit(.minutes(1)))
struct FilePagesTests {
  @Test("most of them are given back, what was written stays, and the process goes on")
  func givenBack() throws {
    unsafe written = (5, 6, 7, 8)
    let before = try filePages()
    // Other tests run meanwhile and take some again.
    let after =
      try (0..<20).map { _ in
        FilePages.giveBack()
        return try filePages()
      }.min() ?? before
    #expect(after < before * 3 / 4, "\(before) KiB before, \(after) KiB after")
    #expect(unsafe written == (5, 6, 7, 8))
    // Through code of several libraries, whose pages come again.
    #expect("\(Date(timeIntervalSince1970: 0).formatted(.iso8601))" == "1970-01-01T00:00:00Z")
  }
}
