public import Logging
import Orders

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
  /// How often a message came back without an answer.
  case returns
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
  /// A sweep's number.
  case sweep
  /// Orders that the live streams had missed.
  case missed
  /// Orders that had changed without their `update_time`.
  case changed
  /// Orders that could not be read.
  case failed
}

extension Logger {
  /// Logs a constant sentence with its data as metadata.
  public func log(_ level: Level, _ message: Message, _ data: [LogKey: any CustomStringConvertible & Sendable]) {
    log(
      level: level, message,
      metadata: Dictionary(uniqueKeysWithValues: data.map { ($0.rawValue, .stringConvertible($1)) }))
  }

  /// Tells of a message that was parked. A vendor's own words may name customers; they are kept with the dead letter and
  /// not logged.
  func parked(_ reason: Reason, of envelope: Envelope?, at stage: StageName, hasVendorWords: Bool = false) {
    log(
      .warning, "Parked",
      [
        .stage: stage.rawValue, .order: envelope?.orderID.description ?? "unknown",
        .revision: envelope?.revision ?? 0, .attempt: envelope?.attempt ?? 0, .reason: reason.code.rawValue,
        .sentence: hasVendorWords ? "the vendor's words are in the dead letter" : reason.logged,
      ])
  }
}
