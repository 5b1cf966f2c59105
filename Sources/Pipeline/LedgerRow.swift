public import Orders

/// A bill's row in the loader's memory.
public struct LedgerRow: Sendable, Equatable {
  /// Where it stands, spelled as the ledger keeps it.
  public enum State: String, Sendable, CaseIterable {
    /// Claimed.
    case writing
    /// Provably nothing written by the last attempt.
    case clean
    /// Nobody knows.
    case inDoubt = "in_doubt"
    /// In K/3, in the row's revision.
    case written
    /// In the dead queue.
    case parked
  }

  /// Which bill of which order.
  public let id: BillID
  /// Where it stands.
  public var state: State
  /// The revision claimed last; of a written one the newest that is known to have the same content.
  public var revision: Int64
  /// Fingerprint of the body claimed last.
  public var payloadHash: Int64 = 0
  /// The fencing token of the claim.
  public var token: Int64 = 0
  /// End of the lease, or when a look-up is due, on the clock of whoever asks.
  public var due = Duration.zero
  /// Whether K/3 must be asked before anything is sent.
  public var doubt = false
  /// While in doubt: the oldest revision that may be in K/3, but for older ones that made just the same.
  public var doubtfulRevision: Int64?
  /// While in doubt: the fingerprint of all that may be in K/3 of before the last claim; nil where that is not one content,
  /// or not known, or of another object or cut than was claimed last.
  public var doubtfulHash: Int64?
  /// See `Settlement.vendorAnswer`.
  public var vendorAnswer: String?
  /// Look-ups in a row that found nothing.
  public var absences = 0
  /// The external key.
  public var key = ""
  /// See `Claim.keyField`.
  public var keyField = Bill.numberField
  /// K/3's object of what is or may be in K/3; where nothing may be, the one that was claimed last.
  public var object = ""
  /// Into how many bills the order was cut.
  public var parts = 0
  /// What K/3 made of it, at last or in an older revision.
  public var bill: WrittenBill?
  /// It is being deleted in K/3.
  public var isCancelling = false
  /// Why it is parked.
  public var reason: ReasonCode?

  /// A row.
  public init(_ id: BillID, state: State, revision: Int64) {
    (self.id, self.state, self.revision) = (id, state, revision)
  }

  /// Whether something of it is in K/3, or may be.
  var mayBeWritten: Bool { bill != nil || state != .clean && (state != .parked || doubt) }

  /// Somebody is at it, or it is being found out about.
  var isOpen: Bool { state == .writing || state == .inDoubt }

  /// The oldest revision that is or may be in K/3. A bill of a row that is not written is of an older one.
  var oldest: Int64 {
    if state == .written { return revision }
    return bill == nil ? min(revision, doubtfulRevision ?? revision) : .min
  }

  /// Whether it is written in an older revision, and would be written just so again.
  func isUnchanged(by request: ClaimRequest) -> Bool {
    state == .written && revision < request.revision && makes(request)
  }

  /// Takes over what is in doubt before a row is claimed again: the oldest revision, and its content. A revision that makes
  /// just what is in doubt is in doubt itself, and none older.
  mutating func doubt(before request: ClaimRequest) {
    let isSameBill = object == request.object && parts == request.parts
    let content = contentInDoubt
    let oldest = min(doubtfulRevision ?? revision, revision)
    doubtfulRevision = isSameBill && content == request.payloadHash ? request.revision : oldest
    doubtfulHash = isSameBill ? content : nil
  }

  /// What a claim is told of `doubtfulRevision`: whatever may be in K/3 and is not known to be just what is claimed is as
  /// good as an older revision's, also where it is of the claimed one, as of before its strategy was edited. The row keeps
  /// its number, so that the order's other bills are not held up.
  var olderRevision: Int64? {
    guard doubt, let doubtfulRevision, doubtfulHash != payloadHash else { return doubtfulRevision }
    return min(doubtfulRevision, revision - 1)
  }

  /// The fingerprint of all that may be in K/3 of a row in doubt; nil where that is not one content, or not known. What was
  /// claimed since the doubt began was not sent, but with proof that nothing else is there (`Settlement.followsProof`), unless
  /// whoever held it has died over it. Of a standing bill it may have been, by an Update. It may be another content of the same
  /// revision, as when its strategy was edited.
  private var contentInDoubt: Int64? {
    if doubtfulRevision == nil || doubtfulHash == payloadHash { return payloadHash }
    return state == .writing || bill != nil ? nil : doubtfulHash
  }

  /// Whether what was claimed last is what a request would send.
  private func makes(_ request: ClaimRequest) -> Bool {
    payloadHash == request.payloadHash && object == request.object && parts == request.parts
  }

  /// Whole seconds until it is due, rounded up; below 0 since.
  func seconds(_ now: Duration) -> Int {
    let left = (due - now).components
    return Int(left.seconds) + (left.attoseconds > 0 ? 1 : 0)
  }

  func wait(_ now: Duration) -> ClaimAnswer {
    let wait = max(1, seconds(now))
    return state == .inDoubt ? .tooEarly(forSeconds: wait) : .busy(forSeconds: wait)
  }

  /// Ends a claim.
  /// - Returns: false when the claim is not the row's any more, or the row is written and would not stay so.
  public mutating func settle(_ settlement: Settlement, now: Duration) -> Bool {
    guard token == settlement.token else { return false }
    if case .written = settlement.result {} else if state == .written { return false }
    (absences, due, doubt, reason, isCancelling) = (0, now, false, nil, false)
    switch settlement.result {
    case .written(let bill):
      state = .written
      stand(bill)
    case .clean: state = .clean
    case .inDoubt(let seconds, let absences): find(after: seconds, absences)
    case .standing(let bill, let seconds, let absences):
      stand(bill)
      find(after: seconds, absences)
    case .cancelled: (state, bill) = (.clean, nil)
    case .cancelling(let seconds, let absences):
      find(after: seconds, absences)
      isCancelling = true
    case .parked(let code): (state, reason, doubt) = (.parked, code, code.leavesDoubt)
    }
    // 0 is no claim's: what nobody knows is not unchanged in any revision.
    let other = doubtfulHash ?? 0
    if settlement.followsProof { (doubtfulRevision, doubtfulHash) = (revision, payloadHash) }
    if settlement.isOther { payloadHash = other }
    vendorAnswer = settlement.vendorAnswer ?? vendorAnswer
    return true
  }

  private mutating func stand(_ bill: WrittenBill) {
    var next = WrittenBill(number: bill.number, internalID: bill.internalID ?? self.bill?.internalID)
    next.writeback = bill.writeback ?? self.bill?.writeback
    self.bill = next
  }

  private mutating func find(after seconds: Int, _ absences: Int) {
    (state, doubt) = (.inDoubt, true)
    self.absences = min(max(absences, 0), 1_000)
    due += .seconds(min(max(seconds, 0), 86_400))
  }
}
