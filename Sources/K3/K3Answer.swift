internal import Curl
internal import JSON

/// K/3's envelope (vendor-apis.md A.4): HTTP 200 also for refusals; the outcome is in `StatusCode`.
struct K3Answer {
  /// `StatusCode`, sent as number or text.
  let status: Int64
  /// `Message`; empty when there is none.
  let message: String
  /// `Data`.
  let data: JSONValue?
  /// The whole answer as it came.
  var body: [UInt8] = []

  /// Whether K/3 says that it went well. Rows inside may say otherwise.
  var isGood: Bool { status == 200 }

  /// What K/3 says against the call: the message and, where it has one, the reason inside `Data` (A.4).
  var refusal: String {
    var texts = [message]
    if let text = data?.string { texts.append(text) }
    forEachRow { row in
      if let text = row.member("FMessage")?.string { texts.append(text) }
      return true
    }
    let told = texts.filter { !$0.isEmpty }
    return told.isEmpty ? "StatusCode \(status)" : told.joined(separator: " | ")
  }

  /// A row of `Data` that says that it failed, possibly one level deeper. K/3 writes `false` as truth value or text; a
  /// number is a bill's state (`FStatus` 0: unaudited), not a failure.
  var hasFailedRow: Bool {
    var isFailed = false
    forEachRow { row in
      let status = row.member("FStatus")
      isFailed = status?.bool == false || status?.string?.lowercased() == "false"
      return !isFailed
    }
    return isFailed
  }

  /// The rows of `Data`: itself or its elements, and the object in their own `Data`. Each is handed out, without a list of them:
  /// this is asked of each Save.
  /// - Parameter body: false ends it.
  private func forEachRow(_ body: (JSONValue) -> Bool) {
    guard let data else { return }
    guard data.kind == .array else {
      _ = Self.forRow(data, body)
      return
    }
    for row in data.elements.prefix(100) where !Self.forRow(row, body) { return }
  }

  private static func forRow(_ row: JSONValue, _ body: (JSONValue) -> Bool) -> Bool {
    guard body(row) else { return false }
    guard let inner = row.member("Data") else { return true }
    guard inner.kind == .array else { return body(inner) }
    for row in inner.elements.prefix(100) where !body(row) { return false }
    return true
  }

  /// The number and id of a bill just saved: `Data.BillNo`, as an object, an array's element or one level deeper.
  var savedBill: (number: String, internalID: Int64?)? {
    var found: (number: String, internalID: Int64?)?
    forEachRow { row in
      guard let number = row.member("BillNo")?.text, !number.isEmpty else { return true }
      found = (number, row.member("BillInterID")?.text.flatMap { Int64($0) })
      return false
    }
    return found
  }
}

/// What can be made of an HTTP outcome.
enum K3Reply {
  /// K/3's own answer, good or bad.
  case answer(K3Answer)
  /// Provably nothing of the request reached K/3.
  case notSent(HTTPFailure)
  /// Something else: what was sent may have had its effect. The sentence holds no data; `body` is what came, if anything.
  case unclear(String, body: [UInt8], Cause)

  /// Whose matter an unclear answer may be.
  enum Cause {
    /// That of what was sent, or anybody's.
    case any
    /// It was too late: the site is slow, or what was asked for takes long.
    case late
    /// Whoever stands before K/3 says that it is away or has too much to do: no matter of what was sent.
    case passing
  }

  private static func cause(of status: Int) -> Cause {
    switch status {
    case 408, 504: .late
    case 429, 502, 503: .passing
    default: .any
    }
  }

  /// Reads an outcome.
  init(_ outcome: HTTPOutcome, limits: JSONLimits) {
    switch outcome {
    case .notSent(let failure): self = .notSent(failure)
    case .uncertain(let failure):
      let cause: Cause =
        switch failure.kind {
        case .dropped, .tooLarge: .any
        case .timeout: .late
        default: .passing
        }
      self = .unclear(failure.description, body: [], cause)
    case .response(let response): self = Self.read(response, limits)
    }
  }

  private static func read(_ response: HTTPResponse, _ limits: JSONLimits) -> K3Reply {
    func unclear(_ sentence: String) -> K3Reply {
      .unclear(sentence, body: response.body, cause(of: response.status))
    }
    // A server error may have struck after the work was done, whatever its text says.
    guard response.status < 500 else { return unclear("K/3 answered HTTP \(response.status)") }
    let root: JSONValue
    do throws(JSONError) { root = try JSONDocument(response.body, limits: limits).root } catch {
      return unclear("K/3's answer (HTTP \(response.status)) is \(error.description)")
    }
    guard let status = root.member("StatusCode")?.text.flatMap({ Int64($0) }) else {
      return unclear("K/3's answer (HTTP \(response.status)) has no StatusCode")
    }
    let answer = K3Answer(
      status: status, message: root.member("Message")?.text ?? "", data: root.member("Data"),
      body: response.body)
    guard (200..<300).contains(response.status) || !answer.isGood else {
      return unclear("K/3 answered HTTP \(response.status) with StatusCode 200")
    }
    return .answer(answer)
  }
}

extension JSONValue {
  /// The member with this name, in whatever case: K/3's names differ by case between versions and sites (A.2). The
  /// exact spelling wins.
  func member(_ name: String) -> JSONValue? {
    if let exact = self[name] { return exact }
    guard kind == .object else { return nil }
    var found: JSONValue?
    for (key, value) in members where Self.isSame(key, name) { found = value }
    return found
  }

  private static func isSame(_ key: String, _ name: String) -> Bool {
    guard key.utf8.count == name.utf8.count else { return false }
    return zip(key.utf8, name.utf8).allSatisfy { left, right in
      left == right || (left ^ right == 0x20 && UInt8(ascii: "a")...UInt8(ascii: "z") ~= left | 0x20)
    }
  }
}
