public import CoreMetrics

/// How one HTTP request to a partner ended, as metrics tell it.
public enum RequestEnding: String, Sendable, CaseIterable {
  /// Answered, and the partner says that it went well. So is a Save whose answer names no bill, though the loader does not take it
  /// for written: this counts what a partner says, the ledger what is known.
  case ok
  /// Answered: the partner refuses what was asked, for a reason in it.
  case rejected
  /// Answered: too many requests, or too much to do.
  case throttled
  /// Answered: token, secret or rights are refused. An expired token is one of these, and is asked again with a new one.
  case unauthorized
  /// Answered: there is no such thing.
  case absent
  /// Answered with what cannot be understood.
  case malformed
  /// No answer, or an error of a server or gateway; nothing was changed by it that matters.
  case outage
  /// A request that writes may have been done, and nobody has said so.
  case uncertain
  /// Provably nothing left: it waited too long, was cancelled, or cannot be sent as it is.
  case unsent

  /// Its place among all: a switch, since it is asked for each request, and a dictionary hashes the text.
  var place: Int {
    switch self {
    case .ok: 0
    case .rejected: 1
    case .throttled: 2
    case .unauthorized: 3
    case .absent: 4
    case .malformed: 5
    case .outage: 6
    case .uncertain: 7
    case .unsent: 8
    }
  }
}

/// Makes the meters of one partner's client.
public struct PartnerMetrics: Sendable {
  private let partner: Partner
  private let factory: any MetricsFactory

  /// - Parameter factory: where the series are kept.
  public init(_ partner: Partner, factory: any MetricsFactory) {
    self.partner = partner
    self.factory = factory
  }

  /// A meter of requests.
  /// - Parameters:
  ///   - calls: every kind of call that the client makes.
  ///   - endings: every way in which they end.
  public func requests<Call: CaseIterable & RawRepresentable<String>>(
    _ calls: Call.Type, _ endings: [RequestEnding]
  ) -> RequestMeter {
    RequestMeter(partner: partner, calls: calls.allCases.map(\.rawValue), endings: endings, factory: factory)
  }

  /// Times how long requests wait for the installation's rate limit: one observation a grant, which may be for several.
  public func rateWait() -> WaitMeter {
    WaitMeter(Timer(label: "ferry_rate_wait_seconds", dimensions: [("partner", partner.rawValue)], factory: factory))
  }
}

/// Counts and times the HTTP requests of one client. All series are there from the start.
public struct RequestMeter: Sendable {
  /// By call, then by ending; nil where that call or client has no such ending.
  private let counters: [[Counter?]]
  private let timers: [WaitMeter]

  init(partner: Partner, calls: [String], endings: [RequestEnding], factory: any MetricsFactory) {
    counters = calls.map { call in
      RequestEnding.allCases.map { ending in
        guard endings.contains(ending) else { return nil }
        return Counter(
          label: "ferry_requests_total",
          dimensions: [("partner", partner.rawValue), ("call", call), ("class", ending.rawValue)], factory: factory)
      }
    }
    timers = calls.map { call in
      WaitMeter(
        Timer(
          label: "ferry_request_seconds", dimensions: [("partner", partner.rawValue), ("call", call)], factory: factory)
      )
    }
  }

  /// One request has ended.
  /// - Parameter call: its place among the calls.
  public func count(_ call: Int, _ ending: RequestEnding) {
    guard counters.indices.contains(call) else { return }
    counters[call][ending.place]?.increment()
  }

  /// A request that was handed to the network has ended.
  /// - Parameters:
  ///   - call: its place among the calls.
  ///   - took: connecting included.
  public func time(_ call: Int, _ took: Duration) {
    guard timers.indices.contains(call) else { return }
    timers[call].observe(took)
  }
}

/// Observes durations.
public struct WaitMeter: Sendable {
  private let timer: Timer

  init(_ timer: Timer) { self.timer = timer }

  /// One observation; below zero counts as zero.
  public func observe(_ duration: Duration) { timer.recordNanoseconds(max(duration.nanoseconds, 0)) }
}

extension Duration {
  /// Whole nanoseconds; what does not fit is as many as fit.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isTooMuch) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
    return isOver || isTooMuch ? (seconds < 0 ? .min : .max) : sum
  }
}
