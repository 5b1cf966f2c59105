import ArgumentParser
import Glibc
import Logging
import ServiceLifecycle
import UnixSignals
import VendorStage

/// Where a server listens, and its life until SIGTERM or SIGINT.
struct Listening: ParsableArguments {
  @Option(help: "The port; 0 takes a free one.") var port = 0
  @Option(help: "The address to listen on.") var host = "127.0.0.1"
  @Option(help: "A file that the port is written to once the server listens.") var portFile: String?

  func serve(_ name: String, _ server: SimServer) async throws {
    print("\(name) listens on http://\(host):\(server.port)")
    fflush(nil)
    if let portFile { try write(server.port, to: portFile) }
    var logger = Logger(label: "vendorsim")
    logger.logLevel = .error
    let group = ServiceGroup(
      services: [Stand(server: server)], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    try await group.run()
  }

  /// Written beside and moved into place, so that a reader never sees half of it.
  private func write(_ port: Int, to path: String) throws {
    let beside = path + ".new"
    guard let file = fopen(beside, "w") else { throw ValidationError("\(path) cannot be written") }
    let written = fputs("\(port)\n", file) >= 0
    guard fclose(file) == 0, written, rename(beside, path) == 0 else {
      throw ValidationError("\(path) cannot be written")
    }
  }
}

/// Serves until it is told to stop.
private struct Stand: Service {
  var server: SimServer

  func run() async throws {
    try? await gracefulShutdown()
    await server.stop()
  }
}
