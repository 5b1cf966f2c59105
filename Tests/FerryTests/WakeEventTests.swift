import DriverThread
import Glibc
import TestSockets
import Testing

@Suite("The event that wakes a driver's thread", .timeLimit(.minutes(1)))
struct WakeEventTests {
  private let event = WakeEvent()

  /// Whether a wait for the event ends; -1 milliseconds: whenever that is.
  private func ends(within milliseconds: Int32) -> Bool {
    var waited = pollfd(fd: event.descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&waited, 1, milliseconds) == 1
  }

  @Test("a signal that comes before the wait ends it, and each further one, until it is taken back")
  func before() {
    #expect(!ends(within: 0))
    event.signal()
    #expect(ends(within: 0))
    #expect(ends(within: 0))
    event.drain()
    #expect(!ends(within: 0))
  }

  @Test("many signals are taken back at once, and taking back none does not block")
  func many() {
    for _ in 0..<1_000 { event.signal() }
    event.drain()
    #expect(!ends(within: 0))
    event.drain()
    event.signal()
    #expect(ends(within: 0))
  }

  @Test("a thread that waits is woken by another one")
  func wakes() async throws {
    let isWoken = await onThread(until: { [event] in event.signal() }) { [self] in
      _ = DriverThread(name: "test-signals") { [event] in event.signal() }
      return ends(within: -1)
    }
    // By the other thread, not by the test's time limit.
    try Task.checkCancellation()
    #expect(isWoken)
  }

  @Test("no program that is started inherits it")
  func inherited() {
    #expect(fcntl(event.descriptor, F_GETFD) & FD_CLOEXEC == FD_CLOEXEC)
  }
}
