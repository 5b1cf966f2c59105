/// Starts the simulated servers.
public enum Stage {
  /// Starts a simulated OKKI.
  /// - Throws: an error when the port cannot be had.
  public static func okki(_ plan: OKKIPlan, host: String, port: Int) async throws -> SimServer {
    try await SimServer.start(host: host, port: port) { OKKISite(plan) }
  }
}
