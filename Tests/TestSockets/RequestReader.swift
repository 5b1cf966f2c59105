/// An HTTP request as it stood on the wire.
public struct WireRequest: Sendable {
  /// Request line and header lines, with the empty line.
  public let head: String
  /// The body, as long as its Content-Length says.
  public let body: [UInt8]

  /// The words of the request line.
  private var line: [Substring] { head.prefix { $0 != "\r\n" }.split(separator: " ") }
  /// `GET`, `POST`, …
  public var method: String { line.first.map { String($0) } ?? "" }
  /// Path and query.
  public var target: String { line.count > 1 ? String(line[1]) : "" }

  /// The header with this name, in whatever case; the first where it is repeated.
  public func header(_ name: String) -> String? {
    for line in head.split(separator: "\r\n").dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2, parts[0].lowercased() == name.lowercased() { return String(parts[1].drop { $0 == " " }) }
    }
    return nil
  }
}

/// Reads one request after another from a socket.
public struct RequestReader {
  private let socket: Int32
  private var buffer: [UInt8] = []
  private let heard: () -> Void

  /// - Parameter heard: called whenever bytes have come.
  public init(_ socket: Int32, heard: @escaping () -> Void = {}) {
    self.socket = socket
    self.heard = heard
  }

  /// The next request; nil when the connection ends before it is whole.
  public mutating func next() -> WireRequest? {
    var searched = 0
    while true {
      if let end = headEnd(from: searched) {
        let head = String(decoding: buffer[..<end], as: UTF8.self)
        let size = WireRequest(head: head, body: []).header("Content-Length").flatMap { Int($0) } ?? 0
        while buffer.count < end + size { guard fill() else { return nil } }
        defer { buffer.removeFirst(end + size) }
        return WireRequest(head: head, body: Array(buffer[end..<end + size]))
      }
      searched = max(0, buffer.count - 3)
      guard fill() else { return nil }
    }
  }

  private func headEnd(from start: Int) -> Int? {
    buffer[start...].firstRange(of: [13, 10, 13, 10])?.upperBound
  }

  private mutating func fill() -> Bool {
    let part = receiveSome(socket)
    if part.isEmpty { return false }
    heard()
    buffer += part
    return true
  }
}
