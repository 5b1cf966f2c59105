import Testing

@Suite("What ends the program on purpose")
struct CrashTests {
  private static let crashes: Set = [
    "fatalError", "precondition", "preconditionFailure", "assert", "assertionFailure",
  ]

  /// Whether a line holds `!` behind a value, a type's or `try`, and not as a part of `!=`.
  private static func unwraps(_ line: Substring) -> Bool {
    let bytes = Array(line.utf8)
    return bytes.indices.dropFirst().contains { place in
      guard bytes[place] == UInt8(ascii: "!"), place + 1 == bytes.count || bytes[place + 1] != UInt8(ascii: "=") else {
        return false
      }
      let before = Character(Unicode.Scalar(bytes[place - 1]))
      return before.isASCII && (before.isLetter || before.isNumber || "_)]".contains(before))
    }
  }

  /// Lines that end the program where they do not hold, without a comment on the line or in the one above it.
  private static func unexplained(_ text: String) -> [Int] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    return lines.indices.filter { place in
      let words = SourceFile(path: "", text: String(lines[place])).words
      // Only a comment has no words, and one behind code is a reason.
      if words.isEmpty { return false }
      let calls = zip(words, words.dropFirst()).contains { crashes.contains($0) && $1 == "(" }
      guard calls || unwraps(lines[place]) else { return false }
      let above = place > 0 ? lines[place - 1].drop(while: \.isWhitespace) : ""
      return !hasComment(lines[place]) && !above.hasPrefix("// ")
    }.map { $0 + 1 }
  }

  private static func hasComment(_ line: Substring) -> Bool {
    zip(line.utf8, line.utf8.dropFirst()).contains { $0 == UInt8(ascii: "/") && $1 == UInt8(ascii: "/") }
  }

  @Test("each has its reason beside it")
  func explained() throws {
    let project = Project()
    let found = try project.files(below: "Sources").filter { $0.hasSuffix(".swift") }.flatMap { path in
      Self.unexplained(try project.text(of: path)).map { "\(path):\($0)" }
    }
    #expect(found == [])
  }

  @Test("planted ones are found, and what only looks like them is not")
  func planted() {
    for bare in [
      "fatalError(\"x\")", "let a = try! f()", "a[0]!.b()", "f()!", "x as! Y", "/// Reads.\nprecondition(a)",
    ] {
      #expect(Self.unexplained("{\n  \(bare)\n}").count == 1, "\(bare)")
    }
    for fine in [
      "  // A slip of the caller.\nprecondition(a)", "f(&a[0]!)  // Checked above.", "a != b", "if !a { }", "a!=b",
      "mypreconditions(a)",
    ] { #expect(Self.unexplained(fine) == [], "\(fine)") }
  }
}
