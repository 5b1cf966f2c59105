/// What the flow depends on, as `/readyz`, metrics and people name it.
public enum Partner: String, Sendable, CaseIterable {
  /// 小满 OKKI.
  case okki
  /// 金蝶 K/3 WISE.
  case k3
  /// The ledger and the collections.
  case postgresql
  /// The queues.
  case rabbitmq
  /// No partner: something in the setup that stops every order.
  case setup

  /// What is said of it while nothing can go on because of it.
  public var isAway: String {
    switch self {
    case .okki: "OKKI is away"
    case .k3: "K/3 WISE is away"
    case .postgresql: "PostgreSQL is away"
    case .rabbitmq: "RabbitMQ is away"
    case .setup: "the setup is wrong; the log says what"
    }
  }
}

extension Reason {
  /// Who is away when a stage pauses for this reason.
  public var partner: Partner {
    switch code {
    case .ledgerUnavailable: .postgresql
    case .k3Unavailable, .k3Unauthorized, .k3Busy, .inDoubt: .k3
    default: .setup
    }
  }
}

extension PollInterruption {
  /// Who is away when a cycle ended so; nil when everybody answered.
  public var partner: Partner? {
    switch self {
    case .source(.throttled), .drift, .overtaken, .stopped: nil
    case .source: .okki
    case .ledger(.unavailable): .postgresql
    case .ledger(.broken): .setup
    case .broker: .rabbitmq
    }
  }
}
