import Orders
public import Pipeline
import Testing

/// Where sweeps stand, under test.
public struct SweepLedgerSubject: Sendable {
  /// One poller's, which leads.
  public let sweeps: any SweepLedger & PollLedger
  /// Another poller's, over the same books.
  public let other: any SweepLedger & PollLedger
  /// Where parked messages lie.
  public let archive: any DeadLetters
  /// Takes the lead from whoever has it, who is not told.
  public let cutOff: @Sendable () async throws -> Void

  /// A subject.
  public init(
    sweeps: any SweepLedger & PollLedger, other: any SweepLedger & PollLedger, archive: any DeadLetters,
    cutOff: @escaping @Sendable () async throws -> Void
  ) {
    self.sweeps = sweeps
    self.other = other
    self.archive = archive
    self.cutOff = cutOff
  }
}

private func at(_ seconds: Int64) -> BeijingTime { BeijingTime(epochSeconds: seconds) }

private func window(_ from: Int64, _ to: Int64) throws -> TimeWindow {
  try #require(TimeWindow(from: at(from), to: at(to)))
}

private func findings(_ read: Int, _ missed: Int, _ changed: Int, _ failed: Int) -> SweepFindings {
  var findings = SweepFindings()
  (findings.read, findings.missed, findings.changed, findings.failed) = (read, missed, changed, failed)
  return findings
}

/// Has the live stream begin, so that the next reconciliation is due whenever its window ends an interval later.
private func noted(_ sweeps: any SweepLedger) async throws {
  try await sweeps.startReconcile(window(0, 1), everySeconds: 50)
}

/// What every `SweepLedger` does.
public let sweepLedgerContract: [ContractCase<SweepLedgerSubject>] = [
  ContractCase("a reconciliation goes on where it was, ends, and the next one is begun when it is due") {
    subject async throws in
    let sweeps = subject.sweeps
    try await noted(sweeps)
    #expect(try await sweeps.runningSweeps().isEmpty)
    try await sweeps.startReconcile(window(100, 200), everySeconds: 50)
    let whole = try #require(try await sweeps.runningSweeps().first)
    #expect(whole.kind == .reconcile && whole.basis == .create && whole.state == .running)
    #expect(try whole.window == window(100, 200) && whole.rest == window(100, 200))
    // One is under way.
    try await sweeps.startReconcile(window(200, 300), everySeconds: 50)
    #expect(try await sweeps.runningSweeps() == [whole])
    #expect(try await sweeps.advance(whole, past: at(150), findings(5, 1, 2, 3)))
    #expect(try await !sweeps.advance(whole, past: at(160), findings(1, 1, 1, 1)))
    let rest = try #require(try await subject.other.runningSweeps().first)
    #expect(try rest.rest == window(151, 200))
    #expect(rest.findings == findings(5, 1, 2, 3))
    #expect(try await sweeps.advance(rest, past: at(200), findings(10, 10, 10, 10)))
    #expect(try await sweeps.runningSweeps().isEmpty)
    let done = try #require(try await sweeps.sweeps().first)
    #expect(done.state == .done && done.rest == nil && done.findings == findings(15, 11, 12, 13))
    #expect(try await !sweeps.advance(done, past: at(200), SweepFindings()))
    try await sweeps.startReconcile(window(149, 249), everySeconds: 50)
    #expect(try await sweeps.runningSweeps().isEmpty)
    try await sweeps.startReconcile(window(150, 250), everySeconds: 50)
    #expect(try await sweeps.runningSweeps().map(\.window) == [window(150, 250)])
  },
  ContractCase("the first reconciliation is due an interval after the first call, whoever asks then") {
    subject async throws in
    try await subject.sweeps.startReconcile(window(100, 200), everySeconds: 50)
    #expect(try await subject.sweeps.runningSweeps().isEmpty)
    let note = try #require(try await subject.other.sweeps().first)
    #expect(note.state == .done && note.rest == nil && note.findings == SweepFindings())
    #expect(try note.window == window(200, 200))
    try await subject.sweeps.startReconcile(window(149, 249), everySeconds: 50)
    #expect(try await subject.sweeps.runningSweeps().isEmpty)
    try await subject.cutOff()
    #expect(try await subject.other.lead())
    try await subject.other.startReconcile(window(149, 249), everySeconds: 50)
    #expect(try await subject.other.sweeps() == [note])
    try await subject.other.startReconcile(window(150, 250), everySeconds: 50)
    #expect(try await subject.other.runningSweeps().map(\.window) == [window(150, 250)])
  },
  ContractCase("a reconciliation that a wrong clock began far in the future is not the last until then") {
    subject async throws in
    let sweeps = subject.sweeps
    try await noted(sweeps)
    try await sweeps.startReconcile(window(900, 1_000), everySeconds: 50)
    try await sweeps.startReconcile(window(100, 200), everySeconds: 50)
    #expect(try await sweeps.runningSweeps().map(\.window) == [window(900, 1_000), window(100, 200)])
    try await sweeps.startReconcile(window(110, 210), everySeconds: 50)
    try await sweeps.startReconcile(window(50, 150), everySeconds: 50)
    #expect(try await sweeps.runningSweeps().count == 2)
  },
  ContractCase("of pollers only the one that was elected last begins and moves sweeps") { subject async throws in
    // Nor does another one note that the live stream has begun.
    try await noted(subject.other)
    #expect(try await subject.sweeps.sweeps().isEmpty)
    try await noted(subject.sweeps)
    try await subject.other.startReconcile(window(100, 200), everySeconds: 50)
    #expect(try await subject.sweeps.runningSweeps().isEmpty)
    try await subject.sweeps.startReconcile(window(100, 200), everySeconds: 50)
    let sweep = try #require(try await subject.other.runningSweeps().first)
    #expect(try await !subject.other.advance(sweep, past: at(150), SweepFindings()))
    try await subject.cutOff()
    #expect(try await subject.other.lead())
    #expect(try await !subject.sweeps.advance(sweep, past: at(150), SweepFindings()))
    #expect(try await subject.sweeps.runningSweeps() == [sweep])
    #expect(try await subject.other.advance(sweep, past: at(150), SweepFindings()))
    // The old leader begins nothing either.
    let rest = try #require(try await subject.other.runningSweeps().first)
    #expect(try await subject.other.advance(rest, past: at(200), SweepFindings()))
    try await subject.sweeps.startReconcile(window(300, 400), everySeconds: 50)
    #expect(try await subject.other.runningSweeps().isEmpty)
  },
  ContractCase("backfills are begun whoever polls, several at a time, and listed newest first") {
    subject async throws in
    let first = try await subject.other.startBackfill(window(100, 200), .create)
    #expect(first.kind == .backfill && first.basis == .create && first.state == .running)
    let second = try await subject.other.startBackfill(window(100, 100), .update)
    #expect(second.id > first.id && second.basis == .update)
    try await noted(subject.sweeps)
    try await subject.sweeps.startReconcile(window(100, 200), everySeconds: 50)
    #expect(try await subject.sweeps.runningSweeps().prefix(2) == [first, second])
    #expect(try await subject.sweeps.sweeps().map(\.kind) == [.reconcile, .reconcile, .backfill, .backfill])
    #expect(try await subject.sweeps.advance(second, past: at(100), findings(1, 1, 0, 0)))
    #expect(try await subject.sweeps.runningSweeps().map(\.kind) == [.backfill, .reconcile])
  },
  ContractCase("to publish again forgets what was published in the window alone, and deletions; numbers stay") {
    subject async throws in
    let sweeps = subject.sweeps
    func content(_ id: Int64, _ time: Int64, _ hash: Int64) -> FetchedRevision {
      FetchedRevision(orderID: OrderID(rawValue: id), updateTime: at(time), contentHash: hash)
    }
    func headline(_ id: Int64, _ time: Int64) -> OrderHeadline {
      OrderHeadline(id: OrderID(rawValue: id), updateTime: at(time))
    }
    func publish(_ contents: [FetchedRevision], _ number: Int64) async throws {
      #expect(try await sweeps.number(contents) == contents.map { _ in .publish(number: number) })
      #expect(
        try await sweeps.record(
          contents.map { PublishedRevision(orderID: $0.orderID, number: number, mayStillChange: false) }))
    }
    let contents = [content(1, 99, 7), content(2, 100, 7), content(3, 200, 7), content(4, 201, 7), content(5, 50, 7)]
    try await publish(contents, 1)
    let removal = content(5, 50, FetchedRevision.removalHash)
    try await publish([removal], 2)
    #expect(try await sweeps.advance(.removed, from: nil, to: at(300)))
    #expect(try await sweeps.advance(.orders, from: nil, to: at(300)))
    let begun = try await subject.other.startRepublishing(window(100, 200))
    #expect(begun.kind == .backfill && begun.basis == .update && begun.state == .running)
    #expect(try await sweeps.runningSweeps() == [begun])
    let known = [headline(1, 99), headline(2, 100), headline(3, 200), headline(4, 201)]
    #expect(try await sweeps.unpublished(among: known) == [headline(2, 100), headline(3, 200)])
    #expect(
      try await sweeps.number(contents.dropLast())
        == [.published, .publish(number: 1), .publish(number: 1), .published])
    #expect(try await sweeps.unremoved(among: [headline(5, 50)]) == [headline(5, 50)])
    #expect(try await sweeps.number([removal]) == [.publish(number: 2)])
    #expect(try await sweeps.watermark(of: .removed) == at(100))
    #expect(try await sweeps.watermark(of: .orders) == at(300))
    // A watermark that is behind it already stays.
    _ = try await subject.other.startRepublishing(window(150, 200))
    #expect(try await sweeps.watermark(of: .removed) == at(100))
  },
  ContractCase("to publish again takes an order also where a letter of one of its bills or copies was discarded") {
    subject async throws in
    let sweeps = subject.sweeps
    func content(_ id: Int64, _ hash: Int64) -> FetchedRevision {
      FetchedRevision(orderID: OrderID(rawValue: id), updateTime: at(150), contentHash: hash)
    }
    func publish(_ contents: [FetchedRevision], _ number: Int64) async throws {
      #expect(try await sweeps.number(contents) == contents.map { _ in .publish(number: number) })
      #expect(
        try await sweeps.record(
          contents.map { PublishedRevision(orderID: $0.orderID, number: number, mayStillChange: false) }))
    }
    try await publish((1...3).map { content($0, 7) }, 1)
    try await publish([content(3, FetchedRevision.removalHash)], 2)
    // Of the first one a single bill is parked; of the second one two copies are, of which one is sent again and lost then.
    var letters: [DeadLetter] = []
    for (id, revision, body) in [(1, 1, 1), (2, 1, 2), (2, 1, 3), (3, 2, 4)] as [(Int64, Int64, UInt8)] {
      var letter = DeadLetter(
        stage: .load, reason: "k3_rejected", sentence: "no", parkedAt: 1, properties: "", body: [body])
      (letter.orderID, letter.revision) = (OrderID(rawValue: id), revision)
      letters.append(letter)
    }
    #expect(try await subject.archive.file(letters).new == 4)
    let filed = try await subject.archive.letters(LetterFilter(), after: 0, limit: 10, withBodies: true)
    func number(_ body: UInt8) -> [Int64] { filed.filter { $0.letter.body == [body] }.map(\.id) }
    #expect(try await subject.archive.mark([1, 2, 4].flatMap(number), .discarded, by: "ann").count == 3)
    #expect(try await subject.archive.mark(number(3), .replayed, by: "ann").count == 1)
    _ = try await subject.other.startRepublishing(window(100, 200))
    #expect(
      try await sweeps.number([content(1, 7), content(2, 7)]) == [.publish(number: 1), .publish(number: 1)])
    let deleted = OrderHeadline(id: OrderID(rawValue: 3), updateTime: at(150))
    #expect(try await sweeps.unremoved(among: [deleted]) == [deleted])
  },
  ContractCase("a sweep is paused, resumed and cancelled, and what cannot be is refused") { subject async throws in
    let begun = try await subject.other.startBackfill(window(100, 200), .create)
    #expect(try await subject.other.change(begun.id, to: .running) == .refused(begun))
    var paused = begun
    paused.state = .paused
    #expect(try await subject.other.change(begun.id, to: .paused) == .changed(paused))
    #expect(try await subject.other.change(begun.id, to: .paused) == .refused(paused))
    #expect(try await subject.sweeps.runningSweeps().isEmpty)
    // The slice that was under way still counts.
    #expect(try await subject.sweeps.advance(begun, past: at(120), SweepFindings()))
    #expect(try await subject.sweeps.runningSweeps().isEmpty)
    guard case .changed(let resumed) = try await subject.other.change(begun.id, to: .running) else {
      Issue.record("it was not resumed")
      return
    }
    #expect(resumed.next == at(121))
    #expect(try await subject.sweeps.runningSweeps() == [resumed])
    #expect(try await subject.other.change(begun.id, to: .done) == .refused(resumed))
    #expect(try await subject.other.change(begun.id, to: .cancelled) != .refused(resumed))
    #expect(try await !subject.sweeps.advance(resumed, past: at(130), SweepFindings()))
    for state in [Sweep.State.running, .paused, .cancelled] {
      guard case .refused(let ended) = try await subject.other.change(begun.id, to: state) else {
        Issue.record("a cancelled sweep became \(state)")
        return
      }
      #expect(ended.state == .cancelled && ended.next == at(121))
    }
    #expect(try await subject.other.change(begun.id + 1, to: .paused) == .unknown)
    #expect(try await subject.other.change(begun.id + 1, to: .done) == .unknown)
  },
  ContractCase("while a reconciliation is paused no other one is begun; once it is cancelled the next one is, when due")
  {
    subject async throws in
    try await noted(subject.sweeps)
    try await subject.sweeps.startReconcile(window(100, 200), everySeconds: 50)
    let sweep = try #require(try await subject.sweeps.runningSweeps().first)
    _ = try await subject.other.change(sweep.id, to: .paused)
    try await subject.sweeps.startReconcile(window(900, 1_000), everySeconds: 50)
    #expect(try await subject.sweeps.runningSweeps().isEmpty)
    _ = try await subject.other.change(sweep.id, to: .cancelled)
    try await subject.sweeps.startReconcile(window(149, 249), everySeconds: 50)
    #expect(try await subject.sweeps.runningSweeps().isEmpty)
    try await subject.sweeps.startReconcile(window(900, 1_000), everySeconds: 50)
    #expect(try await subject.sweeps.runningSweeps().count == 1)
  },
]
