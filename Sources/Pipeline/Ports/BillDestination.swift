public import Orders

/// A bill with the external key that the ledger gave it.
public struct KeyedBill: Sendable {
  /// The bill as mapped.
  public let bill: Bill
  /// The external key: what goes into the field `keyField`, and what K/3 is asked for in doubt.
  public let key: String
  /// The header field that holds the key. It is the ledger's: a strategy may have named another one since the first claim.
  public let keyField: String
  /// K/3's object that is asked for it. It is the ledger's: a strategy may make a bill of another one since.
  public let object: String
  /// The number that K/3 is known to hold the bill under; nil where that is not known.
  public let standing: String?
  /// K/3 has been asked for the key often enough and shows no bill with it: the Save is a repeated one.
  public var followsAbsences = false
  /// A Save must not start after this; it is then answered `.notStarted`.
  public let notAfter: ContinuousClock.Instant

  /// A bill and its key.
  /// - Parameters:
  ///   - keyField: nil: the bill's own.
  ///   - object: nil: the bill's own.
  public init(
    _ bill: Bill, key: String, keyField: String? = nil, object: String? = nil, standing: String? = nil,
    notAfter: ContinuousClock.Instant
  ) {
    self.bill = bill
    self.object = object ?? bill.object
    self.keyField = keyField ?? bill.keyField
    // A number that is the key stays what K/3 has made of it.
    self.key = self.keyField == Bill.numberField ? standing ?? key : key
    self.standing = standing
    self.notAfter = notAfter
  }

  /// Whether the key is the bill's number.
  public var isKeyNumber: Bool { keyField == Bill.numberField }
  /// The bill's number in K/3, as far as it is known before K/3 says it.
  public var number: String? { standing ?? (isKeyNumber ? key : nil) }
}

/// What K/3 keeps of a bill that was written.
public struct WrittenBill: Sendable, Equatable {
  /// Its number (`FBillNo`).
  public let number: String
  /// K/3's internal id (`FInterID`), where it was told.
  public let internalID: Int64?
  /// What the strategy's `primaryWriteback` makes of both, JSON; nil where it has none.
  public var writeback: String?

  /// A written bill.
  public init(number: String, internalID: Int64?) {
    self.number = number
    self.internalID = internalID
  }
}

/// What came of a Save or Update (vendor-apis.md A.4, "Classification").
public enum SaveAnswer: Sendable, Equatable {
  /// Written.
  case written(WrittenBill)
  /// Refused for good: the bill as it is will never pass. Nothing was written.
  case rejected(Reason, answer: String)
  /// Provably nothing was written, and it may pass later.
  case nothingWritten(Reason)
  /// The request never began: it waited too long for its turn, or Ferry is shutting down.
  case notStarted(Reason)
  /// Provably nothing was written, and nothing else would be either: K/3 is away or does not let us in.
  case outage(Reason)
  /// Nobody knows. Must be resolved by a look-up before anything is repeated. `answer`: the beginning of what came, at most
  /// 200 characters, secrets masked; nil where nothing came.
  case uncertain(Reason, answer: String? = nil)
}

extension SaveAnswer {
  /// What K/3 said, where that is kept with the order.
  var vendorAnswer: String? {
    switch self {
    case .rejected(_, let answer): answer
    case .uncertain(_, let answer): answer
    case .written, .nothingWritten, .notStarted, .outage: nil
    }
  }
}

/// What K/3 holds under a key.
public enum LookUpAnswer: Sendable, Equatable {
  /// Our bill: customer, lines and amounts agree with what was (to be) sent.
  case same(WrittenBill)
  /// A bill that is not ours, or not of this revision.
  case different(Reason)
  /// Several bills, or one whose number only resembles the key: nothing may be changed under it.
  case ambiguous(Reason)
  /// No bill.
  case absent
  /// K/3 could not be asked: it is away or busy, or does not let us in (`k3Unauthorized`). `answer`: as with `SaveAnswer.uncertain`.
  case unavailable(Reason, answer: String? = nil)
  /// K/3 answers the question about other bills, and the one about this bill not in time.
  case late(Reason, answer: String? = nil)
  /// K/3 answered, and its answer tells nothing of the bill: it contradicts itself or the question, or refuses this one.
  case unusable(Reason, answer: String? = nil)
}

extension LookUpAnswer {
  /// What K/3 said, where it was not what was expected: that is kept with the order.
  var vendorAnswer: String? {
    switch self {
    case .unavailable(_, let answer), .late(_, let answer), .unusable(_, let answer): answer
    case .same, .different, .ambiguous, .absent: nil
    }
  }
}

/// The ERP, as the load stage needs it. Keeps its own bound on requests under way.
public protocol BillDestination: Sendable {
  /// What is wrong with a bill's body, as a clause without any of its values; nil when it is the body of a bill with
  /// this number in its `keyField`. Asks nobody: it is called for every bill, before it is claimed.
  func defect(of bill: Bill) -> String?
  /// Saves bills, each in a request of its own that is sent at most once. One answer per bill, in order.
  func save(_ bills: [KeyedBill]) async -> [SaveAnswer]
  /// Makes the bills that stand under the keys what these bills say, lines and all, each in a request of its own that is sent
  /// at most once. One answer per bill, in order; a bill that K/3 does not let us change any more, or does not have, is
  /// `rejected` as `changedAfterWritten`.
  func update(_ bills: [KeyedBill]) async -> [SaveAnswer]
  /// Asks what is held under each bill's key. One answer per bill, in order.
  func lookUp(_ bills: [KeyedBill]) async -> [LookUpAnswer]
  /// Asks whether bills that were written are there: `same` where K/3's id proves it, `absent`, another one (`different`) under the
  /// number, or one of which nobody can tell (`ambiguous`). One answer per bill, in order.
  func find(_ bills: [StandingBill]) async -> [LookUpAnswer]
  /// Deletes bills, each in a request of its own that is sent at most once, and not after `notAfter`. One answer per bill, in
  /// order: `written` says that it is deleted, `rejected` that K/3 does not let us.
  func delete(_ bills: [StandingBill], notAfter: ContinuousClock.Instant) async -> [SaveAnswer]
  /// Whether K/3 answers at all, by a question that changes nothing. A refusal is an answer.
  func isAnswering() async -> Bool
}
