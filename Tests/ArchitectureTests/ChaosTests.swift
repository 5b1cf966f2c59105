import Foundation
import Testing

@Suite("Chaos stays where it was asked for")
struct ChaosTests {
  let project = Project()

  /// What stands outside of every `#if FERRY_CHAOS`, or in its `#else`.
  private static func shipped(_ text: String) -> String {
    var kept: [Substring] = []
    // For each open `#if`, whether its lines are compiled into the shipped build.
    var open: [Bool] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let word = line.trimmingCharacters(in: .whitespaces)
      if word.hasPrefix("#if") {
        open.append(word != "#if FERRY_CHAOS")
      } else if word == "#else", let last = open.popLast() {
        open.append(!last)
      } else if word == "#endif" {
        _ = open.popLast()
      } else if open.allSatisfy({ $0 }) {
        kept.append(line)
      }
    }
    return kept.joined(separator: "\n")
  }

  @Test("outside of FERRY_CHAOS no code kills a process, and one file alone knows of it")
  func shippedBuild() throws {
    var files: Set<String> = []
    for path in try project.files(below: "Sources") where path.hasSuffix(".swift") {
      let text = try project.text(of: path)
      if text.contains("FERRY_CHAOS") { files.insert(path) }
      let kills = SourceFile(path: path, text: Self.shipped(text)).words.contains("SIGKILL")
      #expect(!kills, "\(path)")
    }
    #expect(files == ["Sources/Pipeline/FaultPoint.swift"])
  }

  @Test("what is compiled only for chaos is told from what is shipped")
  func planted() {
    let text = """
      a
      #if FERRY_CHAOS
        b
        #if canImport(Glibc)
          c
        #endif
      #else
        d
      #endif
      #if canImport(Glibc)
        e
      #endif
      """
    #expect(Self.shipped(text).filter { !$0.isWhitespace } == "ade")
  }
}
