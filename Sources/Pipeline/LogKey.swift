public import Logging

/// The keys of log metadata, declared in one place so that none is misspelt. Values are ids, names, counts and kinds;
/// never payloads or secrets.
public enum LogKey: String, Sendable {
  /// OKKI's order id.
  case order = "order.id"
  /// The ledger's revision number.
  case revision = "order.revision"
  /// A stage.
  case stage
  /// A reason code.
  case reason = "reason.code"
  /// A reason's sentence.
  case sentence = "reason.sentence"
  /// How many.
  case count
  /// Which attempt.
  case attempt
  /// A window's first second.
  case windowFrom = "window.from"
  /// A window's last second.
  case windowTo = "window.to"
  /// A watermark.
  case watermark
  /// A duration in seconds.
  case seconds
  /// A failure of a partner.
  case failure
  /// A TCP port.
  case port
}

extension Logger {
  /// Logs a constant sentence with its data as metadata.
  public func log(_ level: Level, _ message: Message, _ data: [LogKey: any CustomStringConvertible & Sendable]) {
    log(
      level: level, message,
      metadata: Dictionary(uniqueKeysWithValues: data.map { ($0.rawValue, .stringConvertible($1)) }))
  }
}
