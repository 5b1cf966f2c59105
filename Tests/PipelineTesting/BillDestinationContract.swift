public import Orders
public import Pipeline
import Testing

/// What every `BillDestination` must do. Run it against the double and against the adapter.
public struct BillDestinationContract {
  /// A bill that the destination takes.
  public struct Sample: Sendable {
    /// What stands in the field of the key.
    public var number: String
    /// A customer that the destination knows, or not.
    public var hasKnownCustomer = true
    /// The quantity of the bill's one line.
    public var quantity = 10

    /// A bill with this number.
    public init(number: String) { self.number = number }
  }

  /// The destination under test.
  public let destination: any BillDestination
  /// Makes the bill that a sample describes.
  public let bill: @Sendable (Sample) -> Bill
  /// Begins every number, so that tests do not meet.
  public let prefix: String

  /// A contract for this destination.
  public init(_ destination: any BillDestination, prefix: String, bill: @escaping @Sendable (Sample) -> Bill) {
    self.destination = destination
    self.prefix = prefix
    self.bill = bill
  }

  /// Every rule.
  public func check() async throws {
    #expect(await destination.save([]).isEmpty)
    #expect(await destination.lookUp([]).isEmpty)
    #expect(await destination.isAnswering())
    onlyBillsPass()
    try await savedOnceAndFound()
    try await manyKeepTheirOrder()
    try await otherBillIsAConflict()
    try await keyReplacesNumber()
    try await tooLateWritesNothing()
    try await refusedWritesNothing()
    try await updateReplaces()
    try await updateOfNothing()
    try await deleteTakesOurs()
  }

  private func keyed(
    _ sample: Sample, key: String? = nil, standing: String? = nil, in time: Duration = .seconds(3600)
  ) -> KeyedBill {
    KeyedBill(bill(sample), key: key ?? sample.number, standing: standing, notAfter: .now + time)
  }

  /// A key that is the number stays it; else K/3 has given the bill one.
  private func checkNumber(of written: WrittenBill, _ bill: KeyedBill) {
    #expect(bill.isKeyNumber ? written.number == bill.key : !written.number.isEmpty && written.number != bill.key)
  }

  private func onlyBillsPass() {
    let good = bill(Sample(number: prefix + "read"))
    func defect(_ body: some Sequence<UInt8>, number: String? = nil) -> String? {
      destination.defect(
        of: Bill(object: good.object, number: number ?? good.number, body: Array(body), keyField: good.keyField))
    }
    #expect(defect(good.body) == nil)
    // Cut off at every byte, and what is no bill at all.
    #expect(good.body.indices.allSatisfy { defect(good.body[..<$0]) != nil })
    for text in ["not JSON", "null", "7", "\"x\"", "[]", "{}", #"{"Data":{}}"#, #"{"Data":{"Page1":[{}]}}"#] {
      #expect(defect(text.utf8) != nil, "\(text) passes for a bill")
    }
    let page = String(decoding: good.body, as: UTF8.self)
    #expect(defect(page.replacing("\"Page1\":[", with: "\"Page1\":[{},").utf8) != nil)
    #expect(defect(good.body + [UInt8(ascii: "}")]) != nil)
    let other = defect(good.body, number: prefix + "other")
    #expect(other?.contains(prefix) == false, "it must be told, without values")
  }

  private func savedOnceAndFound() async throws {
    let one = keyed(Sample(number: prefix + "once"))
    #expect(await destination.lookUp([one]) == [.absent])
    let saved = await destination.save([one])
    guard case .written(let written) = saved.first else {
      Issue.record("a good bill must be written: \(saved)")
      return
    }
    checkNumber(of: written, one)
    #expect(await destination.lookUp([one]) == [.same(written)])
    // A second Save of the same number must not pass for written: it would be a second bill. Of another key nobody promises it.
    guard one.isKeyNumber else { return }
    for answer in await destination.save([one]) {
      guard case .written = answer else { continue }
      Issue.record("a number was written twice")
    }
    #expect(await destination.lookUp([one]) == [.same(written)])
  }

  private func manyKeepTheirOrder() async throws {
    let bills = (1...30).map { keyed(Sample(number: "\(prefix)many-\($0)")) }
    let numbers = await destination.save(bills).map { answer -> String? in
      guard case .written(let bill) = answer else { return nil }
      return bill.number
    }
    #expect(Set(numbers.compactMap { $0 }).count == bills.count)
    #expect(numbers == bills.map(\.key) || !bills[0].isKeyNumber)
    let found = await destination.lookUp(bills).map { answer -> String? in
      guard case .same(let bill) = answer else { return nil }
      return bill.number
    }
    #expect(found == numbers)
  }

  private func otherBillIsAConflict() async throws {
    var sample = Sample(number: prefix + "other")
    _ = await destination.save([keyed(sample)])
    sample.quantity += 1
    guard case .different(let reason) = await destination.lookUp([keyed(sample)]).first else {
      Issue.record("a bill with another quantity is not the same")
      return
    }
    #expect(reason.code == .conflict)
  }

  private func keyReplacesNumber() async throws {
    let one = keyed(Sample(number: prefix + "mapped"), key: prefix + "key's own")
    guard case .written(let written) = await destination.save([one]).first else {
      Issue.record("a bill whose key differs from its number must be written")
      return
    }
    checkNumber(of: written, one)
    #expect(await destination.lookUp([one]) == [.same(written)])
    #expect(await destination.lookUp([keyed(Sample(number: prefix + "mapped"))]) == [.absent])
  }

  private func updateReplaces() async throws {
    var sample = Sample(number: prefix + "changed")
    guard case .written(let first) = await destination.save([keyed(sample)]).first else {
      Issue.record("a good bill must be written")
      return
    }
    let old = keyed(sample)
    sample.quantity += 5
    // Twice: it replaces, so it may be repeated.
    for _ in 0..<2 {
      guard case .written(let bill) = await destination.update([keyed(sample, standing: first.number)]).first else {
        Issue.record("a bill that is there must be changed")
        return
      }
      #expect(bill.number == first.number)
    }
    #expect(await destination.lookUp([keyed(sample)]) == [.same(first)])
    guard case .different = await destination.lookUp([old]).first else {
      Issue.record("the old content must be gone")
      return
    }
    sample.hasKnownCustomer = false
    guard case .rejected(let reason, _) = await destination.update([keyed(sample, standing: first.number)]).first else {
      Issue.record("an unknown customer must be rejected")
      return
    }
    #expect(reason.code == .k3Rejected)
    sample.hasKnownCustomer = true
    #expect(await destination.lookUp([keyed(sample)]) == [.same(first)])
    #expect(await destination.lookUp([keyed(sample, standing: first.number)]) == [.same(first)])
    let late = keyed(sample, standing: first.number, in: .seconds(-1))
    guard case .notStarted = await destination.update([late]).first else {
      Issue.record("an Update must not start after notAfter")
      return
    }
    #expect(await destination.update([]).isEmpty)
  }

  private func updateOfNothing() async throws {
    let nobody = keyed(Sample(number: prefix + "nobody's"), standing: prefix + "nobody's")
    guard case .rejected(let reason, _) = await destination.update([nobody]).first else {
      Issue.record("what is not there cannot be changed")
      return
    }
    #expect(reason.code == .changedAfterWritten)
    #expect(await destination.lookUp([nobody]) == [.absent])
  }

  private func deleteTakesOurs() async throws {
    let one = keyed(Sample(number: prefix + "deleted"))
    guard case .written(let written) = await destination.save([one]).first else {
      Issue.record("a good bill must be written")
      return
    }
    func standing(_ id: Int64?, _ number: String) -> StandingBill {
      StandingBill(
        BillID(OrderID(rawValue: 1), stream: "SO"), object: one.bill.object, number: number, internalID: id, token: 1)
    }
    let ours = standing(written.internalID, written.number)
    let later = ContinuousClock.now + .seconds(3600)
    #expect(await destination.find([ours, standing(nil, prefix + "nowhere")]).map(\.isAbsent) == [false, true])
    guard case .different = await destination.find([standing(-7, written.number)]).first else {
      Issue.record("a bill with another id is not ours")
      return
    }
    guard case .ambiguous = await destination.find([standing(nil, written.number)]).first else {
      Issue.record("a number alone does not tell whose bill it is")
      return
    }
    guard case .notStarted = await destination.delete([ours], notAfter: .now - .seconds(1)).first else {
      Issue.record("a Delete must not start after notAfter")
      return
    }
    guard case .written = await destination.delete([ours], notAfter: later).first else {
      Issue.record("a bill that is there must be deleted")
      return
    }
    #expect(await destination.find([ours]) == [.absent])
    guard case .uncertain = await destination.delete([ours], notAfter: later).first else {
      Issue.record("what is not there must be looked up")
      return
    }
  }

  private func tooLateWritesNothing() async throws {
    let late = keyed(Sample(number: prefix + "late"), in: .seconds(-1))
    guard case .notStarted = await destination.save([late]).first else {
      Issue.record("a Save must not start after notAfter")
      return
    }
    #expect(await destination.lookUp([late]) == [.absent])
  }

  private func refusedWritesNothing() async throws {
    var sample = Sample(number: prefix + "refused")
    sample.hasKnownCustomer = false
    let answers = await destination.save([keyed(Sample(number: prefix + "beside")), keyed(sample)])
    guard answers.count == 2, case .written = answers[0], case .rejected(let reason, _) = answers[1] else {
      Issue.record("an unknown customer must be rejected, its neighbour not: \(answers)")
      return
    }
    #expect(reason.code == .k3Rejected)
    #expect(await destination.lookUp([keyed(sample)]) == [.absent])
  }
}

extension LookUpAnswer {
  fileprivate var isAbsent: Bool { self == .absent }
}
