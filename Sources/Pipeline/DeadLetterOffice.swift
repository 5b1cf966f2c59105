/// What an operator does with parked messages: brings them from the broker into the archive, replays and discards them.
public struct DeadLetterOffice: Sendable {
  /// Why it did not get on. What was done before stays done, and doing it again is harmless.
  public enum Failure: Error, Sendable, Equatable {
    /// The archive.
    case ledger(LedgerFailure)
    /// The broker.
    case broker(BrokerFailure)
  }

  /// What came of a replay.
  public struct Replay: Sendable, Equatable {
    /// Published, confirmed and marked; or marked, and their orders asked for.
    public var replayed: [Int64] = []
    /// Not confirmed, with the broker's words, or nothing to be asked for; they stay as they were.
    public var refused: [(id: Int64, why: String)] = []

    /// Equal in both.
    public static func == (left: Self, right: Self) -> Bool {
      left.replayed == right.replayed && left.refused.elementsEqual(right.refused, by: ==)
    }
  }

  /// Letters at a time. Bodies are mostly a few KiB, and all of a batch are in memory; queues and archive bound their size.
  private static let batch = 50

  /// The archive.
  public let archive: any DeadLetters
  private let queues: any DeadQueues

  /// An office.
  public init(archive: any DeadLetters, queues: any DeadQueues) {
    self.archive = archive
    self.queues = queues
  }

  /// Files what lies in the dead queues, and takes it off them only then: a crash between leaves a message that is filed
  /// again as the same letter. What cannot be filed stays, and holds up nothing else.
  /// - Parameter onLeft: told of each letter that stays in its queue.
  /// - Returns: how many letters are new.
  public func collect(onLeft: (LeftLetter) -> Void = { _ in }) async throws(Failure) -> Int {
    var new = 0
    for stage in StageName.allCases {
      while true {
        let taken: [TakenLetter]
        do throws(BrokerFailure) {
          taken = try await queues.take(stage, max: Self.batch)
        } catch { throw .broker(error) }
        if taken.isEmpty { break }
        for letter in taken { if let excess = letter.excess { onLeft(LeftLetter(letter.place, why: excess)) } }
        let whole = taken.filter { $0.excess == nil }
        let filing: Filing
        do throws(LedgerFailure) { filing = try await archive.file(whole.map(\.letter)) } catch { throw .ledger(error) }
        new += filing.new
        queues.acknowledge(whole.indices.filter { filing.refused[$0] == nil }.map { whole[$0] })
        for (place, why) in filing.refused.sorted(by: { $0.key < $1.key }) {
          onLeft(LeftLetter(whole[place].place, why: why))
        }
      }
    }
    return new
  }

  /// The numbers of all letters that a filter means now. What is parked later is not among them.
  public func numbers(_ filter: LetterFilter) async throws(Failure) -> [Int64] {
    var ids: [Int64] = []
    while true {
      let more: [FiledLetter]
      do throws(LedgerFailure) {
        more = try await archive.letters(filter, after: ids.last ?? 0, limit: 1_000, withBodies: false)
      } catch { throw .ledger(error) }
      if more.isEmpty { return ids }
      ids += more.map(\.id)
    }
  }

  /// Publishes letters again and marks them then: a crash between repeats a publish, which the ledger makes harmless.
  /// Stops after the batch in which the broker refuses something that it might take.
  public func replay(_ ids: [Int64], by: String) async throws(Failure) -> Replay {
    var result = Replay()
    var isRefused = false
    var rest = ids.sorted()[...]
    while !rest.isEmpty, !isRefused {
      var filter = LetterFilter()
      filter.ids = Array(rest.prefix(Self.batch))
      do throws(LedgerFailure) {
        let filed = try await archive.letters(filter, after: 0, limit: Self.batch, withBodies: true)
        guard let last = filed.last?.id else {
          rest = rest.dropFirst(Self.batch)
          continue
        }
        rest = rest.drop { $0 <= last }
        var confirmed: [FiledLetter] = []
        for (letter, answer) in zip(filed, await queues.publishAgain(filed.map(\.letter))) {
          switch answer {
          case .confirmed: confirmed.append(letter)
          case .tooLarge(let why), .headersTooLarge(let why): result.refused.append((letter.id, why))
          case .unknown(let why), .refused(let why):
            result.refused.append((letter.id, why))
            isRefused = true
          }
        }
        if confirmed.isEmpty { continue }
        // What was published may be parked again already, and be filed by another process as the letter that still waited.
        let marked = try await archive.mark(confirmed.map(\.id), .replayed, by: by, read: confirmed.map(\.times))
        result.replayed += marked
        let done = Set(marked)
        result.refused += confirmed.filter { !done.contains($0.id) }.map { ($0.id, Self.isParkedAgain) }
      } catch { throw .ledger(error) }
    }
    return result
  }

  /// Has the poller read the letters' orders anew from OKKI instead of publishing what was parked.
  public func refetch(_ ids: [Int64], by: String) async throws(Failure) -> Replay {
    var result = Replay()
    for start in stride(from: 0, to: ids.count, by: 1_000) {
      let part = ids[start..<min(start + 1_000, ids.count)]
      let marked: [Int64]
      do throws(LedgerFailure) { marked = try await archive.refetch(Array(part), by: by) } catch {
        throw .ledger(error)
      }
      let done = Set(marked)
      result.replayed += marked
      result.refused += part.filter { !done.contains($0) }.map { ($0, Self.namesNoOrder) }
    }
    return result
  }

  private static let isParkedAgain = "it was replayed, and was parked once more in the meantime: it still waits"

  private static let namesNoOrder =
    "it names no order, so nothing can be read anew: replay it without --refetch, or discard it"

  /// Marks waiting letters as discarded; they stay in the archive.
  /// - Returns: those that were waiting.
  public func discard(_ ids: [Int64], by: String) async throws(Failure) -> [Int64] {
    do throws(LedgerFailure) { return try await archive.mark(ids, .discarded, by: by) } catch { throw .ledger(error) }
  }
}
