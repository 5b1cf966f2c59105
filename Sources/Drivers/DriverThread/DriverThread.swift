#if canImport(Glibc)
  import Glibc
#endif
import Synchronization

/// A named POSIX thread that runs one closure and can be joined.
///
/// Drivers run blocking C calls on such threads, never on Swift's shared pool: a blocked pool thread would stop
/// every task of the process.
public final class DriverThread: Sendable {
  fileprivate final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  private let handle: pthread_t
  private let joined = Mutex(false)

  /// Starts the thread.
  /// - Parameters:
  ///   - name: shown by debuggers and `ps -T`; the kernel keeps its first 15 bytes.
  ///   - body: runs once on the new thread; the thread ends when it returns.
  public init(name: String, body: @escaping @Sendable () -> Void) {
    _ = Heaps.bounded
    self.handle = started(Start(name: name, body: body))
  }

  /// Waits until the body has returned. Blocks the caller: call it from a driver's own shutdown path, not from a task.
  public func join() {
    let first = joined.withLock { done in
      defer { done = true }
      return !done
    }
    if first { _ = pthread_join(handle, nil) }
  }
}

private func started(_ start: DriverThread.Start) -> pthread_t {
  var handle = pthread_t()
  // SAFETY: the retained Start is taken over exactly once, by the thread's first line; attributes are the default.
  let code = unsafe pthread_create(&handle, nil, threadMain, Unmanaged.passRetained(start).toOpaque())
  // pthread_create fails only when the process is out of threads or memory; there is nothing to go on with.
  precondition(code == 0, "no thread could be started: errno \(code)")
  return handle
}

private func threadMain(_ raw: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  // SAFETY: raw is the pointer made by passRetained above, taken over exactly once.
  guard let raw = unsafe raw else { return nil }
  let start = unsafe Unmanaged<DriverThread.Start>.fromOpaque(raw).takeRetainedValue()
  nameThisThread(start.name)
  start.body()
  return nil
}

/// Writes the name where the kernel keeps it: pthread_setname_np and prctl are out of Swift's reach on Linux (a GNU
/// extension and a variadic function). A name that cannot be set is no reason to stop.
private func nameThisThread(_ name: String) {
  // SAFETY: both calls read memory that lives across them: a literal, and an array within its own closure.
  let file = unsafe open("/proc/thread-self/comm", O_WRONLY)
  guard file >= 0 else { return }
  defer { close(file) }
  _ = unsafe Array(name.utf8.prefix(15)).withUnsafeBytes { unsafe write(file, $0.baseAddress, $0.count) }
}
