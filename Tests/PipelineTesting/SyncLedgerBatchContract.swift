import Orders
import Pipeline
import Testing

let batchCases: [ContractCase<SyncLedgerSubject>] = [
  ContractCase("answers stand in the order of the requests, whatever their ids") { subject async throws in
    _ = try await subject.claim(20)
    let answers = try await subject.ledger.claim(
      [request(30), request(20), request(10), request(40)], leaseSeconds: 60)
    #expect(answers.map(\.isNew) == [true, false, true, true])
    #expect(answers[1].busySeconds != nil)
    #expect(answers[0].claim?.key == "SO30")
    #expect(answers[2].claim?.key == "SO10")
    let flags = try await subject.ledger.settle([
      Settlement(bill(of: OrderID(rawValue: 40)), token: answers[3].claim?.token ?? 0, result: .clean),
      Settlement(bill(of: OrderID(rawValue: 20)), token: -1, result: .clean),
      Settlement(bill(of: OrderID(rawValue: 10)), token: answers[2].claim?.token ?? 0, result: .clean),
    ])
    #expect(flags == [true, false, true])
  },
  ContractCase("an empty batch is no mistake") { subject async throws in
    #expect(try await subject.ledger.claim([], leaseSeconds: 60).isEmpty)
    #expect(try await subject.ledger.settle([]).isEmpty)
  },
  ContractCase("repetitions in a batch are answered one after the other") { subject async throws in
    let answers = try await subject.ledger.claim(
      [request(1, 2), request(2, 1), request(1, 2), request(1, 1), request(1, 3)], leaseSeconds: 60)
    #expect(answers[0].isNew)
    #expect(answers[1].isNew)
    #expect(answers[2].busySeconds != nil)
    #expect(answers[3] == .stale)
    #expect(answers[4].busySeconds != nil)
  },
  ContractCase("of two settlements of one claim in a batch the second one sees the first") { subject async throws in
    let token = try #require(try await subject.claim(1).claim?.token)
    let order = OrderID(rawValue: 1)
    let flags = try await subject.ledger.settle([
      Settlement(bill(of: order), token: token, result: .written(WrittenBill(number: "SO1", internalID: nil))),
      Settlement(bill(of: order), token: token, result: .clean),
    ])
    #expect(flags == [true, false])
    #expect(try await subject.claim(1) == .duplicate)
  },
  ContractCase("two orders with one number in a batch both get a key, and different ones") { subject async throws in
    let answers = try await subject.ledger.claim(
      [request(7, number: "A"), request(8, number: "A"), request(9, number: "a")], leaseSeconds: 60)
    let keys = answers.compactMap { $0.claim?.key }
    #expect(keys == ["A", "A-8", "a-9"])
  },
  ContractCase("a number that another order has is shortened with the order's id") { subject async throws in
    _ = try await subject.claim(7, number: "A")
    #expect(try await subject.claim(8, number: "A").claim?.key == "A-8")
  },
  ContractCase("a shortened number that is itself another order's number is avoided") { subject async throws in
    _ = try await subject.claim(5, number: "A-8")
    _ = try await subject.claim(7, number: "A")
    let key = try #require(try await subject.claim(8, number: "A").claim?.key)
    #expect(key.hasPrefix("A-8-"))
    let answers = try await subject.ledger.claim(
      [request(10, number: "B"), request(11, number: "B"), request(12, number: "B-11")], leaseSeconds: 60)
    #expect(Set(answers.compactMap { $0.claim?.key.lowercased() }).count == 3)
  },
  ContractCase("a number too long, empty or with control characters becomes a key that fits") { subject async throws in
    let long = String(repeating: "长", count: 100)
    let answers = try await subject.ledger.claim(
      [request(1, number: long), request(2, number: ""), request(3, number: "A\u{0}\r\nB"), request(4, number: "\t")],
      leaseSeconds: 60)
    let keys = answers.compactMap { $0.claim?.key }
    #expect(keys.count == 4)
    #expect(keys[0].utf16.count <= 80)
    #expect(keys[0].hasSuffix("-1"))
    #expect(keys[1] == "2")
    #expect(keys[2] == "AB")
    #expect(keys[3] == "4")
  },
  ContractCase("a number of the greatest length that fits is taken as it is") { subject async throws in
    let number = String(repeating: "9", count: 80)
    #expect(try await subject.claim(1, number: number).claim?.key == number)
    #expect(try await subject.claim(2, number: number + "9").claim?.key == String(repeating: "9", count: 78) + "-2")
  },
  ContractCase("of two workers racing for the same orders exactly one gets each") { subject async throws in
    let orders = (1...200).map { Int64($0) }
    async let left = subject.ledger.claim(orders.map { request($0) }, leaseSeconds: 60)
    async let right = subject.other.claim(orders.reversed().map { request($0) }, leaseSeconds: 60)
    let answers = try await (left, Array(right.reversed()))
    for (one, two) in zip(answers.0, answers.1) {
      #expect(one.isNew != two.isNew)
      #expect((one.busySeconds ?? two.busySeconds) != nil)
    }
  },
  ContractCase("orders with one number in two racing batches get different keys") { subject async throws in
    async let left = subject.ledger.claim((1...50).map { request($0, number: "N\($0)") }, leaseSeconds: 60)
    async let right = subject.other.claim((51...100).map { request($0, number: "N\($0 - 50)") }, leaseSeconds: 60)
    let answers = try await left + right
    let keys = answers.compactMap { $0.claim?.key }
    #expect(keys.count == 100)
    #expect(Set(keys).count == 100)
  },
  ContractCase("a large batch is answered whole") { subject async throws in
    let orders = (1...5_000).map { Int64($0) }
    let answers = try await subject.ledger.claim(orders.map { request($0) }, leaseSeconds: 60)
    #expect(answers.filter(\.isNew).count == 5_000)
    let flags = try await subject.ledger.settle(
      zip(orders, answers).map { order, answer in
        Settlement(
          bill(of: OrderID(rawValue: order)), token: answer.claim?.token ?? 0,
          result: .written(WrittenBill(number: "SO\(order)", internalID: order)))
      })
    #expect(flags == Array(repeating: true, count: 5_000))
  },
]
