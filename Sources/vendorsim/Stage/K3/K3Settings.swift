/// The switches of the simulated K/3 WISE, with the defaults of the vendor reference.
struct K3Settings {
  enum Reissue: String, CaseIterable { case same, newKeepOld, newInvalidateOld }
  enum Dialect: String, CaseIterable { case modern, legacy }
  enum Duplicates: String, CaseIterable { case reject, renumber, accept }
  enum References: String, CaseIterable { case name, number, object }
  enum FailureShape: String, CaseIterable { case text, rows }
  enum Overload: String, CaseIterable { case busy, http503 }

  var anyCaseInput = true
  var tokenMessage = "Successful"
  var reissue = Reissue.same
  var bindsAddress = false
  var slidingExpiry = false
  var validitySeconds = 3_600
  var codeRefusal = "授权码无效"
  var tokenRefusal = "Token无效或已过期"
  var resolvesByName = true
  var lenientDates = true
  var saveDialect = Dialect.modern
  var updateReplacesLines = true
  var deletesAudited = false
  var unknownBillStatus = 201
  var pageCap = 2_000
  var unknownListFieldFails = true
  var listReferences = References.name
  var priceDecimals = 6
  var quantityDecimals = 4
  var amountDecimals = 2
  var checksDecimals = false
  var computesAmounts = true
  var allowsNonPositive = false
  var duplicates = Duplicates.reject
  var linesCap = 1_000
  var concurrencyCap = 0
  var overload = Overload.busy
  var unknownFieldFails = true
  var checksReferences = true
  var checksUnitGroup = true
  var closedTo = "2019-12-31"
  var checksPeriod = true
  var requiredHeader = ["Fdate", "FCustID", "FDeptID", "FEmpID"]
  var requiredLine = ["FItemID", "FUnitID", "Fauxqty", "FDate1"]
  var denied: [String] = []
  var keyField = "FBillNo"
  var failureShape = FailureShape.text
  var statusCodeAsString = false
  var encryptionKey = ""
  var latencyMilliseconds = 0
  var slowMilliseconds = 3_000
  var visibleAfterMilliseconds = 0
  var lateMilliseconds = 1_000
  var revokeAfterSaves = 0

  static var board: Switchboard<K3Settings> { Switchboard(switches: tokenSwitches + billSwitches + serverSwitches) }

  private static var tokenSwitches: [Switch<K3Settings>] {
    [
      .flag("anyCaseInput", \.anyCaseInput, "A-1: names in requests in any case"),
      .text("tokenMessage", \.tokenMessage, "A-2: message of a token reply"),
      .choice("reissue", \.reissue, "A-3: what a second Token/Create gets"),
      .flag(
        "bindsAddress", \.bindsAddress,
        "A-4: a token serves only the address that asked for it (X-Forwarded-For is not read)"),
      .flag("slidingExpiry", \.slidingExpiry, "A-5: each use renews the token"),
      .whole("validitySeconds", \.validitySeconds, 1...10_000_000, "A.3: lifetime of a token"),
      .text("codeRefusal", \.codeRefusal, "A-6: text for an unknown authority code"),
      .text("tokenRefusal", \.tokenRefusal, "A-7: text for a bad token"),
      .names("denied", \.denied, "A.14: `Object/Action`s that this site has not authorised"),
    ]
  }

  private static var billSwitches: [Switch<K3Settings>] {
    [
      .flag("resolvesByName", \.resolvesByName, "A-8: a reference without FNumber is looked up by FName"),
      .flag("lenientDates", \.lenientDates, "A-9: dates need only begin like one"),
      .choice("saveDialect", \.saveDialect, "A-10: where the bill number stands in a Save reply"),
      .flag("updateReplacesLines", \.updateReplacesLines, "A-11: Update replaces all lines; off: merges by FEntryID2"),
      .flag("deletesAudited", \.deletesAudited, "A-12: audited bills may be deleted"),
      .whole("unknownBillStatus", \.unknownBillStatus, 0...999, "A-13: StatusCode for a bill that is not there"),
      .whole("pageCap", \.pageCap, 1...1_000_000, "A-14: largest page, clamped"),
      .flag("unknownListFieldFails", \.unknownListFieldFails, "A-15: an unknown field in Fields is a failure"),
      .choice("listReferences", \.listReferences, "A-17: how GetList shows references"),
      .whole("priceDecimals", \.priceDecimals, 0...10, "A-18: decimals of prices"),
      .whole("quantityDecimals", \.quantityDecimals, 0...10, "A-18: decimals of quantities"),
      .whole("amountDecimals", \.amountDecimals, 0...10, "A-18: decimals of amounts"),
      .flag("checksDecimals", \.checksDecimals, "A-18: more decimals than that are refused"),
      .flag("computesAmounts", \.computesAmounts, "A-19: amounts that are missing are worked out"),
      .flag("allowsNonPositive", \.allowsNonPositive, "A-20: quantities of 0 and below pass"),
      .choice("duplicates", \.duplicates, "A-21: what a second bill with the same number gets"),
      .whole("linesCap", \.linesCap, 1...1_000_000, "A-22: lines of a bill"),
      .flag("unknownFieldFails", \.unknownFieldFails, "A.14: an unknown field in Save is a failure; off: ignored"),
      .flag("checksReferences", \.checksReferences, "A.14: customers, materials and the like must exist"),
      .flag("checksUnitGroup", \.checksUnitGroup, "A.14: a line's unit must be in the material's unit group"),
      .text("closedTo", \.closedTo, "A.14: last day of the closed periods"),
      .flag("checksPeriod", \.checksPeriod, "A.14: orders in a closed period are refused"),
      .names("requiredHeader", \.requiredHeader, "A.9.1: header fields that must not be empty"),
      .names("requiredLine", \.requiredLine, "A.9.1: line fields that must not be empty"),
      .text("keyField", \.keyField, "header field that the books take for the external key"),
    ]
  }

  private static var serverSwitches: [Switch<K3Settings>] {
    [
      .choice(
        "failureShape", \.failureShape, "A.14: `Data` of a refusal: the reason as text, or rows with FStatus false"),
      .flag("statusCodeAsString", \.statusCodeAsString, "A.15: StatusCode as a string"),
      .text("encryptionKey", \.encryptionKey, "A.3: eight bytes: `Data` in replies goes DES encrypted; empty: off"),
      .whole("concurrencyCap", \.concurrencyCap, 0...100_000, "A-22: requests at once; 0: no cap"),
      .choice("overload", \.overload, "A-22: what a request beyond the cap gets"),
      .whole("latencyMilliseconds", \.latencyMilliseconds, 0...600_000, "every reply is held back so long"),
      .whole("slowMilliseconds", \.slowMilliseconds, 0...600_000, "how long the fault `slow` holds a reply back"),
      .whole("lateMilliseconds", \.lateMilliseconds, 0...600_000, "how late the fault `late_change` does its work"),
      .whole(
        "visibleAfterMilliseconds", \.visibleAfterMilliseconds, 0...600_000,
        "A.15: how long GetList does not show a new bill"),
      .whole(
        "revokeAfterSaves", \.revokeAfterSaves, 0...1_000_000_000,
        "after so many stored bills all tokens are revoked, once; 0: never"),
    ]
  }
}

/// The faults of the simulated K/3.
enum K3Fault: String, FaultList {
  /// HTTP 500 with an HTML page, nothing done.
  case serverError = "server_error"
  /// HTTP 503 with an HTML page, nothing done.
  case unavailable
  /// `系统繁忙,请稍后再试`, nothing done.
  case busy
  /// The connection closes before anything is done.
  case dropBeforeSave = "drop_before_save"
  /// The bill is stored, then the connection closes without a reply.
  case saveThenDrop = "save_then_drop"
  /// The bill is stored, then HTTP 500.
  case saveThenError = "save_then_500"
  /// Update and Delete: the connection closes without a reply, and the work is done `lateMilliseconds` later.
  case lateChange = "late_change"
  /// Half of the JSON document, as a whole HTTP reply.
  case truncated
  /// HTTP 200 without a body, whatever was done.
  case emptyBody = "empty_body"
  /// 200 "Successful" with a failed row; nothing stored.
  case failedRow = "failed_row"
  /// Every token is revoked at once.
  case tokenRevoked = "token_revoked"
  /// GetList: no rows, but a positive row count.
  case nullPage = "null_page"
  /// Held back for `slowMilliseconds`.
  case slow
}

extension FaultProfile {
  var k3: [K3Fault: Double] {
    switch self {
    case .off: [:]
    case .mild: [.serverError: 0.005, .unavailable: 0.005, .saveThenDrop: 0.003]
    case .storm:
      [
        .serverError: 0.03, .unavailable: 0.03, .busy: 0.03, .dropBeforeSave: 0.02, .saveThenDrop: 0.03,
        .saveThenError: 0.02, .truncated: 0.01, .emptyBody: 0.01, .failedRow: 0.001, .tokenRevoked: 0.000_5,
        .nullPage: 0.01, .slow: 0.001,
      ]
    }
  }
}
