internal import Curl
internal import JSON
internal import Orders
internal import Pipeline

/// An answer of a business endpoint whose `code` says success (vendor-apis.md B.3).
struct OKKIAnswer {
  /// What was asked for; nil when the answer has none.
  let data: JSONValue?
  /// The vendor's clock.
  let now: BeijingTime?
  /// Of a list: rows that are no JSON, as they came, by their place. In `data` stands what of them can be read.
  var unreadable: [Int: [UInt8]] = [:]
}

/// Why there is no answer.
enum OKKIRefusal: Error {
  /// The token is expired or revoked: get a new one and ask again.
  case token
  /// Worth another try at once.
  case again(SourceFailure)
  /// Trying again at once would bring the same.
  case final(SourceFailure)

  /// As the port tells it.
  var failure: SourceFailure {
    switch self {
    case .token: .unauthorized("OKKI refuses a token that it has just given")
    case .again(let failure), .final(let failure): failure
    }
  }
}

extension OKKIRefusal {
  /// With the beginning of an answer that cannot be understood, or says that something is broken.
  /// - Parameter secrets: what OKKI might echo.
  func keeping(_ outcome: HTTPOutcome, without secrets: [String]) -> OKKIRefusal {
    guard case .response(let response) = outcome, !response.body.isEmpty else { return self }
    func told(_ failure: SourceFailure) -> SourceFailure {
      let text = String(decoding: response.body.prefix(2_048), as: UTF8.self)
      let answer = OKKIWire.bounded(OKKIWire.masked(text, secrets), 200)
      return switch failure {
      case .malformed(let sentence, _): .malformed(sentence, answer: answer)
      case .transient(let sentence, _): .transient(sentence, answer: answer)
      case .unauthorized(let sentence, _): .unauthorized(sentence, answer: answer)
      case .unframed(let sentence, let rows?):
        .unframed(sentence, rows: OKKIWire.beginning(of: rows, without: secrets))
      case .unframed(_, nil), .throttled, .absent: failure
      }
    }
    return switch self {
    case .token: .token
    case .again(let failure): .again(told(failure))
    case .final(let failure): .final(told(failure))
    }
  }
}

/// Reads OKKI's envelope (vendor-apis.md B.2.4, B.3, B.4).
enum OKKIWire {
  /// The answer in an HTTP outcome.
  /// - Parameter names: of a list: the members that an unreadable row is left with; nil where it makes the answer unreadable.
  static func answer(
    _ outcome: HTTPOutcome, limits: JSONLimits, keeping names: [String]? = nil
  ) throws(OKKIRefusal) -> OKKIAnswer {
    if names != nil { try checkSize(outcome) }
    let response = try self.response(outcome)
    switch response.status {
    case 401: throw .token
    // Over-limit replies come as 429 and as 503 (B.4); a 503 of a gateway wants the same: slow down.
    case 429, 503: throw .again(.throttled(afterSeconds: response.retryAfterSeconds))
    case 500...: throw .again(.transient("OKKI answered HTTP \(response.status)"))
    default: break
    }
    let document: JSONDocument
    do throws(JSONError) { document = try JSONDocument(response.body, limits: limits) } catch {
      if let names, error.kind != .tooLarge, response.status < 300,
        let mended = OKKILooseList.mended(response.body, keeping: names, limits: limits),
        let document = try? JSONDocument(mended.text, limits: limits)
      {
        var answer = try read(document.root, response)
        answer.unreadable = mended.rows
        return answer
      }
      let refusal = unreadable(error, status: response.status)
      guard names != nil, response.status < 300, let rows = OKKILooseList.rows(of: response.body) else { throw refusal }
      // Not again: a smaller page is, and a row that no smaller one has is looked at in several cycles.
      throw .final(.unframed("OKKI's answer is \(error.description)", rows: rows))
    }
    return try read(document.root, response)
  }

  /// Of a list a smaller page may be taken.
  private static func checkSize(_ outcome: HTTPOutcome) throws(OKKIRefusal) {
    switch outcome {
    case .notSent(let failure), .uncertain(let failure):
      if failure.kind == .tooLarge { throw .final(.unframed(failure.description, rows: nil)) }
    case .response: break
    }
  }

  /// The response in an HTTP outcome.
  static func response(_ outcome: HTTPOutcome) throws(OKKIRefusal) -> HTTPResponse {
    switch outcome {
    case .response(let response): return response
    case .notSent(let failure), .uncertain(let failure):
      switch failure.kind {
      case .tooLarge: throw .final(.malformed(failure.description))
      case .cancelled, .shutdown, .invalid, .tls, .expired: throw .final(.transient(failure.description))
      case .connect, .resolve, .timeout, .dropped: throw .again(.transient(failure.description))
      }
    }
  }

  private static func unreadable(_ error: JSONError, status: Int) -> OKKIRefusal {
    guard (200..<300).contains(status) else {
      let sentence = "OKKI answered HTTP \(status) without JSON"
      return .final(status == 403 ? .unauthorized(sentence) : .transient(sentence))
    }
    let sentence = "OKKI's answer is \(error.description)"
    switch error.kind {
    // Cut off on its way, or a gateway's page: the next answer will be whole.
    case .unexpectedEnd: return .again(.transient(sentence))
    case .unexpectedByte where error.offset == 0: return .again(.transient(sentence))
    case .tooDeep, .tooLarge, .stringTooLong, .tooManyValues: return .final(.malformed(sentence))
    default: return .again(.malformed(sentence))
    }
  }

  private static func read(_ root: JSONValue, _ response: HTTPResponse) throws(OKKIRefusal) -> OKKIAnswer {
    if let refusal = refusal(in: root, response) { throw refusal }
    guard code(in: root) != nil else {
      throw .again(.transient("OKKI's answer has no code (HTTP \(response.status))"))
    }
    return OKKIAnswer(data: root["data"], now: root["now"]?.string.flatMap { BeijingTime($0) })
  }

  private static func code(in root: JSONValue) -> Int64? { root["code"]?.text.flatMap { Int64($0) } }

  /// What an answer refuses, of a business endpoint or of the one for tokens, be it by a code or as a flat OAuth error (B.2.4);
  /// nil when it refuses nothing. OKKI's message decides with its words and is in no sentence.
  static func refusal(in root: JSONValue, _ response: HTTPResponse) -> OKKIRefusal? {
    let (code, error) = (code(in: root), root["error"]?.string)
    if error == nil {
      guard let code, code != 200 && code != 0 || !(200..<300).contains(response.status) else { return nil }
    }
    let kind = error.map { oauthKinds.contains($0) ? $0 : "an error of a kind that is not known" }
    let sentence = "OKKI answered \(kind ?? "code \(code ?? 0)")"
    let words = ["message", "msg", "error", "error_description", "hint"].compactMap { root[$0]?.string }
      .joined(separator: " ").lowercased()
    // Such a message decides whatever code it comes with (B.2.4, B.4).
    if words.contains("no permission"), words.contains("scope") {
      return .final(.unauthorized("\(sentence): the token lacks a scope"))
    }
    if code == 429 || ["频繁", "频率", "too many", "limit"].contains(where: words.contains) {
      return .again(.throttled(afterSeconds: response.retryAfterSeconds))
    }
    switch error {
    case nil: break
    case "access_denied": return .token
    case "server_error": return .again(.transient(sentence))
    default: return .final(.unauthorized(sentence))
    }
    switch code {
    case 401: return .token
    case 403: return .final(.unauthorized(sentence))
    case 404: return .final(.absent)
    case .some(500...599): return .again(.transient(sentence))
    default: return .final(.transient(sentence))
    }
  }

  /// The vendor's list (B.2.4). Anything else might be words about somebody.
  private static let oauthKinds: Set<String> = [
    "invalid_grant", "invalid_request", "unsupported_grant_type", "invalid_scope", "invalid_client",
    "invalid_credentials", "access_denied", "server_error", "user.authentication.failed",
  ]

  /// A text without these secrets, however they are written: with the word before them, escaped as JSON may be, or encoded as
  /// in a form.
  static func masked(_ text: String, _ secrets: [String]) -> String {
    var text = text
    for secret in secrets {
      for form in [secret, secret.split(separator: " ").last.map(String.init) ?? ""] where !form.isEmpty {
        for written in [form, form.replacing("/", with: "\\/"), percentEncoded(query: form)] {
          text = text.replacing(written, with: "***")
        }
      }
    }
    return text
  }

  /// The same of bytes, which stay as they are where none of the secrets is among them.
  static func masked(_ bytes: [UInt8], _ secrets: [String]) -> [UInt8] {
    let text = String(decoding: bytes, as: UTF8.self)
    let masked = masked(text, secrets)
    return masked == text ? bytes : Array(masked.utf8)
  }

  /// At most 256 KiB of rows, without these secrets.
  static func beginning(of rows: [UInt8], without secrets: [String]) -> [UInt8] {
    // Masked before they are cut, or half a secret could stand at the end.
    let margin = 1 << 12
    let masked = masked(Array(rows.prefix(mostOfRows + margin)), secrets)
    return Array((rows.count > mostOfRows + margin ? masked.dropLast(margin) : masked[...]).prefix(mostOfRows))
  }

  static let mostOfRows = 1 << 18

  /// A vendor's text for a sentence: short, without control characters.
  static func bounded(_ text: String, _ most: Int) -> String {
    let scalars = text.unicodeScalars.prefix(most).map { $0.value < 32 || $0.value == 127 ? " " : $0 }
    return String(String.UnicodeScalarView(scalars))
  }
}
