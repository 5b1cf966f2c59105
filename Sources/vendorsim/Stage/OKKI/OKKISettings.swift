/// The switches of the simulated OKKI, with the defaults of the vendor reference.
struct OKKISettings {
  enum Detail: String, CaseIterable { case compact, full }
  enum LimitForm: String, CaseIterable { case http429, code429, http503 }
  enum RetryAfterForm: String, CaseIterable { case seconds, date, past, absent, words }
  enum Oversize: String, CaseIterable { case clamp, error }
  enum Reissue: String, CaseIterable { case newSameExpiry, newFreshExpiry, same }

  var strictTypes = false
  var detail = Detail.compact
  var listIncludesStatus = false
  var countAsString = false
  var successCode = 200
  var expiresSeconds = 28_800
  var hidesExpiry = false
  var reissue = Reissue.newSameExpiry
  var missingScopeStatus = 403
  var rateLimit = false
  var ratePerSecond = 5
  var rateBurst = 10
  var ratePerMinute = 200
  var limitForm = LimitForm.http429
  var retryAfterSeconds = 1
  var retryAfterInEveryForm = false
  var retryAfterForm = RetryAfterForm.seconds
  var dateSkewSeconds = 0
  var bareEndDateInclusive = true
  var pageCap = 500
  var oversizePage = Oversize.clamp
  var removedShowsOnlyDeleted = true
  var approvalFiltersApproved = true
  var statusZeroIsNoFilter = true
  var newestFirst = true
  var clockSkewSeconds = 0
  var spoiltRowEvery = 0
  var strayQuoteEvery = 0
  var hugeRowEvery = 0
  var latencyMilliseconds = 0
  var slowMilliseconds = 3_000
  var revokeAfterInfos = 0

  static var board: Switchboard<OKKISettings> {
    Switchboard(switches: [
      .flag("strictTypes", \.strictTypes, "B.6: types of the documented schema instead of the recorded ones"),
      .choice("detail", \.detail, "compact: about 2 KB an order; full: every field of B.6"),
      .flag("listIncludesStatus", \.listIncludesStatus, "B.12: list items carry `status`"),
      .flag("countAsString", \.countAsString, "B.12: `data.count` as a string"),
      .whole("successCode", \.successCode, 0...999, "B.3: 200 in real replies, 0 in the documentation's mocks"),
      .whole("expiresSeconds", \.expiresSeconds, 1...10_000_000, "lifetime of an access token"),
      .flag("hidesExpiry", \.hidesExpiry, "B.2.1: token replies without expires_in, as the documentation says"),
      .choice("reissue", \.reissue, "B-1: what a second token request gets"),
      .whole("missingScopeStatus", \.missingScopeStatus, 200...599, "B-2: HTTP status when a scope is missing"),
      .flag("rateLimit", \.rateLimit, "B-3: whether the limits below are in force; off unless asked for"),
      .whole("ratePerSecond", \.ratePerSecond, 1...1_000_000, "B-3: refill of the token bucket"),
      .whole("rateBurst", \.rateBurst, 1...1_000_000, "B-3: size of the token bucket"),
      .whole("ratePerMinute", \.ratePerMinute, 1...100_000_000, "B-3: cap per minute"),
      .choice("limitForm", \.limitForm, "B-3: how a refusal for speed looks"),
      .whole("retryAfterSeconds", \.retryAfterSeconds, 0...3_600, "B-3: Retry-After of an HTTP 429"),
      .flag("retryAfterInEveryForm", \.retryAfterInEveryForm, "B-3: the other forms carry Retry-After too"),
      .choice("retryAfterForm", \.retryAfterForm, "B-3: digits, a date, one that is over, nothing, words"),
      .whole(
        "dateSkewSeconds", \.dateSkewSeconds, -1_000_000...1_000_000,
        "how far `Date`, and dates in Retry-After, are off the clock"),
      .flag("bareEndDateInclusive", \.bareEndDateInclusive, "B-4: a bare date as end means 23:59:59"),
      .whole("pageCap", \.pageCap, 1...100_000, "B-5: largest page"),
      .choice("oversizePage", \.oversizePage, "B-5: what a larger page asked for gets"),
      .flag("removedShowsOnlyDeleted", \.removedShowsOnlyDeleted, "B-6: removed=1 shows only deleted orders"),
      .flag("approvalFiltersApproved", \.approvalFiltersApproved, "B-7: approval=1 shows only approved orders"),
      .flag("statusZeroIsNoFilter", \.statusZeroIsNoFilter, "B-8: status=0 filters nothing"),
      .flag("newestFirst", \.newestFirst, "B-9: lists run from the newest to the oldest"),
      .whole(
        "clockSkewSeconds", \.clockSkewSeconds, -1_000_000...1_000_000, "how far `now` in replies is off the clock"),
      .whole(
        "spoiltRowEvery", \.spoiltRowEvery, 0...1_000_000,
        "list rows of orders with an id that this divides hold half a character, so that they are no JSON; 0: none"),
      .whole(
        "strayQuoteEvery", \.strayQuoteEvery, 0...Int.max,
        """
        list rows of orders and companies with an id that this divides hold a stray quote, so that nobody can tell the rows of \
        their page apart; 0: none; an id: that row alone
        """
      ),
      .whole(
        "hugeRowEvery", \.hugeRowEvery, 0...Int.max,
        "list rows of orders and companies with an id that this divides have 9 MiB; 0: none; an id: that row alone"),
      .whole("latencyMilliseconds", \.latencyMilliseconds, 0...600_000, "every reply is held back so long"),
      .whole("slowMilliseconds", \.slowMilliseconds, 0...600_000, "how long the fault `slow` holds a reply back"),
      .whole(
        "revokeAfterInfos", \.revokeAfterInfos, 0...1_000_000_000,
        "after so many order/info replies all tokens are revoked, once; 0: never"),
    ])
  }
}

/// The faults of the simulated OKKI.
enum OKKIFault: String, FaultList {
  /// HTTP 502 with a gateway's HTML page.
  case serverError = "server_error"
  /// A refusal for speed, in the form of the setting `limitForm`.
  case limited
  /// HTTP 401 `access_denied` although the token is good.
  case accessDenied = "access_denied"
  /// Every token is revoked at once.
  case tokenRevoked = "token_revoked"
  /// The token lacks the module's scope.
  case missingScope = "missing_scope"
  /// The connection closes without a reply.
  case dropped
  /// Half of the JSON document, as a whole HTTP reply.
  case truncated
  /// HTTP 200 without a body.
  case emptyBody = "empty_body"
  /// HTTP 200 with a `code` that says no.
  case businessError = "business_error"
  /// Held back for `slowMilliseconds`.
  case slow
  /// The order is edited just before `order/info` shows it (first look only).
  case changedBetween = "changed_between"
  /// The same, but `update_time` stays as it was.
  case changedSilently = "changed_silently"
  /// The order is deleted just before `order/info` would show it (first look only).
  case deletedBetween = "deleted_between"
  /// An order of the asked window is touched while its pages are read.
  case shifting
}

extension FaultProfile {
  var okki: [OKKIFault: Double] {
    switch self {
    case .off: [:]
    case .mild: [.serverError: 0.01]
    case .storm:
      [
        .serverError: 0.05, .limited: 0.05, .accessDenied: 0.01, .tokenRevoked: 0.000_5, .dropped: 0.02,
        .truncated: 0.01,
        .emptyBody: 0.01, .businessError: 0.005, .slow: 0.001, .changedBetween: 0.01, .deletedBetween: 0.002,
      ]
    }
  }
}
