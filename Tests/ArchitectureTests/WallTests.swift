import Testing

@Suite("The walls of the house")
struct WallTests {
  let project = Project()

  @Test("every room imports only what the table allows")
  func walls() throws {
    let files = try project.swiftFiles(below: "Sources")
    #expect(files.count > 100)
    for violation in House.wallViolations(files, cModules: try project.cModules()) { Issue.record("\(violation)") }
  }

  @Test("what Package.swift lets a room depend on, its walls allow")
  func dependencies() throws {
    let manifest = try project.text(of: "Package.swift")
    for room in House.rooms {
      let declared = try #require(House.dependencies(of: room.name, in: manifest), "\(room.name) is not declared")
      #expect(declared.subtracting(room.ours) == [], "\(room.name) may not depend on these")
    }
    let planted = #"room("OKKI", ["JSON", "K3", logging]), .target(name: "Own", dependencies: ["JSON"] + nio)"#
    #expect(House.dependencies(of: "OKKI", in: planted) == ["JSON", "K3"])
    #expect(House.dependencies(of: "Own", in: planted) == ["JSON"])
    #expect(House.dependencies(of: "K3", in: planted) == nil)
  }

  @Test("every row of the table is a room that exists, in the order from which nothing leads back")
  func table() throws {
    let files = try project.swiftFiles(below: "Sources")
    for room in House.rooms {
      #expect(files.contains { House.room(of: $0.path)?.name == room.name }, "\(room.name) has no files")
    }
    // Nobody may be reached from what it imports: data goes one way.
    for room in House.rooms {
      var reached: Set<String> = []
      var open = Array(room.ours)
      while let next = open.popLast() {
        guard reached.insert(next).inserted else { continue }
        open += House.rooms.first { $0.name == next }?.ours ?? []
      }
      #expect(!reached.contains(room.name))
    }
  }

  @Test("each C module is imported by exactly one Swift module")
  func cModules() throws {
    let modules = try project.cModules()
    #expect(modules.isSuperset(of: ["CRabbitMQ", "CPostgreSQL", "CCurl", "CPCRE2", "CCrypto"]))
    #expect(House.sharedCModules(try project.swiftFiles(below: "Sources"), cModules: modules) == [])
  }

  @Test("no folder below Sources has a name that says nothing")
  func names() throws {
    let folders = Set(try project.files(below: "Sources").flatMap { $0.split(separator: "/").dropLast() })
    #expect(folders.filter { House.emptyNames.contains($0.lowercased()) } == [])
  }

  @Test("planted imports are found, however they are written")
  func planted() {
    let planted = [
      SourceFile(path: "Sources/Mapping/A.swift", text: "import JSON\npublic import Logging\n"),
      SourceFile(path: "Sources/OKKI/B.swift", text: "@testable import K3\nimport struct Mapping.Strategy"),
      SourceFile(path: "Sources/vendorsim/Stage/C.swift", text: "@preconcurrency public import\tOrders // why"),
      SourceFile(path: "Sources/Ledger/D.swift", text: "import JSON; import CPostgreSQL\n"),
      SourceFile(path: "Sources/Pipeline/E.swift", text: "#if os(Linux)\n  internal import NIOCore\n#endif\n"),
      SourceFile(path: "Sources/Core/F.swift", text: ""),
      SourceFile(path: "Sources/Console/G.swift", text: "@_spi(X) package import Queue.Sub\nimport Console"),
      SourceFile(path: "Sources/Orders/H.swift", text: "import Foundation"),
    ]
    #expect(
      Set(House.wallViolations(planted, cModules: ["CPostgreSQL"])) == [
        "Sources/Mapping/A.swift: Mapping must not import Logging", "Sources/OKKI/B.swift: OKKI must not import K3",
        "Sources/OKKI/B.swift: OKKI must not import Mapping",
        "Sources/vendorsim/Stage/C.swift: VendorStage must not import Orders",
        "Sources/Ledger/D.swift: Ledger must not import CPostgreSQL",
        "Sources/Pipeline/E.swift: Pipeline must not import NIOCore",
        "Sources/Core/F.swift lies in no room of the table", "Sources/Console/G.swift: Console must not import Queue",
        "Sources/Orders/H.swift: Orders must not import Foundation",
      ])
    #expect(House.sharedCModules(planted, cModules: ["CPostgreSQL", "CCurl"]).count == 1)
  }

  @Test("what stands in comments and texts is no import")
  func noImports() {
    let text = #"""
      // import A
      /* import B /* import C */
      import D */ import E
      let text = "\"import F"; let raw = """
        import G
        """
      let important = 1
      """#
    #expect(SourceFile(path: "", text: text).imports == ["E"])
  }
}
