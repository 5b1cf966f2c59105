import JSON
public import Logging
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Writes each log event as one line of JSON to standard error.
///
/// Keys: `time` (UTC, milliseconds), `level`, `logger`, `message`, then the event's metadata by its own keys, sorted, and
/// `error` with the kind of an error. Metadata under one of these names gets a `_` behind it.
public struct JSONLogHandler: LogHandler {
  /// Events below it are dropped.
  public var logLevel: Logger.Level = .info
  /// Metadata of every event.
  public var metadata: Logger.Metadata = [:]
  private let label: String

  /// A handler for a logger of this name.
  public init(label: String) { self.label = label }

  /// One key of the logger's own metadata.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Writes a line.
  public func log(event: LogEvent) {
    standardError.write(line(event, time: utcNow()))
  }

  private static let reserved: Set = ["time", "level", "logger", "message", "error"]

  func line(_ event: LogEvent, time: String) -> [UInt8] {
    var writer = JSONWriter(reserving: 256)
    writer.beginObject()
    writer.key("time")
    writer.string(time)
    writer.key("level")
    writer.string(event.level.rawValue)
    writer.key("logger")
    writer.string(label)
    writer.key("message")
    writer.string(event.message.description)
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    for (key, value) in all.sorted(by: { $0.key < $1.key }) {
      writer.key(Self.reserved.contains(key) ? key + "_" : key)
      writer.string(value.description)
    }
    if let error = event.error {
      writer.key("error")
      writer.string(String(describing: type(of: error)))
    }
    writer.endObject()
    return writer.bytes + [0x0A]
  }
}

/// Standard error, one whole line at a time.
final class StandardError: Sendable {
  private let lock = Mutex<Void>(())

  func write(_ line: [UInt8]) {
    lock.withLock { _ in
      var rest = line[...]
      while !rest.isEmpty {
        let written = rest.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
        // A closed standard error takes nothing more; a log line must not stop the program.
        if written < 0, errno != EINTR { return }
        rest = rest.dropFirst(max(written, 0))
      }
    }
  }
}

let standardError = StandardError()

func utcNow() -> String {
  var now = timespec()
  clock_gettime(CLOCK_REALTIME, &now)
  return utcText(now)
}

/// `yyyy-MM-ddTHH:mm:ss.SSSZ`
func utcText(_ time: timespec) -> String {
  var seconds = time.tv_sec
  var parts = tm()
  gmtime_r(&seconds, &parts)
  func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : String(value) }
  let milliseconds = String(time.tv_nsec / 1_000_000 + 1000).dropFirst()
  return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):"
    + "\(two(parts.tm_min)):\(two(parts.tm_sec)).\(milliseconds)Z"
}
