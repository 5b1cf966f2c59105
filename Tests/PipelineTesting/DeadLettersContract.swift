import Orders
public import Pipeline
import Testing

/// A letter as a test wants it.
public func deadLetter(
  _ order: Int64, _ reason: String = "k3_rejected", stage: StageName = .load, body: String = "{}"
) -> DeadLetter {
  var letter = DeadLetter(
    stage: stage, reason: reason, sentence: "order \(order): refused", parkedAt: 1_790_000_000_123,
    properties: #"{"type":"bill","content_type":"application/json","headers":{"ferry-order-id":\#(order)}}"#,
    body: Array(body.utf8))
  letter.orderID = OrderID(rawValue: order)
  letter.orderNumber = "SO-\(order)"
  (letter.revision, letter.attempts, letter.firstSeen, letter.vendorAnswer) = (3, 2, 1_780_000_000_001, "物料不存在")
  return letter
}

/// What every archive of parked messages keeps.
public let deadLettersContract: [ContractCase<any DeadLetters>] = [
  ContractCase("a message is one letter however often it is filed, also after it was dealt with") { archive in
    let letters = [deadLetter(1), deadLetter(2), deadLetter(1, stage: .transform), deadLetter(1, body: "{ }")]
    #expect(try await archive.file(letters).new == 4)
    #expect(try await archive.mark([1], .replayed, by: "ann") == [1])
    #expect(try await archive.file([deadLetter(1), deadLetter(3), deadLetter(3)]).new == 1)
    let filed = try await archive.letters(LetterFilter(), after: 0, limit: 10, withBodies: true)
    #expect(filed.map(\.letter) == letters + [deadLetter(3)])
    #expect(filed.map(\.state) == [.replayed, .waiting, .waiting, .waiting, .waiting])
  },
  ContractCase("what is parked again in the same words while its letter waits is that letter, and counted") { archive in
    func parked(at time: Int64, _ identity: String = "1-3 refused", body: String = "{}") -> DeadLetter {
      var letter = deadLetter(1, body: body)
      (letter.parkedAt, letter.identity) = (time, identity)
      letter.properties += " \(time)"
      return letter
    }
    // Two of them in one batch; the others differ in words, in body, or nobody can tell.
    #expect(
      try await archive.file([
        parked(at: 1), parked(at: 2), parked(at: 3, "1-3 unknown"), parked(at: 4, body: "{ }"), parked(at: 5, ""),
        parked(at: 6, ""),
      ]).new == 5)
    var elsewhere = parked(at: 7)
    elsewhere.stage = .transform
    #expect(try await archive.file([parked(at: 8), parked(at: 2), elsewhere]).new == 1)
    var filed = try await archive.letters(LetterFilter(), after: 0, limit: 10, withBodies: true)
    #expect(filed.map(\.times) == [3, 1, 1, 1, 1, 1])
    #expect(filed.first?.letter.parkedAt == 1 && filed.first?.lastParkedAt == 8 && filed[1].lastParkedAt == 3)
    // Dealt with, it is the same no more; but what was filed as it stays so.
    _ = try await archive.mark([1], .replayed, by: "ann")
    #expect(try await archive.file([parked(at: 2), parked(at: 9)]).new == 1)
    _ = try await archive.mark([7], .discarded, by: "ann")
    #expect(try await archive.file([parked(at: 10), parked(at: 11), parked(at: 9)]).new == 1)
    filed = try await archive.letters(LetterFilter(), after: 6, limit: 10, withBodies: true)
    #expect(filed.map(\.times) == [1, 2] && filed.map(\.state) == [.discarded, .waiting])
  },
  ContractCase("what waits is counted by stage and reason, with when the oldest was parked; what was dealt with is not")
  {
    archive in
    #expect(try await archive.waiting() == [])
    var older = deadLetter(2)
    older.parkedAt = 5
    let others = [deadLetter(3, "conflict"), deadLetter(4, stage: .transform), deadLetter(5), deadLetter(6)]
    _ = try await archive.file([deadLetter(1), older] + others)
    _ = try await archive.mark([5], .discarded, by: "ann")
    _ = try await archive.mark([6], .replayed, by: "ann")
    let parked = deadLetter(1).parkedAt
    #expect(
      try await archive.waiting() == [
        WaitingLetters(stage: .load, reason: "conflict", count: 1, oldest: parked),
        WaitingLetters(stage: .load, reason: "k3_rejected", count: 2, oldest: 5),
        WaitingLetters(stage: .transform, reason: "k3_rejected", count: 1, oldest: parked),
      ])
  },
  ContractCase("a letter that was parked once more since it was read is left alone") { archive in
    var letters = [deadLetter(1), deadLetter(2)]
    for place in letters.indices { letters[place].identity = "\(place)" }
    _ = try await archive.file(letters)
    letters[0].properties += " again"
    #expect(try await archive.file(letters).new == 0)
    #expect(try await archive.mark([1, 2], .replayed, by: "ann", read: [1, 1]) == [2])
    #expect(try await archive.acts(on: 1) == [])
    #expect(try await archive.mark([1, 2, 9], .replayed, by: "ann", read: [2, 1, 1]) == [1, 2])
  },
  ContractCase("letters are found by number, reason, order, stage and state, page by page, with bodies on request") {
    archive in
    let all = [deadLetter(1), deadLetter(2, "customer_unmapped", stage: .transform), deadLetter(3), deadLetter(12)]
    _ = try await archive.file(all)
    _ = try await archive.mark([3], .discarded, by: "bob")
    func orders(_ change: (inout LetterFilter) -> Void) async throws -> [Int64?] {
      var filter = LetterFilter()
      change(&filter)
      let found = try await archive.letters(filter, after: 0, limit: 10, withBodies: false)
      return found.map { $0.letter.orderID?.rawValue }
    }
    #expect(try await orders { $0.reason = "customer_unmapped" } == [2])
    #expect(try await orders { $0.reason = "customer" } == [])
    #expect(try await orders { $0.order = "12" } == [12])
    #expect(try await orders { $0.order = "SO-1" } == [1])
    #expect(try await orders { $0.stage = .load } == [1, 3, 12])
    #expect(try await orders { $0.state = .discarded } == [3])
    #expect(try await orders { ($0.state, $0.stage) = (.waiting, .load) } == [1, 12])
    #expect(try await orders { $0.ids = [4, 2, 99] } == [2, 12])
    #expect(try await orders { $0.ids = [] } == [])
    let page = try await archive.letters(LetterFilter(), after: 1, limit: 2, withBodies: false)
    #expect(page.map(\.id) == [2, 3] && page.allSatisfy { $0.letter.body.isEmpty })
    #expect(page.map(\.by) == [nil, "bob"])
  },
  ContractCase("bodies come up to the bound, or a single larger one; then the next ones") { archive in
    let bodies = [90, 60, 40, 1, 300, 1].map { String(repeating: "x", count: $0) }
    _ = try await archive.file(bodies.enumerated().map { deadLetter(Int64($0 + 1), body: $1) })
    var filter = LetterFilter()
    filter.mostBodyBytes = 101
    var pages: [[Int64]] = []
    while true {
      let last = pages.last?.last ?? 0
      let found = try await archive.letters(filter, after: last, limit: 3, withBodies: true)
      if found.isEmpty { break }
      pages.append(found.map(\.id))
    }
    #expect(pages == [[1], [2, 3, 4], [5], [6]])
    let all = try await archive.letters(filter, after: 0, limit: 10, withBodies: false)
    #expect(all.count == 6)
  },
  ContractCase("every act is kept; what is done with is not discarded, what was published is marked so") { archive in
    _ = try await archive.file([deadLetter(1), deadLetter(2)])
    #expect(try await archive.mark([1, 2, 7], .replayed, by: "ann") == [1, 2])
    #expect(try await archive.mark([1], .discarded, by: "bob") == [])
    #expect(try await archive.mark([1], .replayed, by: "bob") == [1])
    #expect(try await archive.acts(on: 1).map(\.by) == ["ann", "bob"])
    #expect(try await archive.acts(on: 2).map(\.state) == [.replayed])
    #expect(try await archive.acts(on: 7) == [])
  },
  ContractCase("letters whose orders are to be read anew are replayed and say so; one that names no order stays") {
    archive in
    var nameless = deadLetter(2)
    nameless.orderID = nil
    _ = try await archive.file([deadLetter(1), nameless, deadLetter(1, stage: .transform), deadLetter(4)])
    _ = try await archive.mark([4], .discarded, by: "bob")
    #expect(try await archive.refetch([4, 1, 2, 3, 9], by: "ann") == [1, 3, 4])
    let filed = try await archive.letters(LetterFilter(), after: 0, limit: 10, withBodies: false)
    #expect(filed.map(\.state) == [.replayed, .waiting, .replayed, .replayed])
    #expect(filed.map(\.by) == ["ann", nil, "ann", "ann"])
    #expect(try await archive.acts(on: 4).map(\.isRefetch) == [false, true])
    #expect(try await archive.acts(on: 2) == [])
    #expect(try await archive.mark([1], .replayed, by: "bob") == [1])
    #expect(try await archive.acts(on: 1).map(\.isRefetch) == [true, false])
  },
  ContractCase("a letter of which nothing is known is kept too") { archive async throws in
    let letter = DeadLetter(
      stage: .load, reason: "delivery_limit", sentence: "", parkedAt: 0, properties: "{}", body: [0, 255, 0])
    #expect(try await archive.file([letter]).new == 1)
    #expect(try await archive.letters(LetterFilter(), after: 0, limit: 1, withBodies: true).first?.letter == letter)
  },
  ContractCase("a letter with the numbers of a message that nobody has read holds up no other") {
    archive async throws in
    var wild = deadLetter(1, "rejected")
    (wild.attempts, wild.revision, wild.firstSeen, wild.parkedAt) = (.max, .min, .max, .max)
    wild.orderID = OrderID(rawValue: .min)
    #expect(try await archive.file([wild, deadLetter(2)]).new == 2)
    let filed = try await archive.letters(LetterFilter(), after: 0, limit: 2, withBodies: true)
    #expect(filed.map(\.letter.body) == [wild.body, deadLetter(2).body])
    #expect(filed.first?.letter.attempts ?? 0 >= 1_000_000)
  },
  ContractCase("a letter that the archive cannot take is named by its place with why, and holds up no other") {
    archive async throws in
    // A reason longer than an index can hold. It must not be one that compresses well.
    var number: UInt32 = 1
    let reason = (0..<12_000).map { _ -> Character in
      number = number &* 1_664_525 &+ 1_013_904_223
      return Character(Unicode.Scalar(UInt8(33 + (number >> 24) % 90)))
    }
    let letters = [deadLetter(1), deadLetter(2, String(reason)), deadLetter(3), deadLetter(1)]
    let filing = try await archive.file(letters)
    #expect(filing.new == 2 && filing.refused.keys.sorted() == [1])
    #expect(filing.refused[1]?.contains(String(reason.prefix(20))) == false)
    let filed = try await archive.letters(LetterFilter(), after: 0, limit: 10, withBodies: true)
    #expect(filed.map(\.letter) == [deadLetter(1), deadLetter(3)])
    #expect(try await archive.file([letters[1]]).refused.count == 1)
  },
]

/// Dead queues under test.
public struct DeadQueuesSubject: Sendable {
  /// Opens them anew, as another run of the command does.
  public let open: @Sendable () throws -> any DeadQueues
  /// Puts a letter into its stage's dead queue.
  public let park: @Sendable (DeadLetter) async throws -> Void
  /// Takes so many bodies from a stage's queue.
  public let worked: @Sendable (StageName, Int) async throws -> [[UInt8]]

  /// A subject.
  public init(
    open: @escaping @Sendable () throws -> any DeadQueues, park: @escaping @Sendable (DeadLetter) async throws -> Void,
    worked: @escaping @Sendable (StageName, Int) async throws -> [[UInt8]]
  ) {
    self.open = open
    self.park = park
    self.worked = worked
  }
}

/// What every broker's dead queues keep.
public let deadQueuesContract: [ContractCase<DeadQueuesSubject>] = [
  ContractCase("what lies there is taken, stage by stage; then there is nothing") { subject in
    for order in 1...3 { try await subject.park(deadLetter(Int64(order), body: #"{"n":\#(order)}"#)) }
    let queues = try subject.open()
    #expect(try await queues.take(.transform, max: 10).isEmpty)
    var bodies: [[UInt8]] = []
    while true {
      let some = try await queues.take(.load, max: 2)
      #expect(some.count <= 2 && some.allSatisfy { $0.letter.stage == .load })
      if some.isEmpty { break }
      bodies += some.map(\.letter.body)
      queues.acknowledge(some)
    }
    #expect(bodies == (1...3).map { Array(#"{"n":\#($0)}"#.utf8) })
    await queues.close()
    let again = try subject.open()
    #expect(try await again.take(.load, max: 10).isEmpty)
    await again.close()
  },
  ContractCase("what is not acknowledged is taken again, as the same letter") { subject in
    try await subject.park(deadLetter(1))
    let first = try subject.open()
    let taken = try await first.take(.load, max: 10)
    await first.close()
    var again: [TakenLetter] = []
    while again.isEmpty {
      let second = try subject.open()
      again = try await second.take(.load, max: 10)
      await second.close()
    }
    #expect(taken.count == 1 && again.map(\.letter) == taken.map(\.letter))
  },
  ContractCase("a letter that is published again comes to its stage's queue, and is not parked any more") { subject in
    try await subject.park(deadLetter(1, body: #"{"n":7}"#))
    let queues = try subject.open()
    let taken = try await queues.take(.load, max: 10)
    queues.acknowledge(taken)
    #expect(await queues.publishAgain(taken.map(\.letter)) == [.confirmed])
    await queues.close()
    #expect(try await subject.worked(.load, 1) == [Array(#"{"n":7}"#.utf8)])
  },
  ContractCase("a letter without a body, as of an order that could not be read, is not published, and told the way") {
    subject in
    let queues = try subject.open()
    var nameless = deadLetter(2, "undecodable", body: "")
    nameless.orderID = nil
    let answers = await queues.publishAgain([
      deadLetter(1, "order_malformed", body: ""), nameless, deadLetter(3, body: #"{"n":3}"#),
    ])
    await queues.close()
    let why = answers.map { if case .tooLarge(let why) = $0 { why } else { "\($0)" } }
    #expect(why.count == 3 && why[0].contains("no body") && why[0].contains("--refetch"), "\(why)")
    #expect(why[1].contains("no body") && why[1].contains("discard"), "\(why)")
    #expect(answers.last == .confirmed)
    #expect(try await subject.worked(.load, 1) == [Array(#"{"n":3}"#.utf8)])
  },
]
