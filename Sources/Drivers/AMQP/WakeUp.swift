import CRabbitMQ

#if canImport(Glibc)
  import Glibc
#endif

/// A descriptor that wakes a thread from poll.
final class WakeUp: Sendable {
  let descriptor: Int32

  init() {
    descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    // It fails only when the process is out of descriptors or memory, and then no connection could be opened either.
    precondition(descriptor >= 0, "no eventfd: errno \(errno)")
  }

  deinit {
    close(descriptor)
  }

  func signal() {
    _ = eventfd_write(descriptor, 1)
  }

  func clear() {
    var count: eventfd_t = 0
    // SAFETY: the call writes one eventfd_t into the variable it is given.
    _ = unsafe eventfd_read(descriptor, &count)
  }
}
