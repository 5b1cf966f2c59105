/// Starts the simulated servers.
public enum Stage {
  /// Starts a simulated OKKI.
  /// - Throws: an error when the port cannot be had.
  public static func okki(_ plan: OKKIPlan, host: String, port: Int) async throws -> SimServer {
    try await SimServer.start(host: host, port: port) { OKKISite(plan) }
  }

  /// Starts a simulated K/3 WISE.
  /// - Throws: an error when the port cannot be had.
  public static func k3(_ plan: K3Plan, host: String, port: Int) async throws -> SimServer {
    try await SimServer.start(host: host, port: port) { K3Site(plan) }
  }
}
