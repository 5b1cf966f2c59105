import AMQP
import Pipeline

/// How often a message was lent and came back without an answer.
enum Returns {
  /// What a message that was in a bundle has gone through in it.
  static let header = "ferry-returns"
  /// The broker's own count of this message.
  private static let brokers = "x-delivery-count"

  static func count(_ properties: AMQPProperties) -> Int {
    func number(_ name: String) -> Int {
      if case .int(let number)? = properties[header: name] { Int(min(max(number, 0), 1_000_000)) } else { 0 }
    }
    return number(brokers) + number(header)
  }
}

/// Messages that may be what ends their workers, kept until nothing else is in this worker's hands.
///
/// Whatever a worker holds when it dies comes back with one return more. So such a message is worked when all others are
/// acknowledged, the broker sends none meanwhile, and of several any comes first: half of those that are left are done before the
/// one that ends the worker, each time. By their returns nobody tells it: one that was with another worker that died may have
/// more, and would, if fewer came first, never be worked before it, and be parked beside it.
struct Seclusion {
  private var session: UInt64 = 0
  private var kept: [Delivery] = []
  /// Messages lent and not acknowledged, those that are kept among them.
  private var lent = 0
  /// Whether nothing is consumed for the sake of what is kept.
  private(set) var isOn = false

  /// Whether what is lent is acknowledged but for what is kept.
  var isAlone: Bool { lent <= kept.count }

  /// How many messages the connection has lent that are not acknowledged.
  func lent(by session: UInt64) -> Int { session == self.session ? lent : 0 }

  /// A connection has lent so many messages.
  mutating func lend(_ count: Int, by session: UInt64) {
    if session != self.session {
      self = Seclusion()
      self.session = session
    }
    lent += count
  }

  /// Keeps messages that the connection has lent.
  mutating func keep(_ deliveries: [Delivery]) {
    if deliveries.isEmpty { return }
    kept += deliveries
    isOn = true
  }

  /// So many of the connection's messages are acknowledged.
  mutating func settle(_ count: Int, of session: UInt64) {
    if session == self.session { lent -= count }
  }

  /// What is worked next.
  /// - Parameter choose: one of so many, from 0.
  mutating func next(_ choose: (Int) -> Int = { Int.random(in: 0..<$0) }) -> Delivery? {
    kept.isEmpty ? nil : kept.remove(at: choose(kept.count))
  }

  /// Nothing is kept any more, and the broker is to send again.
  mutating func end() { isOn = false }

  /// Whether it is on, for this connection.
  func isOn(of session: UInt64) -> Bool { isOn && session == self.session }
}
