import JSON
public import Orders
public import Pipeline
import Synchronization

/// An ERP in memory that keeps bills by their external key, with failures on demand. It numbers those whose key is not their
/// number.
///
/// It refuses a key that it has, and the customer numbers it was told to refuse.
public final class MemoryBillDestination: BillDestination {
  /// What happens to a Save.
  public enum Mishap: Sendable {
    /// Nothing is written, and this is answered.
    case answer(SaveAnswer)
    /// It is written, and the answer is lost.
    case lostAnswer
    /// It is written, and the answer does not have K/3's id.
    case untoldID
  }

  private struct State {
    var bills: [String: (bill: WrittenBill, body: [UInt8])] = [:]
    var nextID: Int64 = 1
    var saves: [String] = []
    var lastStart: ContinuousClock.Instant?
    var updates: [String] = []
    var deletes: [String] = []
    var audited: Set<String> = []
    var lookUps: [String] = []
    var mishaps: [String: [Mishap]] = [:]
    var lookUpAnswers: [String: [LookUpAnswer]] = [:]

    func key(ofNumber number: String) -> String? {
      bills[number]?.bill.number == number ? number : bills.first { $0.value.bill.number == number }?.key
    }
  }

  private let unknownCustomers: Set<String>
  private let state = Mutex(State())

  /// An empty ERP.
  public init(unknownCustomers: Set<String> = []) { self.unknownCustomers = unknownCustomers }

  /// What happens to the next Save or Update under this key; several come one after the other.
  public func next(_ mishap: Mishap, key: String) {
    state.withLock { $0.mishaps[key, default: []].append(mishap) }
  }

  /// What the next look-up of this key answers, whatever is there.
  public func next(lookUp answer: LookUpAnswer, key: String) {
    state.withLock { $0.lookUpAnswers[key, default: []].append(answer) }
  }

  /// Whether it answers questions.
  public func isAnswering() async -> Bool { true }

  /// Puts a bill there that is not ours.
  public func plant(_ body: [UInt8], key: String) {
    state.withLock { $0.bills[key] = (WrittenBill(number: key, internalID: nil), body) }
  }

  /// The keys of all Saves that arrived, in order.
  public var saves: [String] { state.withLock { $0.saves } }
  /// When the last Save might have started at the latest.
  public var lastStart: ContinuousClock.Instant? { state.withLock { $0.lastStart } }
  /// The keys of all Updates that arrived, in order.
  public var updates: [String] { state.withLock { $0.updates } }
  /// The numbers of all Deletes that arrived, in order.
  public var deletes: [String] { state.withLock { $0.deletes } }
  /// From now on the bill under this key cannot be changed.
  public func audit(_ key: String) { state.withLock { _ = $0.audited.insert(key) } }
  /// Takes a bill away, as a person does.
  public func remove(_ key: String) { state.withLock { $0.bills[key] = nil } }
  /// The keys of all look-ups, in order.
  public var lookUps: [String] { state.withLock { $0.lookUps } }
  /// The bodies by number; of another object than `SO` by `object/number`.
  public var bodies: [String: [UInt8]] { state.withLock { $0.bills.mapValues(\.body) } }

  /// A body is `Data` with one header in `Page1`, whose `keyField` is the bill's number.
  public func defect(of bill: Bill) -> String? {
    guard let root = (try? JSONDocument(bill.body))?.root else { return "body is not acceptable JSON" }
    guard let page = root["Data"]?["Page1"], page.kind == .array, page.count == 1, page[0]?.kind == .object else {
      return "body is not Data with one header in Page1"
    }
    let isRight = page[0]?[bill.keyField]?.text == bill.number
    return isRight ? nil : "\(bill.keyField) is not the number that the message has for it"
  }

  /// One answer each, in order.
  public func save(_ bills: [KeyedBill]) async -> [SaveAnswer] { bills.map(save) }

  private func save(_ bill: KeyedBill) -> SaveAnswer {
    guard bill.notAfter > .now else { return .notStarted(Reason(.k3Busy, "the Save came too late")) }
    return state.withLock { state in
      state.saves.append(bill.key)
      state.lastStart = bill.notAfter
      let mishap = state.mishaps[bill.key]?.first
      if mishap != nil { state.mishaps[bill.key]?.removeFirst() }
      if case .answer(let answer) = mishap { return answer }
      let place = Self.place(bill.bill.object, bill.key)
      if state.bills[place] != nil { return .uncertain(Reason(.inDoubt, "the number is there already")) }
      if let customer = Self.customer(bill.bill.body), unknownCustomers.contains(customer) {
        return .rejected(Reason(.k3Rejected, "the customer does not exist"), answer: "客户不存在")
      }
      let number = bill.isKeyNumber ? bill.key : "OWN\(state.nextID)"
      let written = WrittenBill(number: number, internalID: state.nextID)
      state.nextID += 1
      state.bills[place] = (written, bill.bill.body)
      switch mishap {
      case .untoldID: return .written(WrittenBill(number: number, internalID: nil))
      case .lostAnswer: return .uncertain(Reason(.inDoubt, "the answer was lost"))
      case .answer, nil: return .written(written)
      }
    }
  }

  /// One answer each, in order.
  public func update(_ bills: [KeyedBill]) async -> [SaveAnswer] { bills.map(update) }

  private func update(_ bill: KeyedBill) -> SaveAnswer {
    guard bill.notAfter > .now else { return .notStarted(Reason(.k3Busy, "the Update came too late")) }
    return state.withLock { state in
      state.updates.append(bill.key)
      let mishap = state.mishaps[bill.key]?.first
      if mishap != nil { state.mishaps[bill.key]?.removeFirst() }
      if case .answer(let answer) = mishap { return answer }
      let place = Self.place(bill.bill.object, bill.key)
      guard let old = state.bills[place], !state.audited.contains(bill.key) else {
        return .rejected(Reason(.changedAfterWritten, "it cannot be changed"), answer: "单据已审核")
      }
      if let customer = Self.customer(bill.bill.body), unknownCustomers.contains(customer) {
        return .rejected(Reason(.k3Rejected, "the customer does not exist"), answer: "客户不存在")
      }
      state.bills[place] = (old.bill, bill.bill.body)
      return mishap == nil ? .written(old.bill) : .uncertain(Reason(.inDoubt, "the answer was lost"))
    }
  }

  /// One answer each, in order; K/3's id tells bills apart.
  public func find(_ bills: [StandingBill]) async -> [LookUpAnswer] {
    bills.map { bill in
      state.withLock { state in
        state.lookUps.append(bill.number)
        if let answer = state.lookUpAnswers[bill.number]?.first {
          state.lookUpAnswers[bill.number]?.removeFirst()
          return answer
        }
        guard let found = state.key(ofNumber: bill.number).flatMap({ state.bills[$0] }) else { return .absent }
        guard let id = bill.internalID, let shown = found.bill.internalID else {
          return .ambiguous(Reason(.conflict, "whose bill it is nobody can tell"))
        }
        return id == shown ? .same(found.bill) : .different(Reason(.conflict, "another bill"))
      }
    }
  }

  /// One answer each, in order.
  public func delete(_ bills: [StandingBill], notAfter: ContinuousClock.Instant) async -> [SaveAnswer] {
    bills.map { bill in
      guard notAfter > .now else { return .notStarted(Reason(.k3Busy, "the Delete came too late")) }
      return state.withLock { state in
        state.deletes.append(bill.number)
        let mishap = state.mishaps[bill.number]?.first
        if mishap != nil { state.mishaps[bill.number]?.removeFirst() }
        if case .answer(let answer) = mishap { return answer }
        if state.audited.contains(bill.number) {
          return .rejected(Reason(.k3Rejected, "it cannot be deleted"), answer: "单据已审核")
        }
        guard let key = state.key(ofNumber: bill.number), let old = state.bills.removeValue(forKey: key) else {
          return .uncertain(Reason(.inDoubt, "it is not there"))
        }
        return mishap == nil ? .written(old.bill) : .uncertain(Reason(.inDoubt, "the answer was lost"))
      }
    }
  }

  /// Each object has numbers of its own.
  private static func place(_ object: String, _ key: String) -> String { object == "SO" ? key : "\(object)/\(key)" }

  private static func customer(_ body: [UInt8]) -> String? {
    (try? JSONDocument(body))?.root["Data"]?["Page1"]?[0]?["FCustID"]?["FNumber"]?.text
  }

  /// One answer each, in order; a bill is the same when its body is.
  public func lookUp(_ bills: [KeyedBill]) async -> [LookUpAnswer] {
    bills.map { bill in
      state.withLock { state in
        state.lookUps.append(bill.key)
        if let answer = state.lookUpAnswers[bill.key]?.first {
          state.lookUpAnswers[bill.key]?.removeFirst()
          return answer
        }
        guard let found = state.bills[Self.place(bill.object, bill.key)] else { return .absent }
        return found.body == bill.bill.body ? .same(found.bill) : .different(Reason(.conflict, "another bill"))
      }
    }
  }
}
