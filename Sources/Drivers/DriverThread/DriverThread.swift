#if canImport(Glibc)
  import Glibc
#endif
import Synchronization

/// A named POSIX thread that runs one closure and can be joined.
///
/// Drivers run blocking C calls on such threads, never on Swift's shared pool: a blocked pool thread would stop
/// every task of the process.
public final class DriverThread: Sendable {
  private final class Start: Sendable {
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
    let start = Start(name: name, body: body)
    var created = pthread_t()
    // SAFETY: the retained Start is taken over exactly once by the thread's first line; attributes are the default.
    let code = unsafe pthread_create(
      &created, nil,
      { raw in
        // SAFETY: raw is the pointer made by passRetained below, taken over exactly once.
        guard let raw = unsafe raw else { return nil }
        let start = unsafe Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
        _ = unsafe pthread_setname_np(pthread_self(), String(start.name.prefix(15)))
        start.body()
        return nil
      }, Unmanaged.passRetained(start).toOpaque())
    // pthread_create fails only when the process is out of threads or memory; there is nothing to go on with.
    precondition(code == 0, "no thread could be started: errno \(code)")
    self.handle = created
  }

  /// Waits until the body has returned. Blocks the caller: call it from a driver's own shutdown path, not from a task.
  public func join() {
    let first = joined.withLock { done in
      defer { done = true }
      return !done
    }
    if first { _ = unsafe pthread_join(handle, nil) }
  }
}
