import Testing

@testable import AMQP

@Suite struct AckLedgerTests {
  private struct Ack: Equatable {
    let tag: UInt64
    let multiple: Bool
    init(_ tag: UInt64, _ multiple: Bool) { (self.tag, self.multiple) = (tag, multiple) }
  }

  private func ledger(_ count: UInt64) -> AckLedger {
    var ledger = AckLedger()
    for tag in 1...count { ledger.delivered(tag) }
    return ledger
  }

  private func flush(_ ledger: inout AckLedger) throws -> [Ack] {
    var acks: [Ack] = []
    try ledger.flush { tag, multiple throws(AMQPFailure) in acks.append(Ack(tag, multiple)) }
    return acks
  }

  private func reject(_ tag: UInt64, _ ledger: inout AckLedger) -> Bool { ledger.reject(tag) }

  @Test("a finished head takes one ack, whatever the order of the calls")
  func head() throws {
    var ledger = ledger(5)
    for tag: UInt64 in [3, 1, 2] { ledger.acknowledge(tag) }
    #expect(try flush(&ledger) == [Ack(3, true)])
    ledger.acknowledge(4)
    #expect(try flush(&ledger) == [Ack(4, false)])
    #expect(try flush(&ledger) == [])
    #expect(ledger.outstanding == 1)
  }

  @Test("what finished behind an open delivery is acknowledged alone, and never a second time")
  func gaps() throws {
    var ledger = ledger(6)
    for tag: UInt64 in [1, 2, 4, 6] { ledger.acknowledge(tag) }
    #expect(try flush(&ledger) == [Ack(2, true), Ack(4, false), Ack(6, false)])
    ledger.acknowledge(3)
    // 4 is settled already, so 3 is the only new one in the head: it needs no multiple.
    #expect(try flush(&ledger) == [Ack(3, false)])
    ledger.acknowledge(5)
    #expect(try flush(&ledger) == [Ack(5, false)])
    #expect(ledger.outstanding == 0)
  }

  @Test("a tag counts once, and an unknown one never")
  func once() throws {
    var ledger = ledger(2)
    for tag: UInt64 in [1, 1, 0, 3, .max] { ledger.acknowledge(tag) }
    #expect(try flush(&ledger) == [Ack(1, false)])
    ledger.acknowledge(1)
    #expect(!reject(1, &ledger))
    #expect(reject(2, &ledger))
    #expect(!reject(2, &ledger))
    ledger.acknowledge(2)
    #expect(try flush(&ledger) == [])
  }

  @Test("a rejected delivery opens the head for those behind it, and is not in an ack's way")
  func rejectedInside() throws {
    var ledger = ledger(4)
    ledger.acknowledge(1)
    #expect(reject(2, &ledger))
    ledger.acknowledge(3)
    #expect(try flush(&ledger) == [Ack(3, true)])
    #expect(reject(4, &ledger))
    #expect(try flush(&ledger) == [])
    #expect(ledger.outstanding == 0)
  }

  @Test("any order of acks settles exactly the deliveries that were named")
  func model() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      let count: UInt64 = 60
      var ledger = ledger(count)
      var named: Set<UInt64> = []
      var open = Set(1...count)
      for tag in (1...count).shuffled(using: &random).prefix(45) {
        ledger.acknowledge(tag)
        named.insert(tag)
        guard Bool.random(using: &random) else { continue }
        for ack in try flush(&ledger) {
          #expect(open.contains(ack.tag), "the broker would close the channel")
          open = open.filter { ack.multiple ? $0 > ack.tag : $0 != ack.tag }
        }
        #expect(open == Set(1...count).subtracting(named))
      }
    }
  }
}
