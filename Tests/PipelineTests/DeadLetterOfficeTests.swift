import Orders
import Pipeline
import PipelineTesting
import Testing

@Suite("The office of dead letters", .timeLimit(.minutes(2)))
struct DeadLetterOfficeTests {
  private let archive = MemoryDeadLetters()
  private let queues = MemoryDeadQueues()
  private var office: DeadLetterOffice { DeadLetterOffice(archive: archive, queues: queues) }

  @Test("what lies in the dead queues is filed once, though it is delivered again before the acknowledgement")
  func collected() async throws {
    for order in 1...120 { queues.park(deadLetter(Int64(order), stage: order % 2 == 0 ? .load : .transform)) }
    _ = try await archive.file(try await queues.take(.load, max: 20).map(\.letter))
    await queues.close()
    #expect(try await office.collect() == 100)
    #expect(try await office.collect() == 0)
    #expect(try await office.numbers(LetterFilter()).count == 120)
    #expect(try await queues.take(.load, max: 1).isEmpty)
  }

  @Test("what cannot be filed, and what is too large to be taken, stays and is told; all else is filed")
  func left() async throws {
    for order in 1...120 {
      queues.park(deadLetter(Int64(order)), excess: [7, 60].contains(order) ? "it is too large" : nil)
    }
    archive.refuse([OrderID(rawValue: 3), OrderID(rawValue: 61)])
    var left: [LeftLetter] = []
    #expect(try await office.collect { left.append($0) } == 116)
    #expect(left.map(\.place.position).sorted() == [3, 7, 60, 61] && queues.tags == [3, 7, 60, 61])
    #expect(left.first { $0.place.position == 7 }?.why == "it is too large")
    #expect(left.first { $0.place.position == 3 }?.why == "it cannot be filed")
    await queues.close()
    archive.refuse([])
    left = []
    #expect(try await office.collect { left.append($0) } == 2)
    #expect(left.map(\.place.position) == [7, 60])
  }

  @Test("while PostgreSQL is away nothing leaves its queue, and nothing is told as unfit")
  func away() async throws {
    queues.park(deadLetter(1))
    archive.failFiling(.unavailable("gone"))
    var left = 0
    await #expect(throws: DeadLetterOffice.Failure.ledger(.unavailable("gone"))) {
      try await office.collect { _ in left += 1 }
    }
    #expect(left == 0 && queues.tags == [1])
  }

  @Test("a crash between publish and mark publishes again and loses nothing; what is marked is not taken again")
  func crashed() async throws {
    _ = try await archive.file([deadLetter(1), deadLetter(2)])
    archive.failNextMark(.unavailable("gone"))
    do throws(DeadLetterOffice.Failure) {
      _ = try await office.replay([1, 2], by: "ann")
      Issue.record("it was marked")
    } catch { #expect(error == .ledger(.unavailable("gone"))) }
    var waiting = LetterFilter()
    waiting.state = .waiting
    #expect(try await office.numbers(waiting) == [1, 2])
    #expect(try await office.replay([1, 2], by: "ann").replayed == [1, 2])
    #expect(queues.published.map(\.orderNumber) == ["SO-1", "SO-2", "SO-1", "SO-2"])
    #expect(try await office.numbers(waiting) == [])
  }

  @Test("what is parked again before its replay is recorded still waits, though another process has filed it")
  func parkedAgain() async throws {
    var letter = deadLetter(1)
    letter.identity = "1"
    _ = try await archive.file([letter, deadLetter(2)])
    letter.properties += " again"
    let office = DeadLetterOffice(archive: archive, queues: QuickFailure(queues, archive, letter))
    let result = try await office.replay([1, 2], by: "ann")
    #expect(result.replayed == [2] && result.refused.map(\.id) == [1])
    #expect(result.refused.first?.why.contains("still waits") == true)
    #expect(try await office.replay([1], by: "ann").replayed == [1])
  }

  @Test("what the broker does not confirm stays as it is, and the replay stops there")
  func refused() async throws {
    _ = try await archive.file((1...60).map { deadLetter($0) })
    queues.refuse("the queue is full")
    let result = try await office.replay(Array(1...60), by: "ann")
    #expect(result.replayed == [] && result.refused.count == 50)
    #expect(result.refused.first.map { $0.id == 1 && $0.why == "the queue is full" } == true)
    #expect(try await archive.acts(on: 1) == [])
  }

  @Test("large letters are replayed a few at a time, by their bytes, and all of them")
  func large() async throws {
    let body = Array(repeating: UInt8(ascii: "x"), count: 15 << 20)
    _ = try await archive.file(
      (Int64(1)...5).map { order in
        var letter = deadLetter(order)
        letter.body = body
        return letter
      } + (6...70).map { deadLetter($0) })
    #expect(try await office.replay((1...70).reversed() + [99], by: "ann").replayed == Array(1...70))
    #expect(queues.batches == [2, 2, 50, 16])
    #expect(queues.published.count == 70)
  }

  @Test("discarded letters stay in the archive with who did it, and can be replayed")
  func discarded() async throws {
    _ = try await archive.file([deadLetter(1)])
    #expect(try await office.discard([1], by: "bob") == [1])
    #expect(try await office.discard([1], by: "eve") == [])
    #expect(try await office.replay([1], by: "ann").replayed == [1])
    #expect(try await archive.acts(on: 1).map { "\($0.state) \($0.by)" } == ["discarded bob", "replayed ann"])
  }

  @Test("letters whose orders are read anew are not published; those that name no order are refused with a remedy")
  func refetched() async throws {
    var nameless = deadLetter(2)
    nameless.orderID = nil
    _ = try await archive.file([deadLetter(1), nameless] + (3...1_200).map { deadLetter($0) })
    let result = try await office.refetch(Array(1...1_200), by: "ann")
    #expect(result.replayed == [1] + Array(3...1_200))
    #expect(result.refused.map(\.id) == [2])
    #expect(result.refused.first?.why.contains("names no order") == true)
    #expect(queues.published.isEmpty)
  }
}

/// Dead queues from which what is published comes back at once, and is filed by another process.
private struct QuickFailure: DeadQueues {
  let queues: MemoryDeadQueues
  let archive: MemoryDeadLetters
  let again: DeadLetter

  init(_ queues: MemoryDeadQueues, _ archive: MemoryDeadLetters, _ again: DeadLetter) {
    (self.queues, self.archive, self.again) = (queues, archive, again)
  }

  func take(_ stage: StageName, max: Int) async throws(BrokerFailure) -> [TakenLetter] { [] }
  func acknowledge(_ taken: [TakenLetter]) {}
  func close() async {}

  func publishAgain(_ letters: [DeadLetter]) async -> [PublishResult] {
    _ = try? await archive.file([again])
    return await queues.publishAgain(letters)
  }
}
