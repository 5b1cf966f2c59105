internal import Curl
internal import Pipeline

/// The kinds of requests to OKKI, as metrics tell them apart.
enum OKKICallKind: String, CaseIterable {
  /// `oauth2/access_token`.
  case token
  /// `order/list`, also of removed orders, and for OKKI's clock.
  case list
  /// `order/info`.
  case info
  /// `company/list`.
  case customers
  /// Anything else, such as `orderEnums` of `ferry check`.
  case other

  /// By path and query, from `/v1`.
  init(_ path: String) {
    self =
      if path.hasPrefix("/v1/invoices/order/info") {
        .info
      } else if path.hasPrefix("/v1/invoices/order/list") {
        .list
      } else if path.hasPrefix("/v1/company/list") {
        .customers
      } else {
        .other
      }
  }

  /// Its place, as the meter and the client's tags count.
  var place: Int { Self.allCases.firstIndex(of: self) ?? 0 }

  /// How requests to OKKI end: none writes, so none is uncertain.
  static let endings: [RequestEnding] = [.ok, .throttled, .unauthorized, .absent, .malformed, .outage, .unsent]
}

extension OKKIRefusal {
  /// How the request ended that was refused so.
  func ending(_ outcome: HTTPOutcome) -> RequestEnding {
    switch outcome {
    case .notSent(let failure), .uncertain(let failure):
      switch failure.kind {
      case .expired, .cancelled, .shutdown, .invalid: return .unsent
      case .tooLarge: return .malformed
      case .connect, .resolve, .tls, .timeout, .dropped: return .outage
      }
    case .response: break
    }
    return switch failure {
    case .transient: .outage
    case .throttled: .throttled
    case .unauthorized: .unauthorized
    case .absent: .absent
    case .malformed, .unframed: .malformed
    }
  }
}
