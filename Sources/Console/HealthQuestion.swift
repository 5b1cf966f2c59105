import Glibc

/// What a process can be asked about its own health.
public enum HealthQuestion: String, Sendable {
  /// Whether it need not be restarted.
  case alive = "/healthz"
  /// Whether it can do its work.
  case ready = "/readyz"
  /// Whether it could do its work at some time since its start.
  case started = "/startupz"

  /// The longest wait for one step of connecting, sending and reading; there are few, all on one machine.
  private static let patienceSeconds = 3
  private static let mostBytes = 65_536

  /// Asks the admin server of a process on this machine. Blocks the thread, for seconds at most.
  /// - Parameters:
  ///   - host: the address that the process listens on. Linux takes the one for all interfaces as the machine itself.
  ///   - port: its TCP port.
  /// - Returns: the answer.
  /// - Throws: when nothing answers there, or not in HTTP.
  public func ask(host: String, port: Int) throws(HealthUnknown) -> HealthAnswer {
    guard let socket = Self.connected(host: host, port: port) else {
      throw HealthUnknown(description: "Nothing answers on \(host), port \(port).")
    }
    defer { close(socket) }
    let request = "GET \(rawValue) HTTP/1.1\r\nHost: ferry\r\nConnection: close\r\n\r\n"
    guard Self.send(Array(request.utf8), to: socket), let answer = HealthAnswer(http: Self.read(from: socket)) else {
      throw HealthUnknown(description: "What answers on \(host), port \(port) is no admin server of ferry.")
    }
    return answer
  }

  private static func connected(host: String, port: Int) -> Int32? {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), &hints, &found) == 0 else { return nil }
    defer { freeaddrinfo(found) }
    var next = found
    while let address = next?.pointee {
      next = address.ai_next
      let descriptor = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
      guard descriptor >= 0 else { continue }
      var limit = timeval(tv_sec: patienceSeconds, tv_usec: 0)
      let size = socklen_t(MemoryLayout<timeval>.size)
      // The limit for sending is Linux's limit for connecting too.
      setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
      setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
      if connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return descriptor }
      close(descriptor)
    }
    return nil
  }

  private static func send(_ bytes: [UInt8], to socket: Int32) -> Bool {
    // A few bytes into an empty buffer: they go at once or not at all.
    bytes.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) } == bytes.count
  }

  private static func read(from socket: Int32) -> [UInt8] {
    var all: [UInt8] = []
    while all.count < mostBytes {
      let some = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, used in
        used = max(0, recv(socket, buffer.baseAddress, buffer.count, 0))
      }
      if some.isEmpty { break }
      all += some
    }
    return all
  }
}

/// What a process says of its health.
public struct HealthAnswer: Sendable, Equatable {
  /// Whether it said yes.
  public let isGood: Bool
  /// Its words, without the line break at the end: for a no, the reasons, one a line.
  public let text: String

  /// An answer.
  public init(isGood: Bool, text: String) {
    self.isGood = isGood
    self.text = text
  }

  /// Reads a whole HTTP/1 response; nil when it is none, or has no end of its head.
  init?(http bytes: [UInt8]) {
    let response = String(decoding: bytes, as: UTF8.self)
    let lines = response.split(separator: "\r\n", omittingEmptySubsequences: false)
    guard let words = lines.first?.split(separator: " "), words.count >= 2, words[0].hasPrefix("HTTP/1."),
      let status = Int(words[1]), let head = lines.firstIndex(of: "")
    else { return nil }
    var body = lines[(head + 1)...].joined(separator: "\r\n")
    while body.last?.isNewline == true { body.removeLast() }
    self.init(isGood: status == 200, text: body)
  }
}

/// The health of a process could not be learnt.
public struct HealthUnknown: Error, Sendable, CustomStringConvertible {
  /// Why, in one sentence.
  public let description: String
}
