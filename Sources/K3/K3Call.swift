internal import Curl
internal import Pipeline

/// The kinds of requests to K/3, as metrics tell them apart.
enum K3CallKind: String, CaseIterable {
  /// `Token/Create`.
  case token
  case save
  case update
  case delete
  /// `GetList`: whether a bill is there, and under which number.
  case lookUp = "look_up"
  /// `GetDetail`: what a bill holds.
  case detail
  /// Anything else, such as `GetTemplate` of `ferry check`.
  case other

  /// By object and action.
  init(_ path: String) {
    let action = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[path.utf8.index(after: $0)...] } ?? path[...]
    self =
      switch action {
      case "Save": .save
      case "Update": .update
      case "Delete": .delete
      case "GetList": .lookUp
      case "GetDetail": .detail
      default: .other
      }
  }

  /// Its place, as the meter and the client's tags count.
  var place: Int { Self.allCases.firstIndex(of: self) ?? 0 }

  /// How requests to K/3 end.
  static let endings: [RequestEnding] = [.ok, .rejected, .throttled, .unauthorized, .outage, .uncertain, .unsent]
}

extension K3Reply {
  /// How the request ended.
  /// - Parameter writes: whether it is one that K/3 does something for, and so may have done without saying so.
  func ending(_ messages: K3Messages, writes: Bool) -> RequestEnding {
    switch self {
    case .notSent(let failure):
      switch failure.kind {
      case .expired, .cancelled, .shutdown, .invalid: .unsent
      case .connect, .resolve, .tls, .timeout, .dropped, .tooLarge: .outage
      }
    case .unclear: writes ? .uncertain : .outage
    case .answer(let answer) where answer.isGood: writes && answer.hasFailedRow ? .rejected : .ok
    case .answer(let answer):
      switch messages.kind(of: answer.refusal, isFresh: true) {
      case .token, .unauthorized: .unauthorized
      case .busy: writes && messages.isUnsettled(answer.refusal) ? .uncertain : .throttled
      case .duplicate, .other: .rejected
      }
    }
  }
}
