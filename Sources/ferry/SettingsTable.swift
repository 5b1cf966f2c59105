/// The roles that need settings.
enum Role: String, CaseIterable, Sendable {
  case migrate, poll, transform, load

  static let all: Set<Role> = Set(Role.allCases)
}

/// Every setting there is: one table for reading, checking, `ferry settings` and the README.
enum SettingName: String, CaseIterable, Sendable {
  case okkiURL = "FERRY_OKKI_URL"
  case okkiClientID = "FERRY_OKKI_CLIENT_ID"
  case okkiClientSecret = "FERRY_OKKI_CLIENT_SECRET"
  case okkiRate = "FERRY_OKKI_RATE_PER_SECOND"
  case okkiConcurrency = "FERRY_OKKI_CONCURRENCY"
  case k3URL = "FERRY_K3_URL"
  case k3AuthorityCode = "FERRY_K3_AUTHORITY_CODE"
  case k3Concurrency = "FERRY_K3_CONCURRENCY"
  case k3ConcurrencyFloor = "FERRY_K3_CONCURRENCY_FLOOR"
  case k3SaveTimeout = "FERRY_K3_SAVE_TIMEOUT_SECONDS"
  case k3ReadTimeout = "FERRY_K3_READ_TIMEOUT_SECONDS"
  case k3Visible = "FERRY_K3_VISIBLE_SECONDS"
  case k3Messages = "FERRY_K3_MESSAGES_FILE"
  case leaseSeconds = "FERRY_LEASE_SECONDS"
  case rabbitURL = "FERRY_RABBITMQ_URL"
  case rabbitManagementURL = "FERRY_RABBITMQ_MANAGEMENT_URL"
  case queuePrefix = "FERRY_QUEUE_PREFIX"
  case prefetch = "FERRY_PREFETCH"
  case retrySeconds = "FERRY_RETRY_SECONDS"
  case maxAttempts = "FERRY_MAX_ATTEMPTS"
  case masterDataWait = "FERRY_MASTER_DATA_WAIT_SECONDS"
  case postgresURL = "FERRY_POSTGRES_URL"
  case postgresSchema = "FERRY_POSTGRES_SCHEMA"
  case strategies = "FERRY_STRATEGIES"
  case untaken = "FERRY_UNTAKEN_ORDERS"
  case changed = "FERRY_CHANGED_ORDERS"
  case removed = "FERRY_REMOVED_ORDERS"
  case pollInterval = "FERRY_POLL_INTERVAL_SECONDS"
  case pollOverlap = "FERRY_POLL_OVERLAP_SECONDS"
  case pollLag = "FERRY_POLL_LAG_SECONDS"
  case pollSince = "FERRY_POLL_SINCE"
  case pollPageSize = "FERRY_POLL_PAGE_SIZE"
  case reconcileInterval = "FERRY_RECONCILE_INTERVAL_SECONDS"
  case reconcileDays = "FERRY_RECONCILE_DAYS"
  case certificateAuthorities = "FERRY_CA_FILE"
  case adminHost = "FERRY_ADMIN_HOST"
  case adminPort = "FERRY_ADMIN_PORT"
  case shutdownSeconds = "FERRY_SHUTDOWN_SECONDS"
  case stallSeconds = "FERRY_STALL_SECONDS"
  case logLevel = "FERRY_LOG_LEVEL"
  case logFormat = "FERRY_LOG_FORMAT"
}

/// What a setting may hold.
enum SettingKind: Sendable {
  case url(schemes: [String])
  /// A vendor's address over HTTP: no user, no query; its client adds the rest.
  case vendor(takesPath: Bool)
  case text(maxLength: Int)
  /// Letters, digits, `_ . -`, so that it can be part of a queue's or schema's name.
  case name(maxLength: Int)
  /// Lower-case letters, digits and `_`, not beginning with a digit: needs no quotes in PostgreSQL.
  case schema(maxLength: Int)
  case whole(ClosedRange<Int>)
  case wholeList(ClosedRange<Int>, maxCount: Int)
  case choice([String])
  case time
  case path
  /// A file that can be read.
  case file
  /// The same, or empty for none.
  case optionalFile

  /// The range as people read it.
  var range: String {
    switch self {
    case .url(let schemes): schemes.map { "\($0)://…" }.joined(separator: " or ")
    case .vendor(let takesPath): takesPath ? "https://… or http://…" : "https://… or http://…, no path"
    case .text(let max): "up to \(max) characters"
    case .name(let max): "letters, digits, _ . -, up to \(max)"
    case .schema(let max): "a–z, digits and _, no digit first, up to \(max)"
    case .whole(let range): "\(range.lowerBound)–\(range.upperBound)"
    case .wholeList(let range, let max): "rising, \(range.lowerBound)–\(range.upperBound), at most \(max)"
    case .choice(let choices): choices.joined(separator: ", ")
    case .time: "yyyy-MM-dd HH:mm:ss, Beijing time"
    case .path: "a path"
    case .file: "a file that can be read"
    case .optionalFile: "a file that can be read, or empty"
    }
  }
}

/// One row of the table.
struct SettingRow: Sendable {
  let name: SettingName
  let kind: SettingKind
  /// Taken when it is not set; nil with roles in `requiredBy` means that those need it.
  var standard: String?
  var requiredBy: Set<Role> = []
  var isSecret = false
  let meaning: String
}

extension SettingRow {
  /// The table, in the order in which it is printed.
  static let table: [SettingRow] = vendors + broker + ledger + polling + process

  private static let vendors: [SettingRow] = [
    SettingRow(
      name: .okkiURL, kind: .vendor(takesPath: false), requiredBy: [.poll],
      meaning: "OKKI's address; the vendor's is https://api-sandbox.xiaoman.cn, which is production"),
    SettingRow(
      name: .okkiClientID, kind: .text(maxLength: 200), requiredBy: [.poll],
      meaning: "client_id from OKKI 企业管理 → 外部对接 → API对接"),
    SettingRow(
      name: .okkiClientSecret, kind: .text(maxLength: 1000), requiredBy: [.poll], isSecret: true,
      meaning: "client_secret from the same page"),
    SettingRow(
      name: .okkiRate, kind: .whole(1...1_000_000), standard: "5",
      meaning: "requests a second to OKKI, all together; the vendor publishes no limit"),
    SettingRow(
      name: .okkiConcurrency, kind: .whole(1...128), standard: "16", meaning: "requests to OKKI under way at a time"),
    SettingRow(
      name: .k3URL, kind: .vendor(takesPath: true), requiredBy: [.load],
      meaning: "K/3's address up to and without /K3API"),
    SettingRow(
      name: .k3AuthorityCode, kind: .text(maxLength: 200), requiredBy: [.load], isSecret: true,
      meaning: "authorisation code (授权码) from K/3's EBDI 企业联盟平台"),
    SettingRow(
      name: .k3Concurrency, kind: .whole(1...256), standard: "2",
      meaning: "most requests to K/3 under way at a time, per loader"),
    SettingRow(
      name: .k3ConcurrencyFloor, kind: .whole(1...256), standard: "1",
      meaning: "fewest that a K/3 with too much to do brings them down to"),
    SettingRow(
      name: .k3SaveTimeout, kind: .whole(1...600), standard: "60", meaning: "seconds until a Save counts as in doubt"),
    SettingRow(
      name: .k3ReadTimeout, kind: .whole(1...600), standard: "15",
      meaning: "seconds that K/3 has to answer a look-up; more where bills have hundreds of lines"),
    SettingRow(
      name: .k3Visible, kind: .whole(1...3600), standard: "60",
      meaning: "seconds after which K/3 must show a bill that it has written; look-ups wait so long"),
    SettingRow(
      name: .k3Messages, kind: .optionalFile, standard: "",
      meaning: "JSON with more texts by which K/3's refusals are told apart; empty: the built-in ones"),
  ]

  private static let broker: [SettingRow] = [
    SettingRow(
      name: .rabbitURL, kind: .url(schemes: ["amqp", "amqps"]), requiredBy: Role.all, isSecret: true,
      meaning: "RabbitMQ with user, password and vhost"),
    SettingRow(
      name: .rabbitManagementURL, kind: .url(schemes: ["http", "https"]), requiredBy: [.migrate], isSecret: true,
      meaning: "RabbitMQ's management API with user and password, for policies and their verification"),
    SettingRow(
      name: .queuePrefix, kind: .name(maxLength: 40), standard: "", meaning: "put before every queue's name"),
    SettingRow(
      name: .prefetch, kind: .whole(1...2000), standard: "512",
      meaning: "orders, or bills, that the broker lends to one worker at a time, as long as its messages are full"),
    SettingRow(
      name: .retrySeconds, kind: .wholeList(1...86400, maxCount: 8), standard: "10,60,600,3600",
      meaning: "delays of the retry ladder in seconds; a delay queue each, so change it with ferry migrate"),
    SettingRow(
      name: .maxAttempts, kind: .whole(1...100), standard: "8", meaning: "attempts before a message is parked"),
    SettingRow(
      name: .masterDataWait, kind: .whole(0...604800), standard: "3600",
      meaning:
        "seconds after an order was first seen that it waits for a customer or another record that is missing; then, or at 0 at once, it is parked"
    ),
  ]

  private static let ledger: [SettingRow] = [
    SettingRow(
      name: .postgresURL, kind: .url(schemes: ["postgresql", "postgres"]), requiredBy: Role.all, isSecret: true,
      meaning: "PostgreSQL with user, password and database"),
    SettingRow(
      name: .postgresSchema, kind: .schema(maxLength: 40), standard: "ferry", meaning: "schema of Ferry's tables"),
    SettingRow(
      name: .leaseSeconds, kind: .whole(10...10800), standard: "240",
      meaning:
        "seconds that a claimed order is kept from other loaders; more than a Save's timeout and visibility together"),
    SettingRow(
      name: .strategies, kind: .path, requiredBy: [.transform],
      meaning:
        "folder with one folder per strategy, each with source.json and target.json; loaders take primaryWriteback from it, where it is set"
    ),
    SettingRow(
      name: .untaken, kind: .choice(["park", "count"]), standard: "park",
      meaning: "what becomes of orders that no strategy takes: parked as no_strategy, or only counted as ignored"),
    SettingRow(
      name: .changed, kind: .choice(["hold", "update", "ignore"]), standard: "hold",
      meaning:
        "what becomes of orders that change after their bill was written: parked as changed_after_written, the bill changed in K/3 as long as it is not audited, or only counted as ignored"
    ),
    SettingRow(
      name: .removed, kind: .choice(["hold", "cancel"]), standard: "hold",
      meaning:
        "what becomes of the bills of orders that are deleted in OKKI: the removal parked as removed_after_written, or the bill deleted in K/3 as long as it is not audited"
    ),
  ]

  private static let polling: [SettingRow] = [
    SettingRow(
      name: .pollSince, kind: .time, requiredBy: [.poll], meaning: "first watermark; used until there is one"),
    SettingRow(
      name: .pollInterval, kind: .whole(1...86400), standard: "60", meaning: "seconds between two polls"),
    SettingRow(
      name: .pollOverlap, kind: .whole(0...86400), standard: "120",
      meaning: "seconds that every window starts before the watermark"),
    SettingRow(
      name: .pollLag, kind: .whole(0...3600), standard: "5",
      meaning: "seconds that every window ends before OKKI's now"),
    SettingRow(
      name: .pollPageSize, kind: .whole(1...500), standard: "100", meaning: "orders a list page"),
    SettingRow(
      name: .reconcileInterval, kind: .whole(0...8_640_000), standard: "86400",
      meaning: "seconds between two reconciliations, which find changes that update_time does not show; 0: none"),
    SettingRow(
      name: .reconcileDays, kind: .whole(1...366), standard: "7",
      meaning: "days back whose orders, by when they were entered, a reconciliation reads"),
  ]

  private static let process: [SettingRow] = [
    SettingRow(
      name: .certificateAuthorities, kind: .file, standard: "/etc/ssl/certs/ca-certificates.crt",
      meaning: "certificate authorities that TLS trusts"),
    SettingRow(
      name: .adminHost, kind: .text(maxLength: 255), standard: "127.0.0.1",
      meaning: "address on which health and metrics are served"),
    SettingRow(name: .adminPort, kind: .whole(0...65535), standard: "9464", meaning: "its port; 0 takes any"),
    SettingRow(
      name: .shutdownSeconds, kind: .whole(1...600), standard: "25",
      meaning: "seconds in which a stopping process finishes what it holds"),
    SettingRow(
      name: .stallSeconds, kind: .whole(4...3600), standard: "60",
      meaning: "seconds that a worker may get nothing from a queue with messages, and an elected poller no answer "
        + "beyond the 120 s that any may take; then it exits 70"),
    SettingRow(
      name: .logLevel, kind: .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
      standard: "info", meaning: "least level that is logged"),
    SettingRow(name: .logFormat, kind: .choice(["text", "json"]), standard: "text", meaning: "lines or JSON lines"),
  ]
}
