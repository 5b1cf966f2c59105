import AMQP
public import Pipeline

/// Why the queues cannot be worked with, in a sentence for people; holds no password and no content.
public struct QueueFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// The sentence.
  public let description: String
  /// What a person can do about it, one sentence; nil where only time or the broker's operator can.
  public let remedy: String?

  init(_ description: String, remedy: String? = nil) {
    self.description = description
    self.remedy = remedy
  }

  /// The same as one that may pass by itself, with the remedy among its words.
  public var passing: QueueFailure { QueueFailure(remedy.map { "\(description). \($0)" } ?? description) }
}

/// Where the broker is and how it is talked to.
public struct RabbitSettings: Sendable {
  let address: AMQPAddress
  /// Shown in the broker's list of connections, with the purpose of each behind it; at most 100 bytes.
  public var connectionName = "ferry"
  /// PEM bundle to verify the broker and its management with; nil takes the system's.
  public var certificateAuthorityFile: String?
  /// Told of each connection with TLS when the broker's certificate ends, in seconds since 1970 UTC. Must be quick.
  public var onCertificate: (@Sendable (_ end: Int64) -> Void)?
  /// Seconds between heartbeats, 1...3600.
  public var heartbeatSeconds = 30
  /// Seconds that a batch may wait for its confirms, 1...600.
  public var publishTimeoutSeconds = 30

  /// Settings by the broker's address.
  /// - Parameter url: `amqp://user:password@host:port/vhost`, or `amqps://`.
  public init(url: String) throws(QueueFailure) {
    do throws(AMQPAddressError) { address = try AMQPAddress(url) } catch { throw QueueFailure(error.description) }
  }

  /// The broker's address without the password.
  public var place: String { address.description }

  func options(for purpose: String) -> AMQPOptions {
    var options = AMQPOptions(address: address, connectionName: "\(connectionName) \(purpose)")
    options.heartbeatSeconds = heartbeatSeconds
    options.certificateAuthorityFile = certificateAuthorityFile
    options.onCertificate = onCertificate
    return options
  }
}

/// Time and chance, as the queues need them; tests bring their own.
public struct Pacing: Sendable {
  /// Waits; ends early, by throwing, when the task is cancelled.
  public var sleep: @Sendable (Duration) async throws -> Void
  /// Evenly distributed in 0..<1.
  public var random: @Sendable () -> Double
  /// Milliseconds since 1970 UTC.
  public var now: @Sendable () -> Int64

  /// A pacing of these.
  public init(
    sleep: @escaping @Sendable (Duration) async throws -> Void, random: @escaping @Sendable () -> Double,
    now: @escaping @Sendable () -> Int64
  ) {
    self.sleep = sleep
    self.random = random
    self.now = now
  }

  /// The real ones.
  public static let live = Pacing(
    sleep: { try await Task.sleep(for: $0) }, random: { Double.random(in: 0..<1) }, now: { epochMilliseconds() })
}

/// What happens to a connection, for logs and metrics.
public enum QueueEvent: Sendable, Equatable {
  /// Connected, for the n-th time.
  case connected(Int)
  /// The connection ended; why.
  case lost(String)
  /// No connection came about; why.
  case failed(String)
  /// Nothing is tried for so many milliseconds.
  case pausing(milliseconds: Int)
  /// The broker holds publishers back, by its memory or disk alarm; its words.
  case blocked(String)
  /// The broker takes messages again.
  case unblocked
  /// A message too large to be taken in was sent to the stage's dead queue by the broker, whole; from which queue.
  case oversized(StageName, queue: String)
}

/// How a connection to the broker stands now.
public enum QueueStanding: Sendable, Equatable {
  /// It can be used.
  case ready
  /// It stands, and the broker holds publishers back.
  case blocked
  /// A queue or an exchange is missing; a sentence with the remedy.
  case missing(String)
  /// The broker refuses the login; a sentence with its words.
  case refused(String)
  /// The broker denies the user the virtual host, or a queue or an exchange in it; a sentence with its words.
  case denied(String)
  /// There is none.
  case notConnected

  /// What is said of it; nil when it can be used.
  public var sentence: String? {
    switch self {
    case .ready: nil
    case .blocked: "RabbitMQ holds publishers back (memory or disk alarm)"
    case .missing(let sentence), .refused(let sentence), .denied(let sentence): sentence
    case .notConnected: "RabbitMQ is not connected"
    }
  }

  /// Whether a person must give the user rights.
  public var isDenial: Bool { if case .denied = self { true } else { false } }

  /// What a person can do about a denial.
  public static let rightsRemedy =
    "Create the virtual host where it is missing (rabbitmqctl add_vhost) and give the user permission to write and read "
    + "on it, for ferry migrate also to configure (rabbitmqctl set_permissions), or correct FERRY_RABBITMQ_URL."

  init(_ failure: AMQPFailure?) {
    switch failure {
    case let failure? where failure.isOfMissing: self = .missing(failure.sentence)
    case .loginRefused(_, let why)?, .channelClosed(403, let why)?, .connectionClosed(403, let why)?:
      let sentence = "RabbitMQ refuses us: \(why)"
      self = failure?.isOfRights == true ? .denied(sentence) : .refused(sentence)
    default: self = .notConnected
    }
  }
}
