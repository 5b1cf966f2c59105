import JSON
import Orders
public import Pipeline
import Testing

/// A poller's memory under test.
public struct PollLedgerSubject: Sendable {
  /// One poller's memory.
  public let ledger: any PollLedger
  /// Another poller's, over the same books.
  public let other: any PollLedger
  /// The archive of parked messages over the same books.
  public let archive: any DeadLetters
  /// A poller's memory whose database is away.
  public let away: any PollLedger
  /// Takes the lock from whoever leads, who is not told.
  public let cutOff: @Sendable () async throws -> Void
  /// Lets the lease of whoever leads end, as if it had not been renewed.
  public let expire: @Sendable () async throws -> Void
  /// Where customers are stored.
  public let collections: any Collections

  /// A subject.
  public init(
    ledger: any PollLedger, other: any PollLedger, archive: any DeadLetters, away: any PollLedger,
    collections: any Collections, cutOff: @escaping @Sendable () async throws -> Void,
    expire: @escaping @Sendable () async throws -> Void
  ) {
    self.cutOff = cutOff
    self.expire = expire
    self.collections = collections
    self.ledger = ledger
    self.other = other
    self.archive = archive
    self.away = away
  }

  func number(_ order: Int64, _ time: Int64, _ hash: Int64) async throws -> RevisionAnswer {
    try #require(try await ledger.number([fetched(order, time, hash)]).first)
  }

  func record(_ order: Int64, _ number: Int64, mayStillChange: Bool = false) async throws {
    let revision = PublishedRevision(
      orderID: OrderID(rawValue: order), number: number, mayStillChange: mayStillChange)
    #expect(try await ledger.record([revision]))
  }

  /// Somebody wants these orders to be read anew.
  func ask(_ orders: Int64...) async throws {
    _ = try await archive.file(orders.map { deadLetter($0) })
    var ids: [Int64] = []
    for order in orders {
      var filter = LetterFilter()
      filter.order = "\(order)"
      ids += try await archive.letters(filter, after: 0, limit: 1, withBodies: false).map(\.id)
    }
    #expect(try await archive.refetch(ids, by: "ann") == ids.sorted())
  }

  /// The orders that are to be read anew now.
  func taken(_ limit: Int = 10) async throws -> [Refetch] { try #require(try await ledger.refetches(limit: limit)) }

  /// The name of the customer 1.
  func customer() async throws -> String? {
    let condition = LookupKey.Condition(field: "company_id", value: "1")
    let key = LookupKey(collection: Poller.customersCollection, conditions: [condition])
    return try await collections.find([key]).first?.record?.root["name"]?.string
  }

  func mustFetch(_ order: Int64, _ time: Int64) async throws -> Bool {
    try await !ledger.unpublished(among: [headline(order, time)]).isEmpty
  }
}

private func fetched(_ order: Int64, _ time: Int64, _ hash: Int64) -> FetchedRevision {
  FetchedRevision(
    orderID: OrderID(rawValue: order), updateTime: BeijingTime(epochSeconds: time), contentHash: hash)
}

private func headline(_ order: Int64, _ time: Int64) -> OrderHeadline {
  OrderHeadline(id: OrderID(rawValue: order), updateTime: BeijingTime(epochSeconds: time))
}

private func customer(_ name: String) -> CollectionRecord {
  CollectionRecord(id: "1", content: Array(#"{"company_id":1,"name":"\#(name)"}"#.utf8))
}

private func at(_ seconds: Int64) -> BeijingTime { BeijingTime(epochSeconds: seconds) }

/// What every `PollLedger` does.
public let pollLedgerContract: [ContractCase<PollLedgerSubject>] =
  watermarkCases + revisionCases + deletionCases + refetchCases + fenceCases + leaseCases + [
    ContractCase("one poller leads until it steps down") { subject async throws in
      #expect(try await subject.ledger.lead())
      #expect(try await subject.ledger.lead())
      #expect(try await !subject.other.lead())
      await subject.ledger.resign()
      #expect(try await subject.other.lead())
      #expect(try await !subject.ledger.lead())
      await subject.other.resign()
      #expect(try await subject.ledger.lead())
      await subject.ledger.resign()
    },
    ContractCase("a poller whose database is away is told so, and not that another one leads") { subject async throws in
      for _ in 1...2 {
        do throws(LedgerFailure) {
          Issue.record("nobody can tell, but the answer was \(try await subject.away.lead())")
        } catch {
          guard case .unavailable = error else {
            Issue.record("away is not broken: \(error)")
            return
          }
        }
      }
      await subject.away.resign()
    },
  ]

private let watermarkCases: [ContractCase<PollLedgerSubject>] = [
  ContractCase("a watermark is nothing before it is set, and each stream has its own") { subject async throws in
    #expect(try await subject.ledger.watermark(of: .orders) == nil)
    #expect(try await subject.ledger.advance(.orders, from: nil, to: at(100)))
    #expect(try await subject.other.watermark(of: .orders) == at(100))
    #expect(try await subject.ledger.watermark(of: .customers) == nil)
  },
  ContractCase("a watermark moves only from where the poller believes it to be") { subject async throws in
    #expect(try await subject.ledger.advance(.orders, from: nil, to: at(100)))
    #expect(try await !subject.ledger.advance(.orders, from: nil, to: at(150)))
    #expect(try await subject.ledger.advance(.orders, from: at(100), to: at(200)))
    #expect(try await !subject.ledger.advance(.orders, from: at(100), to: at(300)))
    #expect(try await subject.ledger.watermark(of: .orders) == at(200))
  },
  ContractCase("a watermark may go back, and says how long ago it was moved") { subject async throws in
    #expect(try await subject.ledger.advance(.orders, from: nil, to: at(200)))
    #expect(try await subject.ledger.advance(.orders, from: at(200), to: at(100)))
    let position = try #require(try await subject.other.position(of: .orders))
    #expect(position.watermark == at(100))
    #expect((0...50).contains(position.age))
  },
]

private let deletionCases: [ContractCase<PollLedgerSubject>] = [
  ContractCase("a deletion is newer than every content, numbered once, and told until it is recorded") {
    subject async throws in
    let removal = FetchedRevision.removal(of: OrderID(rawValue: 1))
    _ = try await subject.number(1, 10, 111)
    try await subject.record(1, 1)
    #expect(try await subject.ledger.unremoved(among: [headline(1, 10)]) == [headline(1, 10)])
    #expect(try await subject.ledger.number([removal]) == [.publish(number: 2)])
    #expect(try await subject.ledger.number([removal]) == [.publish(number: 2)])
    #expect(try await subject.ledger.unremoved(among: [headline(1, 10)]) == [headline(1, 10)])
    try await subject.record(1, 2)
    #expect(try await subject.ledger.number([removal]) == [.published])
    #expect(try await subject.ledger.unremoved(among: [headline(1, 99)]).isEmpty)
  },
  ContractCase("an order that is back is fetched whatever its time, and newer than its deletion") {
    subject async throws in
    _ = try await subject.number(1, 10, 111)
    try await subject.record(1, 1)
    _ = try await subject.ledger.number([.removal(of: OrderID(rawValue: 1))])
    try await subject.record(1, 2)
    #expect(try await subject.mustFetch(1, 10))
    #expect(try await subject.number(1, 10, 111) == .publish(number: 3))
    try await subject.record(1, 3)
    #expect(try await !subject.mustFetch(1, 10))
    #expect(try await subject.ledger.number([.removal(of: OrderID(rawValue: 1))]) == [.publish(number: 4)])
  },
  ContractCase("the deletion of an order that was never seen is numbered, and so is what comes back") {
    subject async throws in
    let removal = FetchedRevision.removal(of: OrderID(rawValue: 3))
    let headlines = [headline(5, 1), headline(3, 1), headline(4, 1)]
    #expect(try await subject.ledger.unremoved(among: headlines) == headlines)
    #expect(try await subject.ledger.number([removal]) == [.publish(number: 1)])
    try await subject.record(3, 1)
    #expect(try await subject.ledger.unremoved(among: headlines) == [headline(5, 1), headline(4, 1)])
    #expect(try await subject.ledger.unremoved(among: []).isEmpty)
    #expect(try await subject.number(3, 1, 333) == .publish(number: 2))
  },
]

private let revisionCases: [ContractCase<PollLedgerSubject>] = [
  ContractCase("an order is known from its first number on, published or not") { subject async throws in
    let headlines = [headline(3, 1), headline(1, 99), headline(2, 1)]
    #expect(try await subject.ledger.numbered(among: headlines).isEmpty)
    _ = try await subject.number(1, 10, 111)
    _ = try await subject.ledger.number([.removal(of: OrderID(rawValue: 3))])
    #expect(try await subject.ledger.numbered(among: headlines) == [headline(3, 1), headline(1, 99)])
    try await subject.record(1, 1)
    #expect(try await subject.ledger.numbered(among: headlines) == [headline(3, 1), headline(1, 99)])
    #expect(try await subject.ledger.numbered(among: []).isEmpty)
  },
  ContractCase("a content keeps its number until it is recorded as published") { subject async throws in
    #expect(try await subject.number(1, 10, 111) == .publish(number: 1))
    #expect(try await subject.number(1, 10, 111) == .publish(number: 1))
    #expect(try await subject.mustFetch(1, 10))
    try await subject.record(1, 1)
    #expect(try await subject.number(1, 10, 111) == .published)
    #expect(try await !subject.mustFetch(1, 10))
  },
  ContractCase("what has no time is newer than a content that was not published, and older than one that was") {
    subject async throws in
    #expect(try await subject.number(1, 10, 111) == .publish(number: 1))
    #expect(try await subject.number(1, 0, 999) == .publish(number: 2))
    #expect(try await subject.number(1, 0, 999) == .publish(number: 2))
    try await subject.record(1, 2)
    #expect(try await subject.number(1, 0, 999) == .published)
    #expect(try await subject.number(1, 0, 888) == .published)
    // The time that was known stays.
    #expect(try await subject.number(1, 9, 111) == .published)
    #expect(try await subject.number(1, 10, 111) == .publish(number: 3))
  },
  ContractCase("another content gets the next number, also within the same second") { subject async throws in
    #expect(try await subject.number(1, 10, 111) == .publish(number: 1))
    try await subject.record(1, 1)
    #expect(try await subject.number(1, 10, 222) == .publish(number: 2))
    try await subject.record(1, 2)
    #expect(try await subject.number(1, 20, 222) == .publish(number: 3))
    try await subject.record(1, 3)
    #expect(try await subject.mustFetch(1, 30))
    #expect(try await !subject.mustFetch(1, 20))
  },
  ContractCase("a content older than one that is known is not published any more") { subject async throws in
    #expect(try await subject.number(1, 20, 222) == .publish(number: 1))
    #expect(try await subject.number(1, 10, 111) == .published)
    try await subject.record(1, 1)
    #expect(try await subject.number(1, 10, 111) == .published)
    #expect(try await !subject.mustFetch(1, 20))
  },
  ContractCase("what may still change within its second is fetched again") { subject async throws in
    _ = try await subject.number(1, 10, 111)
    try await subject.record(1, 1, mayStillChange: true)
    #expect(try await subject.mustFetch(1, 10))
    #expect(try await subject.number(1, 10, 111) == .published)
    #expect(try await subject.number(1, 10, 222) == .publish(number: 2))
    try await subject.record(1, 2)
    #expect(try await !subject.mustFetch(1, 10))
  },
  ContractCase("a record of a number that was overtaken, or that nobody gave, changes nothing") {
    subject async throws in
    _ = try await subject.number(1, 10, 111)
    _ = try await subject.number(1, 20, 222)
    try await subject.record(1, 1)
    try await subject.record(404, 1)
    #expect(try await subject.mustFetch(1, 20))
    #expect(try await subject.mustFetch(404, 0))
    #expect(try await subject.number(1, 20, 222) == .publish(number: 2))
    #expect(try await subject.number(404, 5, 5) == .publish(number: 1))
  },
  ContractCase("a batch is answered in its order") { subject async throws in
    _ = try await subject.number(2, 10, 222)
    try await subject.record(2, 1)
    _ = try await subject.number(4, 10, 444)
    let answers = try await subject.ledger.number([
      fetched(5, 10, 1), fetched(2, 10, 222), fetched(4, 10, 444), fetched(3, 10, 1), fetched(2, 11, 1),
    ])
    #expect(
      answers == [
        .publish(number: 1), .published, .publish(number: 1), .publish(number: 1), .publish(number: 2),
      ])
    let headlines = [headline(9, 1), headline(2, 10), headline(5, 10), headline(1, 1)]
    try await subject.record(5, 1)
    #expect(
      try await subject.ledger.unpublished(among: headlines) == [headline(9, 1), headline(2, 10), headline(1, 1)])
    #expect(try await subject.ledger.unpublished(among: []).isEmpty)
    #expect(try await subject.ledger.number([]).isEmpty)
    #expect(try await subject.ledger.record([]))
  },
  ContractCase("the same contents at the same time get the same numbers") { subject async throws in
    let revisions = (1...100).map { fetched(Int64($0), 10, Int64($0)) }
    async let left = subject.ledger.number(revisions)
    async let right = subject.ledger.number(revisions.reversed())
    let answers = try await left + right
    #expect(answers.allSatisfy { $0 == .publish(number: 1) })
  },
]

private let refetchCases: [ContractCase<PollLedgerSubject>] = [
  ContractCase("an order that is to be read anew is told until it is ended, and the same content gets one new number") {
    subject async throws in
    _ = try await subject.number(1, 10, 111)
    try await subject.record(1, 1)
    #expect(try await subject.taken().isEmpty)
    try await subject.ask(1)
    #expect(try await subject.number(1, 10, 111) == .published)
    let asked = try await subject.taken()
    #expect(asked.map(\.order.rawValue) == [1])
    // Until it is read the overlap would read it too.
    #expect(try await subject.mustFetch(1, 10))
    #expect(try await subject.number(1, 10, 111) == .publish(number: 2))
    // A crash before it is recorded, and one before it is ended.
    #expect(try await subject.taken() == asked)
    #expect(try await subject.number(1, 10, 111) == .publish(number: 2))
    try await subject.record(1, 2)
    #expect(try await subject.taken() == asked)
    #expect(try await subject.number(1, 10, 111) == .published)
    #expect(try await subject.ledger.endRefetches(asked))
    #expect(try await subject.taken().isEmpty)
    #expect(try await !subject.mustFetch(1, 10))
  },
  ContractCase("an order that is read anew is new also with an older content, pending, deleted or never seen") {
    subject async throws in
    _ = try await subject.number(1, 20, 222)
    try await subject.record(1, 1)
    _ = try await subject.number(2, 20, 222)
    _ = try await subject.ledger.number([.removal(of: OrderID(rawValue: 3))])
    try await subject.record(3, 1)
    try await subject.ask(1, 2, 3, 4)
    #expect(try await subject.taken().map(\.order.rawValue) == [1, 2, 3, 4])
    let answers = try await subject.ledger.number([
      fetched(1, 10, 111), fetched(2, 20, 222), fetched(3, 5, 5), fetched(4, 5, 5),
    ])
    #expect(answers == [.publish(number: 2), .publish(number: 2), .publish(number: 2), .publish(number: 1)])
  },
  ContractCase("an order that is asked for again while it is read stays, and is new once more") {
    subject async throws in
    try await subject.ask(1)
    let first = try await subject.taken()
    #expect(try await subject.number(1, 10, 111) == .publish(number: 1))
    try await subject.record(1, 1)
    try await subject.ask(1)
    #expect(try await subject.ledger.endRefetches(first))
    let second = try await subject.taken()
    #expect(second.map(\.order) == first.map(\.order) && second != first)
    #expect(try await subject.number(1, 10, 111) == .publish(number: 2))
    #expect(try await subject.ledger.endRefetches(second))
    #expect(try await subject.taken().isEmpty)
  },
  ContractCase("orders that were not taken yet come first, then those that were taken longest ago") {
    subject async throws in
    try await subject.ask(1, 2, 3, 4)
    func next(_ limit: Int) async throws -> [Int64] { try await subject.taken(limit).map(\.order.rawValue) }
    #expect(try await next(2) == [1, 2])
    #expect(try await next(1) == [3])
    try await subject.ask(5)
    #expect(try await next(3) == [1, 4, 5])
    #expect(try await next(1) == [2])
    #expect(try await next(1) == [3])
  },
]
