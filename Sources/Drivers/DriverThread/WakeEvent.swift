internal import CMalloc

#if canImport(Glibc)
  import Glibc
#endif

/// An eventfd: wakes a driver's thread out of `poll` or `epoll_wait`. All but waiting may be done by any thread.
public final class WakeEvent: Sendable {
  /// Readable from a signal until `drain`. Closed with this object: whoever waits for it must hold that.
  public let descriptor: Int32

  /// An event that is not signalled.
  public init() {
    descriptor = ferry_eventfd()
    // It fails only when the process is out of descriptors or memory; a thread that cannot be woken is no use.
    precondition(descriptor >= 0, "no eventfd could be made: errno \(errno)")
  }

  deinit { close(descriptor) }

  /// Wakes the thread, or ends its next wait. Never blocks; many signals count as one.
  public func signal() {
    var one: UInt64 = 1
    // SAFETY: eight bytes are read from a local variable.
    _ = unsafe write(descriptor, &one, 8)
  }

  /// Takes back all signals. Never blocks.
  public func drain() {
    var count: UInt64 = 0
    // SAFETY: eight bytes are written to a local variable; the descriptor does not block.
    _ = unsafe read(descriptor, &count, 8)
  }
}
