import ArgumentParser
import JSON
import Ledger
import Orders
import Pipeline
import Workbench

struct CollectionCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "collection", abstract: "Fills and shows the collections that lookups read.",
    discussion: "Needs FERRY_POSTGRES_URL alone. The poller fills customers; everything else comes by put.",
    subcommands: [CollectionPutCommand.self, CollectionListCommand.self, CollectionShowCommand.self])
}

struct CollectionPutCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "put",
    abstract: "Puts the records of a file into a collection: all of them or none.",
    discussion: """
      The file is a JSON array of objects, or an object per line; /dev/stdin reads a pipe, as slow as it may be. A record with a \
      known id replaces the former, unless that was stored after this command began. Exit 0 when all is stored; 66 when the file \
      cannot be used, 1 for anything else, and nothing is stored then. Only customers is stored a thousand records at a time, \
      since the poller stores there too: what failed half-way is said, and done by running the command again.
      """)

  @Argument(help: CollectionName.help) var name: String
  @Argument(help: "a JSON array of objects, or JSON lines") var file: String
  @Option(help: ArgumentHelp("the field that a record is known by; dots lead into objects", valueName: "field"))
  var id = "id"
  @Flag(help: "remove the records that are neither in the file nor stored since the command began") var replace = false

  func validate() throws { try CollectionName.check(name) }

  func run() async throws {
    try await withCollections { collections in
      let outcome: CollectionFill.Outcome
      do { outcome = try await put(collections) } catch let unusable as UnusableFile {
        Startup.complain("\(unusable). Nothing was stored.")
        throw Workshop.noInputExit
      } catch let refusal as CollectionRefusal {
        Startup.complain("\(file): \(refusal). Nothing was stored.")
        throw Workshop.noInputExit
      }
      let same = outcome.stored - outcome.changed
      print(
        "\(name): \(outcome.stored) records stored, \(outcome.changed) new or changed, \(same) as they were"
          + (replace ? ", \(outcome.removed) removed" : ""))
    }
  }

  private func put(_ collections: PostgresCollections) async throws -> CollectionFill.Outcome {
    let records = try RecordFile(file, idField: id)
    // Before the database is asked: a file without records is most likely a mistake of whoever wrote it.
    var batch = try records.batch()
    if batch.isEmpty { throw UnusableFile("\(file) holds no record") }
    let fill = try await collections.filling(name, name == Poller.customersCollection ? .inPortions : .atOnce)
    do {
      while !batch.isEmpty {
        try await fill.add(batch)
        batch = try records.batch()
      }
      return try await fill.finish(replaces: replace)
    } catch {
      await fill.abandon()
      if await fill.isPartlyDone { Startup.complain("Part of \(file) is stored in \(name). Run the command again.") }
      throw error
    }
  }
}

struct CollectionListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Prints the collections that hold a record, and how many each.")

  func run() async throws {
    try await withCollections { collections in
      let counts = try await collections.counts()
      if counts.isEmpty { Startup.complain("There is no collection yet.") }
      for collection in counts { print("\(collection.name)\t\(collection.records)") }
    }
  }
}

struct CollectionShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Prints the record that a lookup with these conditions finds.",
    discussion: "Exit 0 when there is one, 1 when not.")

  @Argument(help: CollectionName.help) var name: String
  @Option(
    name: .customLong("where"),
    help: ArgumentHelp("a field and its value; several must all hold", valueName: "field=value"))
  var conditions: [String]

  func validate() throws {
    try CollectionName.check(name)
    if conditions.isEmpty { throw ValidationError("--where FIELD=VALUE is missing") }
    _ = try key()
  }

  private func key() throws -> LookupKey {
    let conditions = try conditions.map { text in
      guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
        throw ValidationError("--where is written FIELD=VALUE")
      }
      return LookupKey.Condition(field: String(text[..<equals]), value: String(text[text.index(after: equals)...]))
    }
    return LookupKey(collection: name, conditions: conditions)
  }

  func run() async throws {
    let key = try key()
    try await withCollections { collections in
      switch try await collections.find([key]).first {
      case .found(let record): print(String(decoding: record.root.rawBytes, as: UTF8.self))
      case .unanswered(let why):
        Startup.complain("\(name) cannot be asked: \(why)")
        throw ExitCode(1)
      case .nothing, nil:
        Startup.complain("\(name) has no such record")
        throw ExitCode(1)
      }
    }
  }
}

/// What a collection may be called.
enum CollectionName {
  static let help: ArgumentHelp = "the collection's name: letters, digits, - _ . up to 100, such as a scheme's UUID"

  /// Whether a text can be a collection's name.
  static func isValid(_ name: String) -> Bool {
    (1...100).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        let character = Character(UnicodeScalar(byte))
        return character.isASCII && (character.isLetter || character.isNumber || "-_.".contains(character))
      }
  }

  static func check(_ name: String) throws {
    guard isValid(name) else {
      throw ValidationError("a collection's name has 1 to 100 letters, digits, - _ .")
    }
  }
}

/// Runs something on the collections, for which PostgreSQL's address is enough.
private func withCollections(_ body: (PostgresCollections) async throws -> Void) async throws {
  try await Startup.command(for: .migrate, needing: [.postgresURL, .postgresSchema]) { wiring in
    try await body(PostgresCollections(try wiring.database(connections: 1)))
  }
}
