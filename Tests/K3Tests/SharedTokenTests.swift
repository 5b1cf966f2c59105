import Pipeline
import PipelineTesting
import Testing
import VendorStage

@testable import K3

@Suite("K/3's token in several processes", .timeLimit(.minutes(1)))
struct SharedTokenTests {
  private static let start = ContinuousClock.now

  private static func store() -> MemoryTokenStore {
    MemoryTokenStore {
      let (seconds, attoseconds) = (ContinuousClock.now - start).components
      return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }
  }

  /// Four loaders and a K/3 that ends the old token when it gives a new one.
  private func withLoaders(
    _ store: MemoryTokenStore?, _ test: ([K3BillDestination], String) async throws -> Void
  ) async throws {
    let simulator = try await Stage.k3(K3Plan(), host: "127.0.0.1", port: 0)
    let url = "http://127.0.0.1:\(simulator.port)"
    try await admin(url, "settings", #"{"reissue":"newInvalidateOld"}"#)
    let loaders = try (0..<4).map { _ in try K3BillDestination(options(url) { $0.tokenStore = store }) }
    try await test(loaders, url)
    for loader in loaders { await loader.close() }
    await simulator.stop()
  }

  /// Each loader saves bills, all at once; whatever is refused for its token comes again.
  private func save(_ loaders: [K3BillDestination], _ turn: String) async -> Bool {
    await withTaskGroup(of: Bool.self) { group in
      for (index, loader) in loaders.enumerated() {
        group.addTask {
          var open = (1...25).map { bill("SO-\(turn)-\(index)-\($0)") }
          for _ in 0..<20 where !open.isEmpty {
            let answers = await loader.save(open)
            open = zip(open, answers).filter { $0.1.written == nil }.map(\.0)
          }
          return open.isEmpty
        }
      }
      return await group.allSatisfy { $0 }
    }
  }

  @Test("four loaders get one token at the start and one after each revocation, and every bill is written once")
  func oneEach() async throws {
    try await withLoaders(Self.store()) { loaders, url in
      #expect(await save(loaders, "A"))
      #expect(try await requests(url, "Token/Create") == 1)
      for turn in 1...3 {
        let before = try await stored(url) ?? 0
        try await admin(url, "settings", #"{"revokeAfterSaves":\#(before + 50)}"#)
        #expect(await save(loaders, "R\(turn)"))
        #expect(try await requests(url, "Token/Create") == Int64(1 + turn))
      }
      #expect(try await stored(url) == 400)
    }
  }

  @Test(
    "while the store is away each loader gets its own and all goes on, as without a store", arguments: [true, false])
  func away(hasStore: Bool) async throws {
    let store = Self.store()
    store.fail(.unavailable("connection refused"))
    try await withLoaders(hasStore ? store : nil) { loaders, url in
      for (number, loader) in loaders.enumerated() { #expect(await save([loader], "A\(number)")) }
      let created = try await requests(url, "Token/Create")
      #expect(created == 4)
    }
  }

  @Test("a loader that got its token alone takes the installation's when the store is back")
  func back() async throws {
    let store = Self.store()
    try await withLoaders(store) { loaders, url in
      store.fail(.unavailable("connection refused"))
      #expect(await save([loaders[0]], "A"))
      store.fail(nil)
      #expect(await save([loaders[1]], "B"))
      // The second one's token has ended the first one's.
      #expect(await save([loaders[0]], "C"))
      #expect(await save([loaders[1]], "D"))
      let created = try await requests(url, "Token/Create")
      #expect(created == 2)
    }
  }
}
