import Orders
import Pipeline
import Testing

private func fetched(_ order: Int64, _ time: Int64, _ hash: Int64) -> FetchedRevision {
  FetchedRevision(
    orderID: OrderID(rawValue: order), updateTime: BeijingTime(epochSeconds: time), contentHash: hash)
}

private func customer(_ name: String) -> CollectionRecord {
  CollectionRecord(id: "1", content: Array(#"{"company_id":1,"name":"\#(name)"}"#.utf8))
}

private func at(_ seconds: Int64) -> BeijingTime { BeijingTime(epochSeconds: seconds) }

/// Two pollers, each of which believes to be the one.
let fenceCases: [ContractCase<PollLedgerSubject>] = [
  ContractCase("a leader that was cut off writes on until another one is elected, and nothing afterwards") {
    subject async throws in
    #expect(try await subject.number(1, 10, 111) == .publish(number: 1))
    #expect(try await subject.number(2, 10, 222) == .publish(number: 1))
    _ = try await subject.number(8, 10, 888)
    try await subject.record(8, 1)
    try await subject.ask(7)
    let asked = try await subject.taken()
    try await subject.cutOff()
    try await subject.ask(8)
    try await subject.record(1, 1)
    #expect(try await subject.ledger.advance(.orders, from: nil, to: at(100)))
    #expect(try await subject.other.lead())
    let second = PublishedRevision(orderID: OrderID(rawValue: 2), number: 1, mayStillChange: false)
    #expect(try await !subject.ledger.record([second]))
    #expect(try await !subject.ledger.advance(.orders, from: at(100), to: at(200)))
    #expect(try await !subject.ledger.advance(.removed, from: nil, to: at(200)))
    #expect(try await subject.number(3, 10, 333) == .overtaken)
    #expect(try await subject.ledger.refetches(limit: 10) == nil)
    #expect(try await !subject.ledger.endRefetches(asked))
    // Nothing was forgotten, and nothing ended.
    #expect(try await subject.other.number([fetched(8, 10, 888)]) == [.published])
    let others = try #require(try await subject.other.refetches(limit: 10))
    #expect(others.map(\.order.rawValue) == [7, 8] && others.first == asked.first)
    // Known to it, and pending: not its to publish any more.
    #expect(try await subject.ledger.number([fetched(2, 10, 222), fetched(1, 10, 111)]) == [.overtaken, .overtaken])
    #expect(try await subject.other.watermark(of: .orders) == at(100))
    #expect(try await subject.other.watermark(of: .removed) == nil)
    #expect(try await subject.mustFetch(2, 10))
    // The elected one finds everything as it was, and goes on.
    let answers = try await subject.other.number([fetched(1, 10, 111), fetched(2, 10, 222), fetched(3, 10, 333)])
    #expect(answers == [.published, .publish(number: 1), .publish(number: 1)])
    #expect(try await subject.other.record([second]))
    #expect(try await subject.other.advance(.orders, from: at(100), to: at(200)))
    #expect(try await !subject.ledger.lead())
  },
  ContractCase("whoever never led, or has stepped down, writes nothing") { subject async throws in
    #expect(try await subject.other.number([fetched(1, 10, 111)]) == [.overtaken])
    #expect(try await !subject.other.advance(.orders, from: nil, to: at(100)))
    #expect(try await subject.other.refetches(limit: 10) == nil)
    #expect(try await !subject.other.endRefetches([]))
    #expect(try await subject.number(1, 10, 111) == .publish(number: 1))
    await subject.ledger.resign()
    #expect(try await subject.number(1, 10, 111) == .overtaken)
    let first = PublishedRevision(orderID: OrderID(rawValue: 1), number: 1, mayStillChange: false)
    #expect(try await !subject.ledger.record([first]))
    #expect(try await subject.ledger.watermark(of: .orders) == nil)
  },
]

/// Leases that end, by the ledger's clock.
let leaseCases: [ContractCase<PollLedgerSubject>] = [
  ContractCase("a leader that does not renew its lease is followed by another one, though its connection lives") {
    subject async throws in
    #expect(try await !subject.other.lead())
    try await subject.expire()
    #expect(try await subject.other.lead())
    #expect(try await subject.number(1, 10, 111) == .overtaken)
    // Its connection lives still, and the other one leads by the lease alone.
    #expect(try await !subject.ledger.lead())
    #expect(try await subject.other.lead())
    #expect(try await subject.other.number([fetched(1, 10, 111)]) == [.publish(number: 1)])
  },
  ContractCase("a lease that was renewed is not over, and one that is over is renewed while nobody else has it") {
    subject async throws in
    #expect(try await subject.number(1, 10, 111) == .publish(number: 1))
    try await subject.expire()
    #expect(try await subject.ledger.lead())
    #expect(try await !subject.other.lead())
    // The same election: what was begun under it goes on.
    try await subject.record(1, 1)
  },
  ContractCase("whoever leads by the lease alone is not followed because the lock is free") { subject async throws in
    try await subject.expire()
    #expect(try await subject.other.lead())
    try await subject.cutOff()
    #expect(try await !subject.ledger.lead())
    // From its next renewal on it has both.
    #expect(try await subject.other.lead())
    try await subject.cutOff()
    #expect(try await subject.ledger.lead())
    #expect(try await !subject.other.lead())
  },
  ContractCase("a lease without the lock is given back by whoever steps down") { subject async throws in
    try await subject.expire()
    #expect(try await subject.other.lead())
    await subject.other.resign()
    #expect(try await subject.ledger.lead())
    #expect(try await !subject.other.lead())
  },
  ContractCase("a former leader's customers are not stored over those of the elected one") { subject async throws in
    #expect(try await subject.ledger.store(customers: [customer("first")]))
    #expect(try await subject.customer() == "first")
    try await subject.expire()
    // Nobody else is elected yet.
    #expect(try await subject.ledger.store(customers: [customer("second")]))
    #expect(try await subject.other.lead())
    #expect(try await subject.other.store(customers: [customer("newest")]))
    #expect(try await !subject.ledger.store(customers: [customer("older")]))
    #expect(try await subject.customer() == "newest")
    await subject.ledger.resign()
    #expect(try await !subject.ledger.store(customers: [customer("older")]))
    #expect(try await subject.customer() == "newest")
  },
]
