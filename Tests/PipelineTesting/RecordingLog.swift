public import Logging

/// A logger that says nothing.
public let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A logger whose lines a test can read: level, sentence, and the data by their keys.
public func recording(_ lines: Probe<String>) -> Logger {
  Logger(label: "test", factory: { _ in RecordingLog(lines: lines) })
}

private struct RecordingLog: LogHandler {
  let lines: Probe<String>
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let data = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
    lines.report("\(event.level) \(event.message)\(data.joined())")
  }
}
