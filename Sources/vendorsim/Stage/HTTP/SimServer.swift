import NIOCore
import NIOHTTP1
import NIOPosix

/// A simulated vendor that listens. One thread carries its connections and all of its state, so nothing in it needs a lock.
public final class SimServer: Sendable {
  /// The port it listens on; with port 0 asked for, the one that the system chose.
  public let port: Int

  private let group: MultiThreadedEventLoopGroup
  private let channel: any Channel

  private init(group: MultiThreadedEventLoopGroup, channel: any Channel, port: Int) {
    self.group = group
    self.channel = channel
    self.port = port
  }

  /// Builds the site on its thread and listens.
  /// - Throws: an error when the port cannot be had.
  static func start(
    host: String, port: Int, site makeSite: @escaping @Sendable () -> any Site
  ) async throws -> SimServer {
    try await start(host: host, port: port, site: makeSite) { site in
      [ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)), Connection(site: site)]
    }
  }

  /// The same with other handlers of a connection.
  static func start<Site>(
    host: String, port: Int, site makeSite: @escaping @Sendable () -> Site,
    handlers: @escaping @Sendable (Site) -> [any ChannelHandler]
  ) async throws -> SimServer {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    do {
      let site = try await loop.submit { NIOLoopBound(makeSite(), eventLoop: loop) }.get()
      let channel = try await ServerBootstrap(group: group)
        .serverChannelOption(.backlog, value: 1_024)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandlers(handlers(site.value))
          }
        }
        .bind(host: host, port: port).get()
      return SimServer(group: group, channel: channel, port: channel.localAddress?.port ?? port)
    } catch {
      try? await group.shutdownGracefully()
      throw error
    }
  }

  /// Stops listening and closes every connection.
  public func stop() async {
    try? await channel.close().get()
    try? await group.shutdownGracefully()
  }
}
