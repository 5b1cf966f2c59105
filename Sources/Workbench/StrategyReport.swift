import JSON
import Mapping
import Orders

/// What is wrong or odd in metadata files.
public struct StrategyReport: Sendable {
  /// One finding.
  public struct Finding: Sendable, Equatable {
    /// The file as the caller named it.
    public let file: String
    /// From 1; nil where the whole file is meant.
    public let line: Int?
    /// From 1.
    public let column: Int?
    /// The place in the document, such as `request.Page2.FAuxTaxPrice`.
    public let path: String
    /// Whether the file cannot be used because of it.
    public let isError: Bool
    /// One sentence.
    public let sentence: String
  }

  /// A target for K/3 that can be used.
  public struct Target: Sendable {
    /// Its file.
    public let file: String
    /// K/3's object that it writes.
    public let object: String
    /// The header field that holds its bills' external key.
    public let keyField: String
    let text: [UInt8]
  }

  /// All findings, file by file.
  public private(set) var findings: [Finding] = []
  /// The targets for K/3 that can be used: its template is compared with what they write.
  public private(set) var targets: [Target] = []

  /// The files and strategies' folders that were read.
  private var places: [String] = []
  private var strategies: [Strategy] = []

  /// The files and strategies' folders in which no error was found, as the caller named them.
  public var usable: [String] {
    let wrong = findings.filter(\.isError).map(\.file)
    return places.filter { place in !wrong.contains { $0 == place || $0.hasPrefix(place + "/") } }
  }

  /// Whether nothing keeps the files from being used.
  public var isUsable: Bool { !findings.contains(where: \.isError) }

  /// Reads files and folders. A folder with a `target.json` is a strategy, whose files are read together; of another
  /// folder every `*.json` and every such folder below is read.
  public init(paths: [String]) {
    for path in paths { read(path) }
  }

  private mutating func read(_ path: String) {
    guard Files.isFolder(path) else { return readFile(path) }
    if Files.exists("\(path)/target.json") { return readStrategy(path) }
    let names = Files.names(in: path) ?? []
    let before = strategies.count
    defer { checkTogether(Array(strategies[before...]), path) }
    var isEmpty = true
    for name in names where name.hasSuffix(".json") || Files.isFolder("\(path)/\(name)") {
      isEmpty = false
      read("\(path)/\(name)")
    }
    if isEmpty { add("holds no metadata file", to: path) }
  }

  /// Strategies of one folder stand side by side.
  private mutating func checkTogether(_ strategies: [Strategy], _ folder: String) {
    do throws(StrategySetProblem) { _ = try StrategySet(strategies) } catch { add(error.description, to: folder) }
  }

  private mutating func readFile(_ path: String) {
    do throws(UnusableFile) {
      let text = try Files.bytes(path)
      do throws(StrategyProblems) {
        let document = try StrategyDocument(file: path, text: text)
        let (ofBills, isFerrys, keyField) = billProblems(text, path)
        for problem in ofBills { add(problem, in: path, isError: isFerrys) }
        note(document.warnings, of: path)
        if document.kind == .target, ofBills.isEmpty || !isFerrys, let object = Strategy.object(ofTarget: text) {
          targets.append(Target(file: path, object: object, keyField: keyField ?? Bill.numberField, text: text))
        }
      } catch { note(error, of: path) }
    } catch { add(String(error.description.dropFirst(path.count + 1)), to: path) }
  }

  /// What keeps Ferry from using a target for K/3 that is checked without its folder, and whether it was written for Ferry: of
  /// one without `ferry`, which was written for the platform, it is odd at most.
  private func billProblems(
    _ text: [UInt8], _ path: String
  ) -> (problems: [StrategyProblem], isFerrys: Bool, keyField: String?) {
    guard WorkStrategy.isBill(text), let root = try? JSONDocument(text).root else { return ([], true, nil) }
    let isFerrys = (root["metadata"].flatMap { $0.kind == .object ? $0 : nil } ?? root)["ferry"] != nil
    do throws(StrategyProblems) {
      let strategy = try Strategy(name: "strategy", source: Array("{}".utf8), target: text)
      return ([], isFerrys, strategy.keyField)
    } catch {
      let problems = error.problems.filter { $0.file == "target.json" }
        .map { StrategyProblem(file: path, path: $0.path, $0.sentence, line: $0.line, column: $0.column) }
      return (problems, isFerrys, nil)
    }
  }

  private mutating func readStrategy(_ folder: String) {
    do throws(UnusableFile) {
      let target = try Files.bytes("\(folder)/target.json")
      let source = Files.exists("\(folder)/source.json") ? try Files.bytes("\(folder)/source.json") : Array("{}".utf8)
      let calendar = Files.exists("\(folder)/calendar.json") ? try Files.bytes("\(folder)/calendar.json") : nil
      let name = folder.split(separator: "/").last.map(String.init) ?? folder
      do throws(StrategyProblems) {
        let strategy = try Strategy(name: name, source: source, target: target, calendar: calendar)
        note(strategy.warnings, of: folder)
        strategies.append(strategy)
        targets.append(
          Target(
            file: "\(folder)/target.json", object: strategy.object, keyField: strategy.keyField, text: target))
      } catch { note(error, of: folder) }
    } catch { add(error.description, to: folder) }
  }

  /// - Parameter place: a file, or a strategy's folder.
  private mutating func note(_ warnings: [StrategyProblem], of place: String) {
    for warning in warnings { add(warning, in: place, isError: false) }
    places.append(place)
  }

  private mutating func note(_ problems: StrategyProblems, of place: String) {
    for problem in problems.problems { add(problem, in: place, isError: true) }
    for warning in problems.warnings { add(warning, in: place, isError: false) }
  }

  private mutating func add(_ problem: StrategyProblem, in place: String, isError: Bool) {
    let file = problem.file == place ? place : "\(place)/\(problem.file)"
    findings.append(
      Finding(
        file: file, line: problem.line, column: problem.column, path: problem.path, isError: isError,
        sentence: problem.sentence))
  }

  private mutating func add(_ sentence: String, to file: String) { add(sentence, to: file, isError: true) }

  /// Compares a target with K/3's template: a field that K/3 does not have would be dropped without a word,
  /// or refused with every bill.
  /// - Parameters:
  ///   - target: one of `targets`.
  ///   - template: names of fields by page; inner ones as `FCustID.FNumber`.
  public mutating func compare(_ target: Target, with template: [String: [String]]) {
    guard let root = try? JSONDocument(target.text).root else { return }
    let lines = LineStarts(target.text)
    var found: [Finding] = []
    func report(_ sentence: String, _ path: String, _ value: JSONValue) {
      let (line, column) = lines.place(of: value.rawBytes.startIndex)
      found.append(
        Finding(file: target.file, line: line, column: column, path: path, isError: true, sentence: sentence))
    }
    func check(_ descriptors: JSONValue?, _ inside: String, _ known: [String], _ path: String) {
      for descriptor in descriptors.map({ Array($0.elements) }) ?? [] {
        guard let name = descriptor["field"]?.string else { continue }
        let whole = inside + name
        let place = "\(path).\(name)"
        // K/3 reads its names in any case (vendor-apis.md A.2, A-1).
        if !known.contains(where: { $0.lowercased() == whole.lowercased() }) {
          let near = Spelling.nearest(to: whole, among: known).map { "; is «\($0)» meant?" } ?? ""
          report("K/3's template has no «\(whole)»\(near)", place, descriptor["field"] ?? descriptor)
        } else if descriptor["type"]?.string?.lowercased() == "object" {
          check(descriptor["children"], whole + ".", known, place)
        }
      }
    }
    for page in (root["metadata"] ?? root)["request"].map({ Array($0.elements) }) ?? [] {
      guard let name = page["field"]?.string else { continue }
      if let known = template.first(where: { $0.key.lowercased() == name.lowercased() })?.value {
        check(page["children"], "", known, "request.\(name)")
      } else {
        report("K/3's template has no page «\(name)»", "request.\(name)", page["field"] ?? page)
      }
    }
    findings += found
  }
}

extension StrategyReport {
  /// Notes something about a file as a whole.
  public mutating func add(_ sentence: String, to file: String, isError: Bool) {
    findings.append(Finding(file: file, line: nil, column: nil, path: "", isError: isError, sentence: sentence))
  }

  /// One line per finding, and one per usable file.
  public var text: String {
    var lines = findings.map { finding in
      let place = [finding.file, finding.line.map(String.init), finding.column.map(String.init)].compactMap { $0 }
        .joined(separator: ":")
      let path = finding.path.isEmpty ? "" : " \(finding.path):"
      return "\(place): \(finding.isError ? "error" : "warning"):\(path) \(finding.sentence)"
    }
    lines += usable.map { "\($0): usable" }
    return lines.joined(separator: "\n")
  }

  /// `{"usable":…,"files":[…],"findings":[{"file","line","column","severity","path","sentence"}]}`: whether all can be
  /// used, which can, and what was found.
  public var json: String {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("usable")
    writer.bool(isUsable)
    writer.key("files")
    writer.beginArray()
    for file in usable { writer.string(file) }
    writer.endArray()
    writer.key("findings")
    writer.beginArray()
    for finding in findings {
      writer.beginObject()
      writer.key("file")
      writer.string(finding.file)
      for (key, value) in [("line", finding.line), ("column", finding.column)] {
        guard let value else { continue }
        writer.key(key)
        writer.integer(Int64(value))
      }
      for (key, value) in [
        ("severity", finding.isError ? "error" : "warning"), ("path", finding.path), ("sentence", finding.sentence),
      ] {
        writer.key(key)
        writer.string(value)
      }
      writer.endObject()
    }
    writer.endArray()
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
