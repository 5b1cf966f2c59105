import AMQP
import AMQPTesting
import Testing

#if canImport(Glibc)
  import Glibc
#endif

struct MissingServer: Error, CustomStringConvertible {
  let description = "FERRY_TEST_RABBITMQ_URL is not set: run deploy/test, which starts the servers"
}

/// The real broker.
enum Broker {
  /// What `deploy/test` sets.
  static func variable(_ name: String) throws -> String {
    guard let value = getenv(name) else { throw MissingServer() }
    return String(cString: value)
  }

  static func address() throws -> AMQPAddress {
    guard let url = getenv("FERRY_TEST_RABBITMQ_URL") else { throw MissingServer() }
    return try AMQPAddress(String(cString: url))
  }

  static func options(_ change: (inout AMQPOptions) -> Void = { _ in }) throws -> AMQPOptions {
    var options = AMQPOptions(address: try address(), connectionName: "AMQPTests")
    change(&options)
    return options
  }

  static func open(_ change: (inout AMQPOptions) -> Void = { _ in }) async throws -> AMQPConnection {
    try await AMQPConnection.open(options(change))
  }

  /// The broker's address as seen through a proxy on this machine.
  static func address(throughPort port: Int) throws -> AMQPAddress {
    let address = try address()
    return try AMQPAddress("amqp://\(address.user):\(address.password)@127.0.0.1:\(port)/")
  }

  /// Runs a test with a connection and a name of its own for its queues and exchanges; removes queues and exchanges
  /// of that name, `name.2` and `name.x` at its end.
  static func with(
    _ body: (_ connection: AMQPConnection, _ name: String) async throws -> Void
  ) async throws {
    let name = "amqptests.\(UInt64.random(in: 0...UInt64.max))"
    let connection = try await open()
    do {
      try await body(connection, name)
    } catch {
      try await remove(name)
      throw error
    }
    await connection.close()
    try await remove(name)
  }

  private static func remove(_ name: String) async throws {
    let connection = try await open()
    try await connection.deleteQueue(name)
    try await connection.deleteQueue(name + ".2")
    try await connection.deleteExchange(name + ".x")
    await connection.close()
  }
}

func message(_ id: String, to queue: String, exchange: String = "", bytes: Int = 10) -> AMQPMessage {
  AMQPMessage(
    exchange: exchange, routingKey: queue, properties: AMQPProperties(messageID: id),
    body: [UInt8](repeating: 0x61, count: bytes))
}

extension AMQPConnection {
  /// Takes this many deliveries, in as many calls as that needs.
  func take(_ count: Int) async throws -> [AMQPDelivery] {
    var taken: [AMQPDelivery] = []
    while taken.count < count {
      // A cancelled task is given none, at once.
      try Task.checkCancellation()
      taken += try await deliveries(max: count - taken.count)
    }
    return taken
  }

  /// The ids of all messages in a queue, which is empty then.
  func drainIDs(_ queue: String) async throws -> [String] {
    var ids: [String] = []
    while let delivery = try await get(queue: queue) {
      ids.append(delivery.properties.messageID ?? "")
      acknowledge([delivery.tag])
    }
    return ids
  }
}

func fakeOptions(_ peer: FakePeer, _ change: (inout AMQPOptions) -> Void = { _ in }) throws -> AMQPOptions {
  var options = AMQPOptions(address: try AMQPAddress("amqp://127.0.0.1:\(peer.port)"), connectionName: "AMQPTests")
  change(&options)
  return options
}
