public import CoreMetrics

/// Counts and times what one stage publishes, by messages: one may carry many orders or bills.
public struct PublishMeter: Sendable {
  private let confirms: WaitMeter
  private let unconfirmed: Meter
  private let returned: Counter

  /// - Parameter stage: `poll`, or a `StageName`.
  public init(stage: String, factory: any MetricsFactory) {
    let labels = [("stage", stage)]
    confirms = WaitMeter(Timer(label: "ferry_confirm_seconds", dimensions: labels, factory: factory))
    unconfirmed = Meter(label: "ferry_unconfirmed", dimensions: labels, factory: factory)
    returned = Counter(label: "ferry_returned_total", dimensions: labels, factory: factory)
  }

  /// Messages are handed to a connection.
  public func begin(_ messages: Int) { unconfirmed.increment(by: Double(messages)) }

  /// The fate of all of them is known, or they were given up.
  /// - Parameters:
  ///   - took: since `begin`.
  ///   - returned: how many the broker could not route.
  public func end(_ messages: Int, took: Duration, returned: Int) {
    unconfirmed.decrement(by: Double(messages))
    confirms.observe(took)
    if returned > 0 { self.returned.increment(by: returned) }
  }
}

/// Counts what the worker's inbox acknowledges, by messages: one may carry many orders or bills.
public struct InboxMeter: Sendable {
  private let acknowledged: Counter

  /// - Parameter stage: whose inbox it is.
  public init(stage: StageName, factory: any MetricsFactory) {
    acknowledged = Counter(
      label: "ferry_settled_messages_total", dimensions: [("stage", stage.rawValue)], factory: factory)
  }

  /// Messages were acknowledged.
  public func acknowledged(_ messages: Int) { acknowledged.increment(by: messages) }
}
