import JSON

/// What a simulated K/3 starts from.
public struct K3Plan: Sendable {
  /// Same seed, same tokens and faults.
  public var seed: UInt64 = 1
  /// How rough the weather is.
  public var faults = FaultProfile.off
  /// Every vendor reply is held back so long.
  public var latencyMilliseconds = 0
  /// How many orders the run will bring; only decides when the token is revoked early (after a third of them).
  public var orders = 2_000
  /// The clock at the start, as Unix seconds; nil for the real time.
  public var now: Int?

  /// No faults, no latency.
  public init() {}
}

/// The simulated 金蝶 K/3 WISE.
final class K3Site: Site {
  let plan: K3Plan
  let stage: Backstage<K3Fault>
  var settings = K3Settings() { didSet { cachedReader = nil } }
  var profile: FaultProfile
  var tokens = K3Tokens()
  var master = MasterData.initial { didSet { cachedReader = nil } }
  var cachedReader: BillReader?
  let header = FieldTable.header()
  let lines = FieldTable.lines()
  let figures: FigureFields
  var orders = BillStore()
  /// Bills of kinds that are kept as they came, by object.
  var others: [String: [OtherBill]] = [:]
  /// Saves and refused duplicates by external key.
  var tallies: [String: Tally] = [:]
  var saves = 0
  var stored = 0
  /// When the first and the last bill were stored, Unix milliseconds; 0 before.
  var firstSaveMilliseconds = 0
  var lastSaveMilliseconds = 0
  var refusedDuplicates = 0
  /// Updates and Deletes whose client has no answer, and when they are done, Unix milliseconds; the next due first.
  var lateWork: [(at: Int, call: Call)] = []

  struct Tally {
    var saves = 0
    var refused = 0
  }

  var load: Load { stage.load }

  init(_ plan: K3Plan) {
    figures = FigureFields(header: header, lines: lines)
    self.plan = plan
    stage = Backstage(seed: plan.seed, clock: SimClock(startingAt: plan.now))
    profile = plan.faults
    settings.latencyMilliseconds = plan.latencyMilliseconds
    apply(profile)
  }

  func apply(_ profile: FaultProfile) {
    self.profile = profile
    stage.faults.set(profile.k3)
    settings.revokeAfterSaves = profile == .off ? 0 : max(1, plan.orders / 3)
  }

  // MARK: answering

  func answer(_ request: Request) -> Reply {
    doLateWork()
    if request.path.hasPrefix("/_sim/") { return admin(request) }
    guard let (object, action) = route(request.path) else {
      return finished(request.path, key: "", .page(404, "Not Found"))
    }
    let endpoint = "\(object)/\(action)"
    if settings.concurrencyCap > 0, load.now > settings.concurrencyCap {
      let reply = settings.overload == .busy ? refusal(busyRefusal) : .page(503, "Service Unavailable")
      return finished(endpoint, key: "", reply)
    }
    var call = Call(endpoint: endpoint, object: object, action: action, request: request)
    let reply = respond(&call)
    return finished(endpoint, key: call.key, reply)
  }

  /// Object and action of a path; nil when it is none of the API's.
  private func route(_ path: String) -> (object: String, action: String)? {
    if path == "/K3API/SO/Save" { return ("SO", "Save") }
    var parts = path.split(separator: "/", omittingEmptySubsequences: true)[...]
    guard parts.popFirst()?.lowercased() == "k3api", let object = parts.popFirst(), let action = parts.popFirst(),
      parts.isEmpty
    else { return nil }
    return (String(object), String(action))
  }

  /// One call of an action, with the key that its faults are drawn by.
  struct Call {
    var endpoint: String
    var object: String
    var action: String
    var request: Request
    var root: JSONValue?
    var key = ""
    /// Whether the call changed anything.
    var wrote = false
  }

  private func finished(_ endpoint: String, key: String, _ reply: Reply) -> Reply {
    var reply = reply
    reply.delayMilliseconds += settings.latencyMilliseconds
    stage.record(endpoint, key: key, reply)
    return reply
  }

  private func respond(_ call: inout Call) -> Reply {
    if call.endpoint.lowercased() == "token/create" { return createToken(call) }
    if !call.request.body.isEmpty { call.root = (try? JSONDocument(call.request.body))?.root }
    call.key = key(of: call)
    let draw = stage.faults.draw(call.endpoint, key: call.key)
    let quiet = stage.faults.isQuiet
    if !quiet, let early = early(draw) { return early }
    guard
      tokens.admits(
        call.request.query.anyCase("Token"), client: call.request.client, settings: settings, now: stage.clock.seconds)
    else { return refusal(.plain(settings.tokenRefusal)) }
    if settings.denied.contains(where: { $0.lowercased() == call.endpoint.lowercased() }) {
      return refusal(.plain("模块未授权"))
    }
    guard let action = action(call) else { return .page(404, "Not Found") }
    if !quiet, ["Update", "Delete"].contains(call.action), stage.faults.strikes(.lateChange, draw) {
      lateWork.append((stage.clock.milliseconds + settings.lateMilliseconds, call))
      return .dropped(by: K3Fault.lateChange.rawValue)
    }
    if !quiet, call.action == "Save", stage.faults.strikes(.failedRow, draw) {
      return failedRow(fault: K3Fault.failedRow.rawValue)
    }
    var reply: Reply
    do throws(Refusal) { reply = try action(&call) } catch { reply = refusal(error) }
    return quiet ? reply : late(draw, &reply, call)
  }

  /// What is due by now; nobody can tell that it was not done before a request came to look.
  private func doLateWork() {
    guard !lateWork.isEmpty else { return }
    let now = stage.clock.milliseconds
    let due = lateWork.filter { $0.at <= now }.sorted { $0.at < $1.at }
    lateWork.removeAll { $0.at <= now }
    for (_, call) in due {
      var call = call
      // Refused by now, it changes nothing, and nobody waits for the answer.
      do throws(Refusal) { _ = try action(call)?(&call) } catch { continue }
    }
  }

  private func early(_ draw: FaultPlan<K3Fault>.Draw) -> Reply? {
    if stage.faults.strikes(.dropBeforeSave, draw) { return .dropped(by: K3Fault.dropBeforeSave.rawValue) }
    if stage.faults.strikes(.serverError, draw) {
      return .page(500, "Server Error", fault: K3Fault.serverError.rawValue)
    }
    if stage.faults.strikes(.unavailable, draw) {
      return .page(503, "Service Unavailable", fault: K3Fault.unavailable.rawValue)
    }
    if stage.faults.strikes(.tokenRevoked, draw) { tokens.revokeAll() }
    if stage.faults.strikes(.busy, draw) {
      var reply = refusal(busyRefusal)
      reply.fault = K3Fault.busy.rawValue
      return reply
    }
    return nil
  }

  private func late(_ draw: FaultPlan<K3Fault>.Draw, _ reply: inout Reply, _ call: Call) -> Reply {
    if call.wrote {
      if stage.faults.strikes(.saveThenDrop, draw) { return .dropped(by: K3Fault.saveThenDrop.rawValue) }
      if stage.faults.strikes(.saveThenError, draw) {
        return .page(500, "Server Error", fault: K3Fault.saveThenError.rawValue)
      }
    }
    if stage.faults.strikes(.truncated, draw) { return reply.halved(by: K3Fault.truncated.rawValue) }
    if stage.faults.strikes(.emptyBody, draw) {
      var empty = Reply()
      empty.fault = K3Fault.emptyBody.rawValue
      return empty
    }
    if call.action == "GetList", stage.faults.strikes(.nullPage, draw) {
      var reply = listReply(rows: [], total: 1, query: ListQuery(), bills: true, null: true)
      reply.fault = K3Fault.nullPage.rawValue
      return reply
    }
    if stage.faults.strikes(.slow, draw) {
      reply.delayMilliseconds += settings.slowMilliseconds
      reply.fault = K3Fault.slow.rawValue
    }
    return reply
  }

  var busyRefusal: Refusal { .data("系统繁忙,请稍后再试") }

  typealias Action = (inout Call) throws(Refusal) -> Reply

  private func action(_ call: Call) -> Action? {
    if call.object == "SO" {
      switch call.action {
      case "Save": return save
      case "GetList": return getList
      case "GetDetail": return getDetail
      case "GetTemplate": return template
      case "Update": return update
      case "Delete": return delete
      case "CheckBill": return checkBill
      default: return nil
      }
    }
    if MasterData.objects.contains(call.object) {
      switch call.action {
      case "GetList": return masterList
      case "GetDetail": return masterDetail
      case "Save": return masterSave
      default: return nil
      }
    }
    return Self.otherObjects.contains(call.object) ? otherAction(call.action) : nil
  }

  /// What faults of this call are drawn by: the bill number, or the filter.
  private func key(of call: Call) -> String {
    guard let root = call.root else { return "" }
    let data = BillReader.member(root, "Data", settings)
    let page = data.flatMap { BillReader.member($0, "Page1", settings) }?[0]
    for holder in [page, data, root] {
      if let holder, let number = BillReader.member(holder, "FBillNo", settings)?.text, !number.isEmpty {
        return number
      }
    }
    return data.flatMap { BillReader.member($0, "Filter", settings)?.text } ?? ""
  }
}
