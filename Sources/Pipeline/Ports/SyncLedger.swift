public import Orders

/// Why the ledger did not answer.
public enum LedgerFailure: Error, Sendable, Equatable {
  /// PostgreSQL is away, or the outcome of the statement is unknown: every statement may be repeated.
  case unavailable(String)
  /// The ledger itself is wrong: schema missing or too old. A person must act.
  case broken(String)
}

/// What becomes of an order that changes after its bill was written.
public enum ChangedOrders: String, Sendable, CaseIterable {
  /// It is parked, for a person.
  case hold
  /// The bill in K/3 is changed, as long as K/3 lets us.
  case update
  /// Nothing: the bill stays as it was written.
  case ignore
}

/// What becomes of the bills of an order that is removed in OKKI after they were written.
public enum RemovedOrders: String, Sendable, CaseIterable {
  /// They stay, and the removal is parked, for a person.
  case hold
  /// They are deleted in K/3, as long as K/3 lets us.
  case cancel
}

/// An order that OKKI lists as deleted.
public struct RemovalRequest: Sendable, Equatable {
  /// The order.
  public let order: OrderID
  /// The removal's number among the order's revisions: contents of older ones are not written any more.
  public let revision: Int64
  /// Whether its bills are claimed, to be deleted.
  public let cancels: Bool

  /// A removal.
  public init(_ order: OrderID, revision: Int64, cancels: Bool) {
    self.order = order
    self.revision = revision
    self.cancels = cancels
  }
}

/// A bill that is in K/3, claimed to be deleted.
public struct StandingBill: Sendable, Equatable {
  /// Which bill of which order.
  public let bill: BillID
  /// K/3's object.
  public let object: String
  /// Its number in K/3.
  public let number: String
  /// K/3's id of it, where K/3 told one.
  public let internalID: Int64?
  /// Fencing token of the claim.
  public let token: Int64
  /// An earlier attempt to delete it is in doubt.
  public let isInDoubt: Bool
  /// How many look-ups in a row did not settle it.
  public let absences: Int

  /// A bill.
  public init(
    _ bill: BillID, object: String, number: String, internalID: Int64?, token: Int64, isInDoubt: Bool = false,
    absences: Int = 0
  ) {
    (self.bill, self.object, self.number, self.internalID) = (bill, object, number, internalID)
    (self.token, self.isInDoubt, self.absences) = (token, isInDoubt, absences)
  }
}

/// What the ledger says of a removal that it has recorded. With nothing in it, nothing of the order is in K/3, nor will be.
public struct RemovalAnswer: Sendable, Equatable {
  /// The order was seen again since, and that revision is claimed, or was removed again.
  public var isStale = false
  /// Bills to be deleted.
  public var claimed: [StandingBill] = []
  /// Bills that are in K/3, or may be, and that nobody touches.
  public var held: [BillID] = []
  /// Some bill is being written or found out about, for so many seconds more.
  public var waitSeconds: Int?
  /// K/3 may hold bills of the order that the ledger does not know: it was restored from a backup, and the order may have been
  /// loaded and deleted since.
  public var mayBeUnknown = false

  /// Nothing there.
  public init() {}
}

/// A worker's wish to write a bill.
public struct ClaimRequest: Sendable, Equatable {
  /// Which bill of which order.
  public let bill: BillID
  /// The order's revision to be written.
  public let revision: Int64
  /// K/3's object, such as `SO`: its bills' numbers are unique among themselves.
  public let object: String
  /// The number that the mapping gave the bill; the external key is derived from it at the first claim.
  public let billNumber: String
  /// The header field that the mapping put it into; it is the row's as long as nothing of the bill may be in K/3.
  public var keyField = Bill.numberField
  /// Fingerprint of the bill's body.
  public let payloadHash: Int64
  /// Into how many bills the strategy cuts the order in this revision; 0 from one that cuts none.
  public var parts = 0
  /// The order may have several bills in this stream.
  public var isOneOfSeveral: Bool { parts > 0 }
  /// See `BillRoute.beside`; nil: other streams are not looked at.
  public var beside: [String]?
  /// What is wanted where an older revision of the bill is written. Requests of one order in one call agree in it.
  public var change = ChangedOrders.hold
  /// The strategy that made the bill; kept for people.
  public var strategy = ""
  /// What the mapping noted of the bill, JSON; kept for people.
  public var notes: String?

  /// A claim.
  public init(_ bill: BillID, revision: Int64, object: String, billNumber: String, payloadHash: Int64) {
    self.bill = bill
    self.revision = revision
    self.object = object
    self.billNumber = billNumber
    self.payloadHash = payloadHash
  }
}

/// What the ledger answers to a claim (nothing-lost-nothing-twice.md §3).
public enum ClaimAnswer: Sendable, Equatable {
  /// Ours: Save under this key, before the lease ends; or Update, where a bill is standing (`Claim.standing`).
  case new(Claim)
  /// Ours, but an earlier attempt's outcome is unknown: ask K/3 first.
  case inDoubt(Claim)
  /// Another worker holds it for so many seconds more.
  case busy(forSeconds: Int)
  /// Nothing is known of it: the ledger failed, in a way that a person must mend, after others of the call were answered, whose
  /// answers count.
  case unanswered(LedgerFailure)
  /// An outcome in doubt must not be looked up yet, for so many seconds more.
  case tooEarly(forSeconds: Int)
  /// This revision is written, or an older one that made the very same bill.
  case duplicate
  /// A newer revision is written or being written.
  case stale
  /// An older revision is written: the order changed afterwards.
  case changedAfterWritten
  /// An older revision is written, and the request's `change` says that nothing happens then.
  case ignored
  /// The order was removed in OKKI after this revision: it is not written.
  case removed
  /// The order's bill stands, or may stand, in another stream, beside which this one may not.
  case writtenElsewhere(stream: String)
}

/// A claim that was granted.
public struct Claim: Sendable, Equatable {
  /// The external key, fixed for the bill at its first claim.
  public let key: String
  /// The header field that holds the key. In doubt it is that of the attempt in doubt: by another one its bill is not found.
  public let keyField: String
  /// Fencing token: settles count only with it.
  public let token: Int64
  /// Of a claim in doubt: the oldest revision that may have been written; where only what this revision makes may have been,
  /// this one; where anything else of this revision may have been, an older one than it. Nil of a new one.
  public let doubtfulRevision: Int64?
  /// Of a claim in doubt: how many look-ups in a row have found nothing since the last Save. 0 of a new one.
  public let absences: Int
  /// The number of the order's own bill in K/3, written in an older revision: it is to be changed, and nothing is ever saved
  /// beside it. Nil where nothing is known to be written.
  public let standing: String?
  /// K/3's object of what is, or may be, in K/3. Another one than was asked for (an edited strategy) is looked for there, and
  /// nothing is sent while it may be there.
  public let object: String
  /// The order was removed in OKKI after this revision: the claim is to find out what is in K/3, and nothing is sent.
  public let isRemoved: Bool

  /// A claim.
  public init(
    key: String, token: Int64, doubtfulRevision: Int64? = nil, absences: Int = 0, standing: String? = nil,
    isRemoved: Bool = false, keyField: String = Bill.numberField, object: String = ""
  ) {
    self.object = object
    self.keyField = keyField
    self.isRemoved = isRemoved
    self.key = key
    self.token = token
    self.doubtfulRevision = doubtfulRevision
    self.absences = absences
    self.standing = standing
  }
}

/// What became of a claim.
public struct Settlement: Sendable, Equatable {
  /// The states that a claim can end in.
  public enum Result: Sendable, Equatable {
    /// Written in K/3.
    case written(WrittenBill)
    /// Provably nothing was written: the next claim is `new`. A bill that is standing stays so.
    case clean
    /// Unknown: the next claim is `inDoubt`, not before so many seconds have passed. `absences`: how many look-ups in a
    /// row have found nothing since the last Save.
    case inDoubt(lookUpAfterSeconds: Int, absences: Int = 0)
    /// K/3 has the order's bill, of this revision or of an older one: from then on each claim has it as `Claim.standing`. The next
    /// one is `inDoubt`, as after `inDoubt`.
    case standing(WrittenBill, lookUpAfterSeconds: Int, absences: Int)
    /// Of a bill claimed for its deletion: it is deleted, or was not there. The next claim is `new`.
    case cancelled
    /// Of a bill claimed for its deletion: whether it is deleted is unknown. Only `remove` gets it again, not before so many
    /// seconds have passed.
    case cancelling(lookUpAfterSeconds: Int, absences: Int = 0)
    /// Parked with its reason. The next claim is `new`, since provably nothing was written; but where the reason leaves
    /// a doubt (`ReasonCode.leavesDoubt`) it is `inDoubt`.
    case parked(ReasonCode)
  }

  /// Which bill of which order.
  public let bill: BillID
  /// The claim's token.
  public let token: Int64
  /// What became of it.
  public let result: Result
  /// Of a claim that ends in doubt: its Save came after proof that nothing older is in K/3, so that only its own revision may be.
  public var followsProof = false
  /// Of a `written` one: the bill that was found may be of another content than the claimed one, of what was in doubt before it.
  public var isOther = false
  /// What the vendor answered, where it was not what was expected: at most 200 characters, secrets masked. It stays on the
  /// order's row until another one comes, for people; no log has it.
  public var vendorAnswer: String?

  /// A settlement.
  public init(_ bill: BillID, token: Int64, result: Result) {
    self.bill = bill
    self.token = token
    self.result = result
  }
}

/// The loader's memory: one row per bill, many rows a statement.
public protocol SyncLedger: Sendable {
  /// Claims bills; committed when it returns. One answer per request, in order; two requests for one bill in a batch
  /// are answered as if they came one after the other.
  ///
  /// No bill is granted beside another one of the same order and stream that has a newer revision (`stale`), or that is or
  /// may be in K/3 with an older one, or from another cut of the order (`changedAfterWritten`; `busy` and `tooEarly`
  /// while that is being found out, for a day at most). The same holds of the order's bills in other streams, but for
  /// those in `beside`; there a bill in the way is told as `writtenElsewhere`.
  ///
  /// Where an older revision of the bill itself is written in the same cut, and `update` is wanted, the bill is claimed all the
  /// same: `new`, with its number as `standing`; from then on, until it is written again, each claim of it has `standing`.
  /// Where the newer revision makes the very same bill (payload, object, cut) the answer is `duplicate`, whatever is wanted,
  /// and revisions between the two are stale from then on.
  /// - Parameter leaseSeconds: how long nobody else may take them.
  func claim(_ requests: [ClaimRequest], leaseSeconds: Int) async throws(LedgerFailure) -> [ClaimAnswer]
  /// Records that orders are removed, and says what there is of them; committed when it returns. One answer per request, in
  /// order. May be repeated. From then on older revisions are not granted (`removed`), but for those in doubt, to be looked up.
  /// - Parameter leaseSeconds: how long nobody else may take the bills that are claimed.
  func remove(_ requests: [RemovalRequest], leaseSeconds: Int) async throws(LedgerFailure) -> [RemovalAnswer]
  /// Records outcomes; committed when it returns. One flag per settlement, in order: false when the claim's token is
  /// not the row's any more (the lease ended and another worker took over).
  func settle(_ settlements: [Settlement]) async throws(LedgerFailure) -> [Bool]
}
