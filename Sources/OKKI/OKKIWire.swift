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
      var text = String(decoding: response.body.prefix(2_048), as: UTF8.self)
      for secret in secrets where !secret.isEmpty {
        text = text.replacing(secret, with: "***")
        if let bare = secret.split(separator: " ").last { text = text.replacing(bare, with: "***") }
      }
      let answer = OKKIWire.bounded(text, 200)
      return switch failure {
      case .malformed(let sentence, _): .malformed(sentence, answer: answer)
      case .transient(let sentence, _): .transient(sentence, answer: answer)
      case .throttled, .unauthorized, .absent: failure
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
  static func answer(_ outcome: HTTPOutcome, limits: JSONLimits) throws(OKKIRefusal) -> OKKIAnswer {
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
      throw unreadable(error, status: response.status)
    }
    return try read(document.root, response)
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
    let message = root["message"]?.string ?? root["msg"]?.string ?? ""
    if let error = root["error"]?.string { throw oauthRefusal(error, message) }
    guard let text = root["code"]?.text, let code = Int64(text) else {
      throw .again(.transient("OKKI's answer has no code (HTTP \(response.status))"))
    }
    if (code == 200 || code == 0) && (200..<300).contains(response.status) {
      return OKKIAnswer(data: root["data"], now: root["now"]?.string.flatMap { BeijingTime($0) })
    }
    throw refusal(code, message, response)
  }

  private static func refusal(_ code: Int64, _ message: String, _ response: HTTPResponse) -> OKKIRefusal {
    let words = message.lowercased()
    let sentence = "OKKI answered code \(code)\(quoted(message))"
    // Such a message decides whatever code it comes with (B.2.4, B.4).
    if words.contains("no permission"), words.contains("scope") { return .final(.unauthorized(sentence)) }
    if code == 429 || ["频繁", "频率", "too many", "limit"].contains(where: words.contains) {
      return .again(.throttled(afterSeconds: response.retryAfterSeconds))
    }
    switch code {
    case 401: return .token
    case 403: return .final(.unauthorized(sentence))
    case 404: return .final(.absent)
    case 500...599: return .again(.transient(sentence))
    default: return .final(.transient(sentence))
    }
  }

  /// A flat OAuth error (B.2.4).
  static func oauthRefusal(_ error: String, _ message: String) -> OKKIRefusal {
    switch error {
    case "access_denied": .token
    case "server_error": .again(.transient("OKKI answered server_error"))
    default: .final(.unauthorized("OKKI answered \(bounded(error, 60))\(quoted(message))"))
    }
  }

  private static func quoted(_ message: String) -> String {
    message.isEmpty ? "" : ": \(bounded(message, 120))"
  }

  /// A vendor's text for a sentence: short, without control characters.
  static func bounded(_ text: String, _ most: Int) -> String {
    let scalars = text.unicodeScalars.prefix(most).map { $0.value < 32 || $0.value == 127 ? " " : $0 }
    return String(String.UnicodeScalarView(scalars))
  }
}
