import DriverThread
import Glibc
import Synchronization

/// A program of the package, running as a process of its own.
///
/// One thread reads what it prints until it ends, then collects its exit status. (Foundation's `Process` and readability
/// handlers are not used: closing a handle whose handler is being removed crashed the runner inside libdispatch.)
final class Program: Sendable {
  struct NotStarted: Error {
    let name: String
    let code: Int32
  }

  private struct State {
    var output: [UInt8] = []
    var exit: Int32?
    var exitWaiters: [CheckedContinuation<Int32, Never>] = []
    var outputWaiters: [(text: String, wake: @Sendable (Bool) -> Void)] = []
  }

  /// The process' id, as long as it runs.
  let pid: pid_t
  private let shared: Shared

  private final class Shared: Sendable {
    let state = Mutex(State())
  }

  /// Where the products of this build lie: beside the test runner.
  private static var folder: String {
    // `swift test` runs either the bundle itself or a helper of the toolchain with the bundle as an argument.
    let runner =
      CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? linkTarget("/proc/self/exe")
    return String(runner[..<(runner.lastIndex(of: "/") ?? runner.startIndex)])
  }

  private static func linkTarget(_ path: String) -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let size = readlink(path, &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(size, 0)), as: UTF8.self)
  }

  /// Starts a program with these settings and no other environment; what it prints goes to `output`.
  init(_ name: String, _ arguments: [String], environment: [String: String] = [:]) throws {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw NotStarted(name: name, code: errno) }
    let (reading, writing) = (ends[0], ends[1])
    // Not for other children: an end that they hold would keep this one from being seen to end.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(writing) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, writing, STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, writing, STDERR_FILENO)

    let path = "\(Self.folder)/\(name)"
    var words = ([path] + arguments).map { strdup($0) } + [nil]
    let settings = environment.merging(["PATH": "/usr/bin:/bin"]) { own, _ in own }
    var variables = settings.map { strdup("\($0)=\($1)") } + [nil]
    defer { for pointer in words + variables { free(pointer) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, path, &actions, nil, &words, &variables)
    guard code == 0 else {
      close(reading)
      throw NotStarted(name: path, code: code)
    }
    let (pid, shared) = (child, Shared())
    self.pid = pid
    self.shared = shared
    _ = DriverThread(name: "reads \(name)") {
      var buffer = [UInt8](repeating: 0, count: 65_536)
      while true {
        let count = read(reading, &buffer, buffer.count)
        if count > 0 { Self.append(buffer.prefix(count), shared) }
        if count == 0 || count < 0 && errno != EINTR { break }
      }
      close(reading)
      var status: Int32 = 0
      while waitpid(pid, &status, 0) < 0, errno == EINTR {}
      // By a signal: as shells count.
      Self.ended(status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f, shared)
    }
  }

  /// What it has printed so far.
  var output: String { String(decoding: shared.state.withLock(\.output), as: UTF8.self) }

  private static func append(_ bytes: ArraySlice<UInt8>, _ shared: Shared) {
    let woken: [@Sendable (Bool) -> Void] = shared.state.withLock { state in
      state.output += bytes
      if state.outputWaiters.isEmpty { return [] }
      let text = String(decoding: state.output, as: UTF8.self)
      let ready = state.outputWaiters.filter { text.contains($0.text) }.map(\.wake)
      state.outputWaiters.removeAll { text.contains($0.text) }
      return ready
    }
    for wake in woken { wake(true) }
  }

  private static func ended(_ status: Int32, _ shared: Shared) {
    let (exits, outputs) = shared.state.withLock { state in
      state.exit = status
      defer {
        state.exitWaiters = []
        state.outputWaiters = []
      }
      return (state.exitWaiters, state.outputWaiters.map(\.wake))
    }
    for wake in exits { wake.resume(returning: status) }
    for wake in outputs { wake(false) }
  }

  /// Waits until it has printed a text; false when it ended without. A time limit kills it, which ends the wait.
  func printed(_ text: String) async -> Bool { await printed(text) { true } ?? false }

  /// Waits until it has printed a text, and at once asks a question that blocks: on the thread that reads what it prints,
  /// not on the tests' pool, which hundreds of other tests keep busy for seconds.
  /// - Returns: the answer; nil when the process ended without having printed that.
  func printed<Answer: Sendable>(_ text: String, asking: @escaping @Sendable () -> Answer) async -> Answer? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { done in
        let wake: @Sendable (Bool) -> Void = { done.resume(returning: $0 ? asking() : nil) }
        let ready: Bool? = shared.state.withLock { state in
          if String(decoding: state.output, as: UTF8.self).contains(text) { return true }
          if state.exit != nil { return false }
          state.outputWaiters.append((text, wake))
          return nil
        }
        if let ready { wake(ready) }
      }
    } onCancel: {
      kill()
    }
  }

  /// Waits for its end and gives the exit status. A time limit kills it, which ends the wait.
  func exit() async -> Int32 {
    await withTaskCancellationHandler {
      await withCheckedContinuation { wake in
        let ready: Int32? = shared.state.withLock { state in
          if let exit = state.exit { return exit }
          state.exitWaiters.append(wake)
          return nil
        }
        if let ready { wake.resume(returning: ready) }
      }
    } onCancel: {
      kill()
    }
  }

  /// SIGTERM, then waits for its end.
  func stop() async -> Int32 {
    signal(SIGTERM)
    return await exit()
  }

  /// SIGKILL.
  func kill() { signal(SIGKILL) }

  /// A process that has been collected may have given its number to another; it gets no signal.
  private func signal(_ number: Int32) {
    shared.state.withLock { state in
      if state.exit == nil { _ = Glibc.kill(pid, number) }
    }
  }
}
