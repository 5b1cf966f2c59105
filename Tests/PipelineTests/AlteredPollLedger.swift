import Orders
import Pipeline
import PipelineTesting

/// A ledger in which numbering takes a while, or somebody else has moved one stream's watermark.
final class AlteredPollLedger: PollLedger {
  private let inner: MemoryPollLedger
  private let before: @Sendable () async -> Void
  private let after: @Sendable () async -> Void
  private let overtaken: PollStream?

  init(
    _ inner: MemoryPollLedger, beforeNumbering before: @escaping @Sendable () async -> Void = {},
    afterNumbering after: @escaping @Sendable () async -> Void = {}, overtaken: PollStream? = nil
  ) {
    self.inner = inner
    self.before = before
    self.after = after
    self.overtaken = overtaken
  }

  func position(of stream: PollStream) async throws(LedgerFailure) -> PollPosition? {
    try await inner.position(of: stream)
  }
  func advance(
    _ stream: PollStream, from old: BeijingTime?, to new: BeijingTime
  ) async throws(LedgerFailure) -> Bool {
    if stream == overtaken { return false }
    return try await inner.advance(stream, from: old, to: new)
  }
  func unpublished(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline] {
    try await inner.unpublished(among: headlines)
  }
  func unremoved(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline] {
    try await inner.unremoved(among: headlines)
  }
  func numbered(among headlines: [OrderHeadline]) async throws(LedgerFailure) -> [OrderHeadline] {
    try await inner.numbered(among: headlines)
  }
  func number(_ revisions: [FetchedRevision]) async throws(LedgerFailure) -> [RevisionAnswer] {
    await before()
    let answers = try await inner.number(revisions)
    await after()
    return answers
  }
  func record(_ published: [PublishedRevision]) async throws(LedgerFailure) -> Bool {
    try await inner.record(published)
  }
  func refetches(limit: Int) async throws(LedgerFailure) -> [Refetch]? { try await inner.refetches(limit: limit) }
  func endRefetches(_ done: [Refetch]) async throws(LedgerFailure) -> Bool { try await inner.endRefetches(done) }
  func store(customers: [CollectionRecord]) async throws(LedgerFailure) -> Bool {
    try await inner.store(customers: customers)
  }
  func lead() async throws(LedgerFailure) -> Bool { try await inner.lead() }
  func resign() async { await inner.resign() }
}
