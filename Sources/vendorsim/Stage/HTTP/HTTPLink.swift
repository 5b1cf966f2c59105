import Glibc

/// A failed exchange, told in one sentence.
struct LinkFailure: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// A bare HTTP/1.1 client over one blocking socket: enough for the judge and for tests. It never sends anything twice.
final class HTTPLink {
  struct Answer {
    var status: Int
    var headers: [(name: String, value: String)]
    var body: [UInt8]

    subscript(header name: String) -> String? { headers.first { $0.name == name.lowercased() }?.value }
    var text: String { String(decoding: body, as: UTF8.self) }
  }

  private let descriptor: Int32
  private let host: String
  private var buffer: [UInt8] = []

  init(host: String, port: Int, timeoutSeconds: Int = 30) throws {
    self.host = "\(host):\(port)"
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), &hints, &found) == 0, let found else {
      throw LinkFailure("\(host) has no address")
    }
    defer { freeaddrinfo(found) }
    let descriptor = socket(found.pointee.ai_family, found.pointee.ai_socktype, 0)
    guard descriptor >= 0 else { throw LinkFailure("no socket") }
    var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    guard connect(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0 else {
      close(descriptor)
      throw LinkFailure("nothing answers at \(host):\(port)")
    }
    self.descriptor = descriptor
  }

  /// Connects to the server of a URL like `http://127.0.0.1:8080/base`; the path below it is given back.
  static func open(_ url: String) throws -> (link: HTTPLink, base: String) {
    guard url.hasPrefix("http://") else { throw LinkFailure("\(url): only http:// addresses are read") }
    let rest = url.dropFirst(7)
    let cut = rest.firstIndex(of: "/") ?? rest.endIndex
    let authority = rest[..<cut]
    let colon = authority.lastIndex(of: ":")
    let port = colon.map { Int(authority[authority.index(after: $0)...]) } ?? 80
    guard let port, !authority.isEmpty else { throw LinkFailure("\(url): no host and port in it") }
    var base = String(rest[cut...])
    while base.hasSuffix("/") { base.removeLast() }
    return (try HTTPLink(host: String(authority[..<(colon ?? authority.endIndex)]), port: port), base)
  }

  deinit { close(descriptor) }

  /// One request and its reply.
  func exchange(
    _ method: String, _ target: String, headers: [String] = [], body: [UInt8] = []
  ) throws -> Answer {
    var head = "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\nContent-Length: \(body.count)\r\n"
    for header in headers { head += header + "\r\n" }
    try send([UInt8]((head + "\r\n").utf8) + body)
    return try receive()
  }

  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        // There are bytes left, so there is an address.
        Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw LinkFailure("\(host) closed the connection while it was being written to") }
      sent += count
    }
  }

  func receive() throws -> Answer {
    var end = headEnd()
    while end == nil {
      guard try fill() else { throw LinkFailure("\(host) closed the connection without a reply") }
      end = headEnd()
    }
    guard let end else { throw LinkFailure("\(host) sent no head") }
    let lines = String(decoding: buffer[..<end], as: UTF8.self).split(separator: "\r\n")
    buffer.removeFirst(end + 4)
    guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
      throw LinkFailure("\(host) sent something that is not HTTP")
    }
    if status == 100 { return try receive() }
    var answer = Answer(status: status, headers: [], body: [])
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      answer.headers.append((line[..<colon].lowercased(), String(value)))
    }
    if answer[header: "transfer-encoding"] == "chunked" {
      answer.body = try chunks()
    } else if let length = answer[header: "content-length"].flatMap({ Int($0) }) {
      answer.body = try take(length)
    } else {
      while try fill() {}
      answer.body = buffer
      buffer = []
    }
    return answer
  }

  private func headEnd() -> Int? {
    guard buffer.count >= 4 else { return nil }
    return (0...(buffer.count - 4)).first {
      buffer[$0] == 13 && buffer[$0 + 1] == 10 && buffer[$0 + 2] == 13 && buffer[$0 + 3] == 10
    }
  }

  private func fill() throws -> Bool {
    var part = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &part, part.count, 0)
    if count < 0 {
      if errno == ECONNRESET { return false }
      throw LinkFailure("\(host) did not answer in time")
    }
    buffer.append(contentsOf: part[..<count])
    return count > 0
  }

  private func take(_ count: Int) throws -> [UInt8] {
    while buffer.count < count {
      guard try fill() else { throw LinkFailure("\(host) closed the connection in the middle of a reply") }
    }
    defer { buffer.removeFirst(count) }
    return [UInt8](buffer[..<count])
  }

  private func chunks() throws -> [UInt8] {
    var body: [UInt8] = []
    while true {
      var line: [UInt8] = []
      while line.suffix(2) != [13, 10] { line += try take(1) }
      guard let size = Int(String(decoding: line.dropLast(2).prefix { $0 != 59 }, as: UTF8.self), radix: 16) else {
        throw LinkFailure("\(host) sent a broken chunk")
      }
      body += try take(size)
      _ = try take(2)
      if size == 0 { return body }
    }
  }
}
