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
    case .rabbitmq: "RabbitMQ is away or takes no messages"
    case .setup: "the setup is wrong; the log says what"
    }
  }
}

/// A partner that a role cannot go on without, by what the role saw of it last.
public struct Absence: Sendable, Hashable {
  /// Who.
  public let partner: Partner
  /// It is there and refuses our login: no matter of the network.
  public let refusesUs: Bool
  /// See `Reason.object`.
  public let object: String?

  /// An absence.
  public init(_ partner: Partner, refusesUs: Bool = false, object: String? = nil) {
    self.partner = partner
    self.refusesUs = refusesUs
    self.object = object
  }

  /// What is said of it.
  public var sentence: String {
    guard refusesUs else { return partner.isAway }
    return switch partner {
    case .okki: "OKKI refuses our client id or secret"
    case .k3: "K/3 WISE refuses our authority code or rights" + Reason.last(object)
    case .postgresql, .rabbitmq, .setup: partner.isAway
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

  /// The same, told apart from a refused login.
  public var absence: Absence { Absence(partner, refusesUs: code == .k3Unauthorized, object: object) }
}

extension LedgerFailure {
  /// Who is away when the ledger did not answer so.
  public var absence: Absence {
    switch self {
    case .unavailable: Absence(.postgresql)
    case .broken: Absence(.setup)
    }
  }
}

extension PollInterruption {
  /// Who is away when a cycle ended so; nil when everybody answered.
  public var absence: Absence? {
    if case .source(.unauthorized) = self { return Absence(.okki, refusesUs: true) }
    return partner.map { Absence($0) }
  }

  private var partner: Partner? {
    switch self {
    case .source(.throttled), .drift, .overtaken, .stopped: nil
    case .source: .okki
    case .ledger(let failure): failure.absence.partner
    case .broker: .rabbitmq
    }
  }
}
