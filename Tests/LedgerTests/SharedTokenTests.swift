import Digests
import Ledger
import Pipeline
import PipelineTesting
import PostgreSQL
import Testing

@Suite("The installation's tokens", .timeLimit(.minutes(2)))
struct SharedTokenTests {
  @Test("in PostgreSQL", arguments: tokenStoreContract)
  func inPostgreSQL(_ sentence: ContractCase<TokenStoreSubject>) async throws {
    try await withSchema { _, one, other in
      let nowhere = try LedgerDatabase(LedgerOptions(url: "postgresql://nobody@127.0.0.1:1/none"))
      let time = ManualMicros()
      try await sentence.check(
        TokenStoreSubject(
          store: try PostgresTokenStore(one, secret: "code") { time.now },
          other: try PostgresTokenStore(other, secret: "code") { time.now },
          away: try PostgresTokenStore(nowhere, secret: "code"), pass: { time.pass($0 * 1_000_000) }))
      await nowhere.close()
    }
  }

  @Test("in memory", arguments: tokenStoreContract)
  func inMemory(_ sentence: ContractCase<TokenStoreSubject>) async throws {
    let time = ManualMicros()
    let (store, away) = (MemoryTokenStore { time.now }, MemoryTokenStore { time.now })
    away.fail(.unavailable("connection refused"))
    try await sentence.check(
      TokenStoreSubject(store: store, other: store, away: away, pass: { time.pass($0 * 1_000_000) }))
  }

  @Test("the database holds neither the token nor the login, and another login does not get the token")
  func sealed() async throws {
    try await withSchema { schema, one, other in
      let store = try PostgresTokenStore(one, secret: "authority-code")
      guard case .fetch(let permit) = try await store.token("k3", insteadOf: nil) else { return }
      _ = try await store.keep("k3", "SECRET-TOKEN", seconds: 3_600, permit: permit)
      let client = schema.client()
      let rows = try await client.run(
        PostgresStatement("SELECT vendor_tokens::text, encode(secret, 'escape') FROM vendor_tokens"))
      for column in 0...1 {
        let text = try #require(rows[0, column])
        #expect(!text.contains("SECRET-TOKEN") && !text.contains("authority-code"))
      }
      guard case .fetch = try await PostgresTokenStore(other, secret: "another").token("k3", insteadOf: nil) else {
        Issue.record("another login got the token")
        return
      }
      await client.close()
    }
  }

  @Test("a token that was tampered with, or moved to another row, is fetched anew")
  func tampered() async throws {
    try await withSchema { schema, one, _ in
      let store = try PostgresTokenStore(one, secret: "code")
      guard case .fetch(let permit) = try await store.token("k3", insteadOf: nil) else { return }
      _ = try await store.keep("k3", "T1", seconds: 3_600, permit: permit)
      let client = schema.client()
      _ = try await client.run(
        PostgresStatement("UPDATE vendor_tokens SET secret = set_byte(secret, 29, get_byte(secret, 29) # 1)"))
      guard case .fetch(let next) = try await store.token("k3", insteadOf: nil) else {
        Issue.record("a changed token was taken")
        return
      }
      _ = try await store.keep("k3", "T2", seconds: 3_600, permit: next)
      _ = try await client.run(PostgresStatement("UPDATE vendor_tokens SET name = replace(name, 'k3', 'okki')"))
      guard case .fetch = try await store.token("okki", insteadOf: nil) else {
        Issue.record("a moved token was taken")
        return
      }
      await client.close()
    }
  }

  @Test("AES-256-GCM opens what others sealed, and nothing that was changed")
  func cipher() throws {
    // NIST's test case 14, in the order nonce, tag, text.
    let key = [UInt8](repeating: 0, count: 32)
    let tag: [UInt8] = [
      0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19,
    ]
    let text: [UInt8] = [
      0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18,
    ]
    let sealed = [UInt8](repeating: 0, count: 12) + tag + text
    #expect(AES256GCM.open(sealed, key: key) == [UInt8](repeating: 0, count: 16))
    for index in sealed.indices {
      var changed = sealed
      changed[index] ^= 1
      #expect(AES256GCM.open(changed, key: key) == nil)
    }
    #expect(AES256GCM.open(sealed, key: key, context: [1]) == nil)
    #expect(AES256GCM.open(sealed, key: [1] + key.dropFirst()) == nil)
    #expect(AES256GCM.open([], key: key) == nil)
    #expect(AES256GCM.seal([1], key: [1, 2, 3]) == nil)
    for plain in [[], [7], [UInt8](0...255)] as [[UInt8]] {
      let once = try #require(AES256GCM.seal(plain, key: key, context: [1, 2]))
      #expect(AES256GCM.open(once, key: key, context: [1, 2]) == plain)
      #expect(AES256GCM.seal(plain, key: key, context: [1, 2]) != once)
    }
  }
}
