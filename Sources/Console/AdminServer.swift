import Glibc
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
public import ServiceLifecycle
import Synchronization
public import Telemetry

/// Whether a role can do its work, as `/healthz`, `/readyz` and `/startupz` answer it.
///
/// A partner that is away makes a role not ready, and never dead: no restart mends it, and all workers at once would begin anew.
public struct HealthProbe: Sendable {
  /// False when the process should be restarted.
  public var isAlive: @Sendable () -> Bool
  /// What is not ready, one sentence each; empty when all is.
  public var notReady: @Sendable () -> [String]
  private let started = Latch()

  /// A probe.
  public init(isAlive: @escaping @Sendable () -> Bool, notReady: @escaping @Sendable () -> [String]) {
    self.isAlive = isAlive
    self.notReady = notReady
  }

  /// What is not ready, and keeps in mind when it is nothing.
  func missing() -> [String] {
    let missing = notReady()
    if missing.isEmpty { started.isSet.store(true, ordering: .relaxed) }
    return missing
  }

  /// What is not ready, until for the first time nothing is; from then on nothing.
  func missingAtStart() -> [String] { started.isSet.load(ordering: .relaxed) ? [] : missing() }

  private final class Latch: Sendable {
    let isSet = Atomic(false)
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

/// Answers `/healthz` (also as `/livez`), `/readyz`, `/startupz` and `/metrics` of one process.
public struct AdminServer: Service {
  /// A connection on which nothing happens for so long is closed.
  private static let idleSeconds: Int64 = 60

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

  /// Serves until graceful shutdown, on one thread of its own.
  /// - Throws: `PortTaken`, `HostUnusable`, or what else went wrong while listening.
  public func run() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    do {
      let listener = try await listen(on: group)
      logger.info("Health and metrics are served", metadata: ["port": "\(listener.localAddress?.port ?? 0)"])
      try await withTaskCancellationOrGracefulShutdownHandler {
        try await listener.closeFuture.get()
      } onCancelOrGracefulShutdown: {
        listener.close(promise: nil)
      }
      try await group.shutdownGracefully()
    } catch {
      // What went wrong first is what counts.
      try? await group.shutdownGracefully()
      throw error
    }
  }

  private func listen(on group: MultiThreadedEventLoopGroup) async throws -> any Channel {
    let pages = AdminPages(probe: probe, registry: registry)
    do {
      return try await ServerBootstrap(group: group)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        // Who closes its side after asking, as `nc -N` does, still gets its answers.
        .childChannelOption(.allowRemoteHalfClosure, value: true)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(IdleStateHandler(allTimeout: .seconds(Self.idleSeconds)))
            try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: true, withErrorHandling: true)
            try pipeline.addHandler(AdminConnection(pages))
          }
        }
        .bind(host: host, port: port).get()
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
}
