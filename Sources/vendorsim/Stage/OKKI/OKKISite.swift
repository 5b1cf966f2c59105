import JSON

/// What a simulated OKKI starts from.
public struct OKKIPlan: Sendable {
  /// Same seed, same orders and same faults.
  public var seed: UInt64 = 1
  /// How many orders there are.
  public var orders = 2_000
  /// Lines of an order.
  public var lines = 5
  /// Companies in company/list, up to 10,000.
  public var companies = 300
  /// How rough the weather is.
  public var faults = FaultProfile.off
  /// Percent of orders that cannot be mapped.
  public var unmappable = 0.0
  /// The clock at the start, as Unix seconds; nil for the real time.
  public var now: Int?

  /// 2,000 orders, no faults.
  public init() {}
}

/// The simulated 小满 OKKI.
final class OKKISite: Site {
  let plan: OKKIPlan
  let stage: Backstage<OKKIFault>
  let maker: OrderMaker
  var settings = OKKISettings()
  var profile: FaultProfile
  var tokens = OKKITokens()
  var limit = RateLimit()
  var store = OrderStore()
  var companies: [Company] = []
  var companyPositions: [Int64: Int] = [:]
  var shown: Set<Int64> = []
  var infos = 0
  var webhooks = OKKIWebhooks()
  /// The last filtered list, so that its pages are not filtered one by one.
  var filtered: (key: String, changes: Int, positions: [Int])?
  /// Counts every change of an order.
  var changes = 0
  var removedCount = 0
  var hasRemoved: Bool { removedCount > 0 }

  var load: Load { stage.load }

  init(_ plan: OKKIPlan) {
    self.plan = plan
    stage = Backstage(seed: plan.seed, clock: SimClock(startingAt: plan.now))
    maker = OrderMaker(
      seed: plan.seed, lines: plan.lines, companies: min(max(1, plan.companies), Catalogue.mostCompanies),
      unmappable: plan.unmappable)
    profile = plan.faults
    fill()
    apply(profile)
  }

  /// Makes all orders anew, updated within the hour before now.
  func fill() {
    let now = stage.clock.seconds
    companies = maker.companyList(now: now)
    companyPositions = Dictionary(uniqueKeysWithValues: companies.enumerated().map { ($1.id, $0) })
    store.removeAll()
    store.add(maker.orders(0..<plan.orders, times: (now - 3_600)...(now - 60)))
    changes += 1
    // Every order is looked at once in a run, so its text is made before the run begins and not while it is measured.
    if store.count <= Self.mostPrepared {
      for position in 0..<store.count {
        _ = infoText(position)
        _ = listText(position)
      }
    }
  }

  private static let mostPrepared = 100_000

  func apply(_ profile: FaultProfile) {
    self.profile = profile
    stage.faults.set(profile.okki)
    settings.revokeAfterInfos = profile == .off ? 0 : max(1, store.count / 3)
  }

  func company(_ id: Int64) -> Company? { companyPositions[id].map { companies[$0] } }

  // MARK: answering

  func answer(_ request: Request) -> Reply {
    if request.path.hasPrefix("/_sim/") { return admin(request) }
    let key = key(of: request)
    var reply = vendor(request, key: key)
    reply.delayMilliseconds += settings.latencyMilliseconds
    stage.record(request.path, key: key, reply)
    return reply
  }

  private func key(of request: Request) -> String {
    let query = request.query
    if let id = query["order_id"] { return id }
    if let number = query["order_no"] { return number }
    return query["start_index"].map { "page \($0)" } ?? ""
  }

  private func vendor(_ request: Request, key: String) -> Reply {
    if settings.rateLimit, !limit.allows(settings, nowMilliseconds: stage.clock.milliseconds) { return limited() }
    let draw = stage.faults.draw(request.path, key: key)
    if !stage.faults.isQuiet, let early = early(draw, request) { return early }
    var reply: Reply
    if request.path.hasPrefix("/v1/oauth2/") {
      reply = token(request)
    } else {
      guard let grant = tokens.grant(request.authorization, now: stage.clock.seconds) else { return Self.denied() }
      guard let route = route(request) else { return .page(404, "Not Found") }
      guard grant.scopes.contains(Substring(route.scope)) else { return missingScope(route.scope) }
      if !stage.faults.isQuiet { between(request, draw) }
      reply = route.answer(request)
    }
    return stage.faults.isQuiet ? reply : late(draw, &reply)
  }

  /// Faults that strike before anything is looked at.
  private func early(_ draw: FaultPlan<OKKIFault>.Draw, _ request: Request) -> Reply? {
    if stage.faults.strikes(.dropped, draw) { return .dropped(by: OKKIFault.dropped.rawValue) }
    if stage.faults.strikes(.serverError, draw) {
      return .page(502, "Bad Gateway", fault: OKKIFault.serverError.rawValue)
    }
    if request.path.hasPrefix("/v1/oauth2/") { return nil }
    if stage.faults.strikes(.tokenRevoked, draw) { tokens.revokeAll() }
    if stage.faults.strikes(.limited, draw) { return limited() }
    if stage.faults.strikes(.accessDenied, draw) {
      var reply = Self.denied()
      reply.fault = OKKIFault.accessDenied.rawValue
      return reply
    }
    if stage.faults.strikes(.missingScope, draw), let route = route(request) { return missingScope(route.scope) }
    if stage.faults.strikes(.businessError, draw) {
      var reply = failure(500, "Operation Failed.")
      reply.fault = OKKIFault.businessError.rawValue
      return reply
    }
    return nil
  }

  /// Faults that spoil a reply that was made.
  private func late(_ draw: FaultPlan<OKKIFault>.Draw, _ reply: inout Reply) -> Reply {
    if stage.faults.strikes(.truncated, draw) { return reply.halved(by: OKKIFault.truncated.rawValue) }
    if stage.faults.strikes(.emptyBody, draw) {
      var empty = Reply()
      empty.fault = OKKIFault.emptyBody.rawValue
      return empty
    }
    if stage.faults.strikes(.slow, draw) {
      reply.delayMilliseconds += settings.slowMilliseconds
      reply.fault = OKKIFault.slow.rawValue
    }
    return reply
  }

  struct Route {
    var scope: String
    var answer: (Request) -> Reply
  }

  private func route(_ request: Request) -> Route? {
    switch (request.method, request.path) {
    case ("GET", "/v1/invoices/order/info"): Route(scope: "invoices", answer: orderInfo)
    case ("GET", "/v1/invoices/order/list"): Route(scope: "invoices", answer: orderList)
    case ("GET", "/v1/invoices/order/orderEnums"): Route(scope: "invoices", answer: orderEnums)
    case ("GET", "/v1/invoices/order/fields"): Route(scope: "invoices", answer: orderFields)
    case ("POST", "/v1/invoices/order/push"): Route(scope: "invoices", answer: pushOrder)
    case ("POST", "/v1/invoices/order/remove"): Route(scope: "invoices", answer: removeOrder)
    case ("GET", "/v1/company/list"): Route(scope: "company", answer: companyList)
    case ("GET", "/v1/company/info"): Route(scope: "company", answer: companyInfo)
    case ("GET", "/v1/company/query"): Route(scope: "company", answer: companyQuery)
    case ("GET", "/v1/product/info"): Route(scope: "product", answer: productInfo)
    case ("GET", "/v1/product/list"): Route(scope: "product", answer: productList)
    case ("GET", "/v1/user/list"): Route(scope: "user", answer: userList)
    case ("GET", "/v1/user/departmentList"): Route(scope: "user", answer: departmentList)
    default:
      request.path.hasPrefix("/v1/webhook") || request.path.hasPrefix("/v1/subscribe")
        ? Route(scope: "webhook", answer: webhook) : nil
    }
  }

  private func token(_ request: Request) -> Reply {
    let document = request.contentType?.contains("json") == true ? try? JSONDocument(request.body) : nil
    let form = Query(String(decoding: request.body, as: UTF8.self))
    let fields = { (name: String) in document.map { $0.root[name]?.text } ?? form[name] }
    let now = stage.clock.seconds
    switch (request.method, request.path) {
    case ("POST", "/v1/oauth2/access_token"):
      return tokens.issue(fields, settings: settings, now: now, seed: plan.seed)
    case ("POST", "/v1/oauth2/refresh_token"):
      return tokens.renew(fields, settings: settings, now: now, seed: plan.seed)
    default:
      return .page(404, "Not Found")
    }
  }
}
