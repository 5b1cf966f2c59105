import DriverThread
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// One thread for the whole process that looks after the threads of all connections: it cuts the socket of one that
/// is stuck in a write (librabbitmq's writes have no timeout), and joins those that have left.
final class Watchdog: Sendable {
  static let shared = Watchdog()
  /// How often it looks, which is how late a stuck write may be noticed.
  static let interval: Int32 = 250

  private struct Ward {
    let mailbox: Mailbox
    let thread: DriverThread
  }

  private let wards = Mutex<[Ward]>([])
  private let wakeup = WakeEvent()

  private init() {
    // The thread stays as long as the process and needs no join.
    _ = DriverThread(name: "amqp watchdog") { Watchdog.shared.watch() }
  }

  func adopt(_ thread: DriverThread, _ mailbox: Mailbox) {
    wards.withLock { $0.append(Ward(mailbox: mailbox, thread: thread)) }
    wakeup.signal()
  }

  private func watch() {
    var polled = pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0)
    while true {
      let (all, gone) = wards.withLock { wards in
        let gone = wards.filter { $0.mailbox.isOver }
        if !gone.isEmpty { wards.removeAll { $0.mailbox.isOver } }
        return (wards, gone)
      }
      for ward in gone { ward.thread.join() }
      let now = ContinuousClock.now
      for ward in all { ward.mailbox.cutIfStuck(now) }
      // SAFETY: poll reads and writes the one pollfd it is given.
      if unsafe poll(&polled, 1, all.isEmpty ? -1 : Self.interval) > 0 { wakeup.drain() }
    }
  }
}
