/// One request as a simulated server sees it: everything decoded once, nothing judged yet.
struct Request {
  var method: String
  var path: String
  var query = Query("")
  var authorization: String?
  var contentType: String?
  /// The client's address, without its port.
  var client = ""
  var body: [UInt8] = []
}

/// The parameters behind the question mark (or of a form body), decoded.
struct Query {
  private var pairs: [(name: String, value: String)] = []

  init(_ text: some StringProtocol) {
    guard !text.isEmpty else { return }
    for part in text.utf8.split(separator: UInt8(ascii: "&")) {
      let cut = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
      let value = cut == part.endIndex ? part[cut...] : part[part.index(after: cut)...]
      pairs.append((Self.decoded(part[..<cut]), Self.decoded(value)))
    }
  }

  /// The value of a parameter, its name spelled exactly so.
  subscript(_ name: String) -> String? { pairs.first { $0.name == name }?.value }

  /// The value of a parameter whose name may be spelled in any case (`Token`, `token`).
  func anyCase(_ name: String) -> String? {
    self[name] ?? pairs.first { $0.name.lowercased() == name.lowercased() }?.value
  }

  /// A whole number; nil when the parameter is missing or is not one.
  func whole(_ name: String) -> Int? { self[name].flatMap { Int($0) } }

  private static func decoded(_ raw: some Collection<UInt8>) -> String {
    guard raw.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
      return String(decoding: raw, as: UTF8.self)
    }
    var bytes: [UInt8] = []
    var rest = raw[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "+") {
        bytes.append(UInt8(ascii: " "))
      } else if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// What goes back. The body is sent as three pieces one after the other so that a stored text can be framed without a copy.
struct Reply {
  /// How the exchange ends.
  enum Ending: Equatable {
    /// The reply is sent whole and the connection stays open.
    case complete
    /// The connection is closed and not a byte is sent.
    case dropped
    /// Only this many bytes of the body are sent (its length says so, thus it is a whole reply with half a document).
    case cut(bytes: Int)
  }

  var status = 200
  var contentType = Reply.json
  var before: [UInt8] = []
  var body: [UInt8] = []
  var after: [UInt8] = []
  var retryAfter: String?
  /// The `Date` header; nil: none.
  var date: String?
  var delayMilliseconds = 0
  var ending = Ending.complete
  /// The fault that shaped this reply, for the journal.
  var fault: String?

  static let json = "application/json; charset=utf-8"
  static let html = "text/html; charset=utf-8"

  init(_ body: [UInt8] = [], status: Int = 200, contentType: String = Reply.json) {
    self.body = body
    self.status = status
    self.contentType = contentType
  }

  init(_ text: String, status: Int = 200, contentType: String = Reply.json) {
    self.init([UInt8](text.utf8), status: status, contentType: contentType)
  }

  /// The bytes of the body that will be sent.
  var length: Int {
    let all = before.count + body.count + after.count
    return if case .cut(let bytes) = ending { min(bytes, all) } else { all }
  }

  /// Cut in the middle of its document.
  func halved(by fault: String) -> Reply {
    var reply = self
    reply.ending = .cut(bytes: length / 2)
    reply.fault = fault
    return reply
  }

  /// Nothing but a closed connection.
  static func dropped(by fault: String) -> Reply {
    var reply = Reply()
    reply.ending = .dropped
    reply.fault = fault
    return reply
  }

  /// The page that a web server or a gateway sends when the program behind it does not answer.
  static func page(_ status: Int, _ title: String, fault: String? = nil) -> Reply {
    var reply = Reply(
      "<!DOCTYPE html>\r\n<html><head><title>\(title)</title></head><body><h2>\(status) - \(title)</h2></body></html>\r\n",
      status: status, contentType: Reply.html)
    reply.fault = fault
    return reply
  }
}

/// A simulated server behind its socket. Used from the thread of one event loop only.
protocol Site: AnyObject {
  /// Answers one request. Must not block.
  func answer(_ request: Request) -> Reply
  /// How many requests are being answered, for books and limits.
  var load: Load { get }
}

/// Requests being answered now, and the most there have been at once.
final class Load {
  private(set) var now = 0
  private(set) var peak = 0

  func begin() {
    now += 1
    peak = max(peak, now)
  }

  func end() { now -= 1 }

  func reset() { peak = now }
}
