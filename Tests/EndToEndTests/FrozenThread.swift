import DriverThread
import Foundation
import Glibc
import PipelineTesting

/// A thread of another process that stands still from now on, as one does that waits for what never comes, while all the
/// others go on.
///
/// No partner and no network makes such a thread: every call that Ferry makes is bounded. So it is stopped by `ptrace`, which
/// the kernel allows for one's own children. It stands still as long as the process lives.
struct FrozenThread {
  struct Refused: Error {
    let step: String
    let code = errno
  }

  /// `ptrace` takes any number of arguments in C, and Swift has no such calls: these four are passed alike.
  private typealias Trace =
    @convention(c) (Int, pid_t, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Int
  private static let seize = 0x4206
  private static let interrupt = 0x4207
  /// `__WALL`: whatever kind of thread it is.
  private static let anyThread: Int32 = 0x4000_0000

  /// Freezes the threads of a process that have a name; comes back when they stand still.
  /// - Throws: `Refused` when there is none, or the kernel does not allow it.
  @discardableResult
  init(named name: String, of process: pid_t) async throws {
    let folder = "/proc/\(process)/task"
    let all = try FileManager.default.contentsOfDirectory(atPath: folder)
    let threads = all.filter { (try? String(contentsOfFile: "\(folder)/\($0)/comm", encoding: .utf8)) == name + "\n" }
    guard !threads.isEmpty else { throw Refused(step: "no thread \(name) among \(all.count)") }
    for thread in threads.compactMap({ pid_t($0) }) { try await Self.freeze(thread) }
  }

  private static func freeze(_ thread: pid_t) async throws {
    let frozen = Probe<Result<Void, Refused>>()
    // Only the thread that has stopped it hears of it, and when that ends the other one goes on.
    _ = DriverThread(name: "test-freezes") {
      guard let symbol = dlsym(UnsafeMutableRawPointer(bitPattern: 0), "ptrace") else {
        return frozen.report(.failure(Refused(step: "ptrace")))
      }
      let trace = unsafeBitCast(symbol, to: Trace.self)
      guard trace(seize, thread, nil, nil) == 0, trace(interrupt, thread, nil, nil) == 0 else {
        return frozen.report(.failure(Refused(step: "ptrace of thread \(thread)")))
      }
      var status: Int32 = 0
      while true {
        let changed = waitpid(thread, &status, anyThread)
        if changed < 0, errno == EINTR { continue }
        // Gone with its process.
        if changed < 0 || status & 0x7f != 0x7f { return }
        frozen.report(.success(()))
      }
    }
    try await frozen.wait { !$0.isEmpty }[0].get()
  }
}
