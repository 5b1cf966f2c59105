import Foundation
import Testing

@Suite("The habits of the house")
struct HabitTests {
  let project = Project()

  @Test("no Swift file has more than 400 lines", arguments: ["Sources", "Tests"])
  func length(folder: String) throws {
    let long = try project.swiftFiles(below: folder).filter { $0.lineCount > 400 }
    #expect(long.map(\.path) == [])
  }

  private static func binaryFloats(_ file: SourceFile) -> Bool {
    let floats: Set = [
      "Double", "Float", "Float16", "Float32", "Float64", "Float80", "CGFloat", "TimeInterval", "strtod", "atof",
    ]
    return file.words.contains(where: floats.contains)
  }

  @Test("no binary float is named where money and quantities pass, save in the files that say why")
  func exactness() throws {
    let files = try project.swiftFiles(below: "Sources").filter { file in
      House.room(of: file.path).map { House.exactRooms.contains($0.name) } ?? false
    }
    // Equal, so that an exception that is no longer needed is noticed too.
    #expect(Set(files.filter(Self.binaryFloats).map(\.path)) == Set(House.inexactFiles.keys))
    #expect(House.inexactFiles.values.allSatisfy { !$0.isEmpty })
  }

  /// A wait on the real clock: `sleep(…)` by itself, of a task, of a thread, or of a clock made on the spot. A clock in
  /// a variable is a test's own, which goes on when the test says so.
  private static func sleeps(_ file: SourceFile) -> Bool {
    let words = ["\n", "\n"] + file.words
    return words.indices.dropFirst(2).dropLast().contains { place in
      guard ["sleep", "usleep", "nanosleep"].contains(words[place]), words[place + 1] == "(" else { return false }
      return words[place - 1] == "." ? ["Task", "Thread", ")"].contains(words[place - 2]) : words[place - 1] != "func"
    }
  }

  @Test("no test sleeps: it waits on an event")
  func sleeping() throws {
    #expect(try project.swiftFiles(below: "Tests").filter(Self.sleeps).map(\.path) == [])
  }

  /// The suites of a file with a test that may wait, in their order: whether they have a limit, and the type that one without
  /// an attribute extends.
  private static func waitingSuites(_ file: SourceFile) -> [(isLimited: Bool, extends: String?)] {
    let words = file.words
    let marks = words.indices.dropLast().filter { words[$0] == "@" && words[$0 + 1] == "Suite" }
    let starts = [0] + marks
    return zip(starts, marks + [words.count]).compactMap { start, end in
      let suite = Array(words[start..<end])
      let tests = suite.indices.dropLast().filter { suite[$0] == "@" && suite[$0 + 1] == "Test" }
      let waits = tests.contains { test in
        guard let function = suite[test...].firstIndex(of: "func") else { return false }
        return suite[function...].prefix { $0 != "{" }.contains("async")
      }
      guard waits else { return nil }
      let place = words.firstIndex(of: "extension").map { words.index(after: $0) }
      return (suite.contains("timeLimit"), place.map { words[$0] })
    }
  }

  private static func unlimited(_ files: [SourceFile]) -> [String] {
    var limited: Set<String> = []
    for file in files where file.words.contains("timeLimit") {
      for (kind, name) in zip(file.words, file.words.dropFirst()) where ["struct", "enum"].contains(kind) {
        limited.insert(name)
      }
    }
    return files.filter { file in
      waitingSuites(file).contains { !$0.isLimited && !limited.contains($0.extends ?? "") }
    }.map(\.path)
  }

  @Test("a suite with tests that may wait has a time limit: what never comes must not hold up the run")
  func limits() throws {
    #expect(Self.unlimited(try project.swiftFiles(below: "Tests")) == [])
  }

  @Test("planted suites without a limit are found, also beside one that has one")
  func plantedLimits() {
    let waiting = "struct A {\n @Test(\"x\") func a() async throws { }\n}\n"
    func found(_ texts: String...) -> Int { Self.unlimited(texts.map { SourceFile(path: "planted", text: $0) }).count }
    #expect(found("@Suite(\"s\") " + waiting) == 1)
    #expect(found(waiting) == 1)
    #expect(found("@Suite(\"s\", .timeLimit(.minutes(1))) " + waiting) == 0)
    #expect(found("@Suite(\"s\", .timeLimit(.minutes(1))) " + waiting + "@Suite(\"t\") " + waiting) == 1)
    #expect(found("@Suite(\"s\") struct A { @Test func a() throws { f { () async in } } }") == 0)
    let whole = "@Suite(\"s\", .timeLimit(.minutes(1))) struct S {}"
    #expect(found("extension S { @Test func a() async { } }", whole) == 0)
    #expect(found("extension S { @Test func a() async { } }", "@Suite struct S {}") == 1)
  }

  private static func impurities(_ file: SourceFile) -> Bool {
    let words: Set = [
      "print", "debugPrint", "ContinuousClock", "SuspendingClock", "Task", "async", "await", "ProcessInfo",
      "CommandLine",
    ]
    return file.words.contains(where: words.contains)
  }

  @Test("JSON, Orders, Expressions and Mapping know no clock, no task, no output")
  func purity() throws {
    let files = try project.swiftFiles(below: "Sources").filter { file in
      ["JSON", "Orders", "Expressions", "Mapping"].contains(House.room(of: file.path)?.name)
    }
    #expect(files.filter(Self.impurities).map(\.path) == [])
  }

  @Test("the visible top level holds what it may hold, and nothing else")
  func topLevel() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: project.root.path(percentEncoded: false))
    // SwiftPM writes Package.resolved; git ignores it.
    let visible = Set(names.filter { !$0.hasPrefix(".") }).subtracting(["Package.resolved"])
    #expect(visible.subtracting(House.topLevel) == [])
  }

  @Test("the products are the two programs, and nothing that measures or tests")
  func products() throws {
    let manifest = try String(contentsOf: project.root.appending(path: "Package.swift"), encoding: .utf8)
    let products = manifest.matches(of: #/\.(executable|library|plugin)\(\s*name:\s*"([^"]+)"/#).map {
      String($0.output.2)
    }
    #expect(products == ["ferry", "vendorsim"])
  }

  @Test("the contract suites that Tests/README.md names are declared under these names")
  func contracts() throws {
    let readme = try String(contentsOf: project.root.appending(path: "Tests/README.md"), encoding: .utf8)
    let sections = readme.split(separator: "\n## ")
    let table = try #require(sections.first { $0.hasPrefix("Contract suites") })
    // The second column.
    let names = table.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { row in
      row.split(separator: "|")[1].matches(of: #/`([^`]+)`/#).map { String($0.output.1) }
    }
    let files = try project.swiftFiles(below: "Tests/PipelineTesting")
    let declared = files.flatMap { file in
      zip(file.words, file.words.dropFirst()).filter { ["let", "struct"].contains($0.0) }.map(\.1)
    }
    #expect(names.count >= 7)
    #expect(names.filter { !declared.contains($0) } == [])
  }

  @Test("planted floats, sleeps and clocks are found, and words like them are not")
  func planted() {
    func file(_ text: String) -> SourceFile { SourceFile(path: "planted", text: text) }
    for text in ["let a: Double = 1", "x as Float", "[Double]()", "f(Float64(1))"] {
      #expect(Self.binaryFloats(file(text)))
    }
    for text in ["// Double", "let doubled = DoubleCheck()", "\"Float\"", "/// never a Double"] {
      #expect(!Self.binaryFloats(file(text)))
    }
    for text in [
      "try await Task.sleep(for: .seconds(1))", "usleep(5)", "sleep (1)", "ContinuousClock().sleep(until: x)",
      "nanosleep(&a, nil)",
    ] {
      #expect(Self.sleeps(file(text)))
    }
    for text in [
      "func sleep(until: Int)", "clock.sleep(until: x)", "\"select pg_sleep(60)\"", "let sleeps = 3", "// sleep(1)",
      "sleep: { _ in }",
    ] {
      #expect(!Self.sleeps(file(text)))
    }
    for text in ["let now = ContinuousClock.now", "print(1)", "func f() async"] { #expect(Self.impurities(file(text))) }
    for text in ["printed()", "// print", "asyncs"] { #expect(!Self.impurities(file(text))) }
  }
}
