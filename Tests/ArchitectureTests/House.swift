/// A room of the house: a Swift module of ours, where it lies, and what it may import.
struct Room: Sendable {
  let name: String
  /// Its folder below `Sources`.
  let folder: String
  /// Modules of ours that it may import.
  let ours: Set<String>
  /// Modules of others that it may import.
  let others: Set<String>

  init(_ name: String, in folder: String? = nil, ours: Set<String>, others: Set<String>) {
    self.name = name
    self.folder = folder ?? name
    self.ours = ours
    self.others = others
  }
}

/// The walls: who may import whom. `Sources/README.md` gives the reasons.
enum House {
  /// What the system and the standard library offer. The pure rooms get none of it: no clock, no file, no lock.
  private static let system: Set = ["Glibc", "Darwin", "Synchronization"]
  private static let flow: Set = ["JSON", "Orders", "Pipeline"]

  static let rooms = [
    Room("JSON", ours: [], others: []),
    Room("Orders", ours: ["JSON"], others: []),
    Room("Expressions", ours: ["JSON", "Orders", "PCRE2", "Digests"], others: []),
    Room("Mapping", ours: ["JSON", "Orders", "Expressions"], others: []),
    Room(
      "Pipeline", ours: ["JSON", "Orders", "Mapping"],
      others: system.union(["Logging", "Metrics", "CoreMetrics", "ServiceLifecycle"])),
    Room("OKKI", ours: flow.union(["Curl"]), others: system),
    Room("K3", ours: flow.union(["Curl"]), others: system),
    // Policies can be reached over RabbitMQ's management interface only, hence Curl.
    Room("Queue", ours: flow.union(["AMQP", "Curl", "Digests"]), others: system),
    // PCRE2 for `$regex`: a query is answered where the records are.
    Room("Ledger", ours: flow.union(["PostgreSQL", "PCRE2", "Digests"]), others: system),
    Room("Telemetry", ours: ["JSON"], others: system.union(["Logging", "Metrics", "CoreMetrics"])),
    // Files, for the person who maps: no queue, no database, no vendor.
    Room("Workbench", ours: ["JSON", "Orders", "Mapping", "PCRE2"], others: system.union(["FoundationEssentials"])),
    Room(
      "Console", ours: flow.union(["Mapping", "Telemetry"]),
      others: system.union(["Logging", "ServiceLifecycle", "NIOCore", "NIOHTTP1", "NIOPosix"])),
    Room("DriverThread", in: "Drivers/DriverThread", ours: ["CMalloc"], others: system),
    Room("AMQP", in: "Drivers/AMQP", ours: ["CRabbitMQ", "DriverThread"], others: system),
    Room("PostgreSQL", in: "Drivers/PostgreSQL", ours: ["CPostgreSQL", "DriverThread"], others: system),
    Room("Curl", in: "Drivers/Curl", ours: ["CCurl", "CZlib", "DriverThread"], others: system),
    Room("PCRE2", in: "Drivers/PCRE2", ours: ["CPCRE2"], others: []),
    Room("Digests", in: "Drivers/Digests", ours: ["CCrypto"], others: []),
    Room(
      "ferry",
      ours: [
        "JSON", "Orders", "Mapping", "Pipeline", "OKKI", "K3", "Queue", "Ledger", "Telemetry", "Console",
        "Workbench",
        // For the process's memory (FilePages).
        "DriverThread",
      ],
      others: system.union([
        "ArgumentParser", "CoreMetrics", "FoundationEssentials", "Logging", "Metrics", "ServiceLifecycle",
        "UnixSignals",
      ])),
    // The stage set shares nothing with the clients but the reading of JSON: together they could be wrong in step.
    Room(
      "VendorStage", in: "vendorsim/Stage", ours: ["JSON"],
      others: system.union(["NIOCore", "NIOHTTP1", "NIOPosix"])),
    Room(
      "vendorsim", in: "vendorsim/Program", ours: ["JSON", "VendorStage"],
      others: system.union(["ArgumentParser", "Logging", "ServiceLifecycle", "UnixSignals"])),
    Room(
      "ferrybench",
      ours: [
        "JSON", "Orders", "Expressions", "Mapping", "Pipeline", "OKKI", "K3", "Queue", "Ledger", "Telemetry", "Console",
        "DriverThread",
        "AMQP", "PostgreSQL", "Curl",
      ], others: system.union(["Foundation", "Logging", "Metrics", "CoreMetrics", "ServiceLifecycle"])),
  ]

  /// Words that say nothing about the flow.
  static let emptyNames: Set = ["core", "common", "utils", "util", "models", "services", "managers", "impl", "helpers"]

  /// Rooms in which money and quantities pass: no binary float, except in these files.
  static let exactRooms: Set = ["JSON", "Orders", "Expressions", "Mapping", "OKKI", "K3"]
  static let inexactFiles = [
    "Sources/OKKI/RateLimit.swift": "requests per second and parts of a token",
    "Sources/OKKI/OKKIOptions.swift": "requests per second",
    "Sources/OKKI/Timekeeper.swift": "seconds between requests",
  ]

  /// Everything that a visitor may see at the top.
  static let topLevel: Set = [
    "README.md", "README.zh-CN.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Package.swift", "Sources", "Tests",
    "deploy", "compose.yaml",
  ]
}

extension House {
  /// The room that a file below `Sources` belongs to.
  static func room(of path: String) -> Room? {
    rooms.first { path.hasPrefix("Sources/\($0.folder)/") }
  }

  /// The modules of ours that a manifest lets a room depend on; nil when it does not declare the room.
  static func dependencies(of room: String, in manifest: String) -> Set<String>? {
    for start in ["oom(\"\(room)\"", "name: \"\(room)\", dependencies:", "name: \"\(room)\",\n      dependencies:"] {
      guard let found = manifest.firstRange(of: start) else { continue }
      let rest = manifest[found.upperBound...]
      // A room without a list depends on nothing.
      guard rest.first != ")" else { return [] }
      let list = rest.prefix { $0 != "]" }
      let names = list.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
        .filter { $0.offset % 2 == 1 }.map { String($0.element) }
      return Set(names)
    }
    return nil
  }

  /// What is wrong with the imports of these files. `cModules` are the system libraries below `Drivers`.
  static func wallViolations(_ files: [SourceFile], cModules: Set<String>) -> [String] {
    let ours = Set(rooms.map(\.name)).union(cModules)
    var violations: [String] = []
    for file in files {
      guard let room = room(of: file.path) else {
        violations.append("\(file.path) lies in no room of the table")
        continue
      }
      for module in file.imports {
        let allowed = ours.contains(module) ? room.ours : room.others
        // A file may name its own module.
        if module != room.name, !allowed.contains(module) {
          violations.append("\(file.path): \(room.name) must not import \(module)")
        }
      }
    }
    return violations
  }

  /// C modules that are imported by none or by more than one Swift module.
  static func sharedCModules(_ files: [SourceFile], cModules: Set<String>) -> [String] {
    cModules.sorted().compactMap { module in
      let importers = Set(files.filter { $0.imports.contains(module) }.map { room(of: $0.path)?.name ?? $0.path })
      return importers.count == 1 ? nil : "\(module) is imported by \(importers.sorted())"
    }
  }
}
