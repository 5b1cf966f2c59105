import Foundation
import Synchronization
import Testing

/// A program of the package, running as a process of its own.
final class Program: Sendable {
  private struct State {
    var output = Data()
    var exit: Int32?
    var exitWaiters: [CheckedContinuation<Int32, Never>] = []
    var outputWaiters: [(text: String, wake: CheckedContinuation<Bool, Never>)] = []
  }

  private let process: Process
  private let state = Mutex(State())

  /// Where the products of this build lie: beside the test runner.
  static var folder: URL {
    get throws {
      let runner = URL(fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      // `swift test` runs either the bundle itself or a helper of the toolchain with the bundle as an argument.
      let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") }.map { URL(fileURLWithPath: $0) } ?? runner
      return bundle.deletingLastPathComponent()
    }
  }

  /// Starts a program with these settings and no other environment.
  init(_ name: String, _ arguments: [String], environment: [String: String] = [:]) throws {
    let process = Process()
    self.process = process
    process.executableURL = try Self.folder.appendingPathComponent(name)
    process.arguments = arguments
    var all = environment
    all["PATH"] = "/usr/bin:/bin"
    process.environment = all
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    pipe.fileHandleForReading.readabilityHandler = { [weak self] handle in
      let data = handle.availableData
      if data.isEmpty { handle.readabilityHandler = nil } else { self?.append(data) }
    }
    process.terminationHandler = { [weak self] in self?.ended($0.terminationStatus) }
    try process.run()
  }

  /// What it has printed so far.
  var output: String { String(decoding: state.withLock { $0.output }, as: UTF8.self) }

  private func append(_ data: Data) {
    let woken = state.withLock { state in
      state.output.append(data)
      let text = String(decoding: state.output, as: UTF8.self)
      let ready = state.outputWaiters.filter { text.contains($0.text) }.map(\.wake)
      state.outputWaiters.removeAll { text.contains($0.text) }
      return ready
    }
    for wake in woken { wake.resume(returning: true) }
  }

  private func ended(_ status: Int32) {
    let (exits, outputs) = state.withLock { state in
      state.exit = status
      defer {
        state.exitWaiters = []
        state.outputWaiters = []
      }
      return (state.exitWaiters, state.outputWaiters.map(\.wake))
    }
    for wake in exits { wake.resume(returning: status) }
    for wake in outputs { wake.resume(returning: false) }
  }

  /// Waits until it has printed a text; false when it ended without.
  func printed(_ text: String) async -> Bool {
    await withCheckedContinuation { wake in
      let ready: Bool? = state.withLock { state in
        if String(decoding: state.output, as: UTF8.self).contains(text) { return true }
        if state.exit != nil { return false }
        state.outputWaiters.append((text, wake))
        return nil
      }
      if let ready { wake.resume(returning: ready) }
    }
  }

  /// Waits for its end and gives the exit status.
  func exit() async -> Int32 {
    await withCheckedContinuation { wake in
      let ready: Int32? = state.withLock { state in
        if let exit = state.exit { return exit }
        state.exitWaiters.append(wake)
        return nil
      }
      if let ready { wake.resume(returning: ready) }
    }
  }

  /// SIGTERM, then waits for its end.
  func stop() async -> Int32 {
    if process.isRunning { process.terminate() }
    return await exit()
  }

  /// SIGKILL.
  func kill() {
    if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
  }
}
