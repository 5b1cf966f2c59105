import Glibc
public import Hummingbird
public import Logging
import NIOCore
public import ServiceLifecycle
public import Telemetry

/// Whether a role can do its work, as `/readyz` and `/healthz` answer it.
public struct HealthProbe: Sendable {
  /// False when the process should be restarted.
  public var isAlive: @Sendable () -> Bool
  /// What is not ready, one sentence each; empty when all is.
  public var notReady: @Sendable () -> [String]

  /// A probe.
  public init(isAlive: @escaping @Sendable () -> Bool, notReady: @escaping @Sendable () -> [String]) {
    self.isAlive = isAlive
    self.notReady = notReady
  }
}

/// Another program listens where the admin server should.
public struct PortTaken: Error, Sendable {
  /// The address.
  public let host: String
  /// The TCP port.
  public let port: Int
}

/// The admin server cannot listen on the address that it was given.
public struct HostUnusable: Error, Sendable {
  /// The address, or the host's name.
  public let host: String
  /// Why, without a full stop.
  public let why: String
}

/// Answers `/healthz`, `/readyz` and `/metrics` of one process.
public struct AdminServer: Service {
  private let host: String
  private let port: Int
  private let probe: HealthProbe
  private let registry: MetricsRegistry
  private let logger: Logger

  /// A server.
  /// - Parameter port: TCP port; 0 takes any free one, which is then logged.
  public init(host: String, port: Int, probe: HealthProbe, registry: MetricsRegistry, logger: Logger) {
    self.host = host
    self.port = port
    self.probe = probe
    self.registry = registry
    self.logger = logger
  }

  /// The routes, for tests without a port.
  public func router() -> Router<BasicRequestContext> {
    let router = Router()
    let probe = self.probe
    let registry = self.registry
    router.get("/healthz") { _, _ in
      probe.isAlive() ? Self.text("ok\n") : Self.text("stuck\n", .internalServerError)
    }
    router.get("/readyz") { _, _ in
      let missing = probe.notReady()
      return missing.isEmpty
        ? Self.text("ready\n") : Self.text(missing.joined(separator: "\n") + "\n", .serviceUnavailable)
    }
    router.get("/metrics") { _, _ in
      Self.text(registry.prometheusText(), type: "text/plain; version=0.0.4; charset=utf-8")
    }
    return router
  }

  /// Serves until graceful shutdown.
  /// - Throws: `PortTaken`, `HostUnusable`, or what else went wrong while listening.
  public func run() async throws {
    let logger = self.logger
    var quiet = logger
    quiet.logLevel = .error
    let application = Application(
      router: router(),
      configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: nil),
      onServerRunning: { channel in
        logger.info(
          "Health and metrics are served", metadata: ["port": "\(channel.localAddress?.port ?? 0)"])
      }, logger: quiet)
    do {
      try await application.run()
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      throw PortTaken(host: host, port: port)
    } catch let error as IOError where error.errnoCode == EADDRNOTAVAIL {
      throw HostUnusable(host: host, why: "it is no address of this machine")
    } catch is SocketAddressError {
      throw HostUnusable(host: host, why: "nothing can listen on an address of its kind")
    } catch is SocketAddressError.UnknownHost {
      throw HostUnusable(host: host, why: "no host of this name is known")
    }
  }

  private static func text(
    _ text: String, _ status: HTTPResponse.Status = .ok, type: String = "text/plain; charset=utf-8"
  ) -> Response {
    Response(
      status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}
