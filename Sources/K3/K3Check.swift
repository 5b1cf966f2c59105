internal import Curl
internal import JSON
public import Orders
public import Pipeline

extension K3BillDestination {
  /// Looks for everything that would keep bills from being written: reach, authority code, rights to the objects, a
  /// list that cannot be filtered. Writes nothing.
  /// - Parameter keys: the objects that the strategies write, each with the header fields that hold the keys of its bills.
  /// - Returns: every problem found, each with its remedy; empty when all is well.
  public func check(keys: [String: Set<String>] = ["SO": [Bill.numberField]]) async -> [SetupProblem] {
    do throws(K3Outage) { _ = try await client.token() } catch { return [problem(error.reason)] }
    var problems: [SetupProblem] = []
    for (object, fields) in keys.sorted(by: { $0.key < $1.key }) {
      if let found = await checkTemplate(object) { problems.append(found) }
      for field in fields.sorted() {
        if let found = await checkList(object, by: field) { problems.append(found) }
      }
    }
    return problems
  }

  /// The fields of an object by its pages, as K/3's template names them; inner ones as `FCustID.FNumber`
  /// (vendor-apis.md A.5.1).
  public func template(of object: String) async -> Result<[String: [String]], SetupProblem> {
    let reply: K3Reply
    do throws(K3Outage) { reply = try await client.get("\(object)/GetTemplate") } catch {
      return .failure(problem(error.reason))
    }
    if let found = problem(reply, "\(object)/GetTemplate") { return .failure(found) }
    guard case .answer(let answer) = reply, let data = answer.data else { return .success([:]) }
    // The pages are nested twice at some sites.
    let pages = data.member("Data") ?? data
    var fields: [String: [String]] = [:]
    for (page, rows) in pages.members {
      guard let row = rows.kind == .array ? rows[0] : rows, row.kind == .object else { continue }
      fields[page] = row.members.flatMap { field, value in
        [field] + (value.kind == .object ? value.members.map { "\(field).\($0.key)" } : [])
      }
    }
    return .success(fields)
  }

  private func checkTemplate(_ object: String) async -> SetupProblem? {
    do throws(K3Outage) {
      return problem(try await client.get("\(object)/GetTemplate"), "\(object)/GetTemplate")
    } catch { return problem(error.reason) }
  }

  /// Whether bills can be asked for by a header field: asks for a value that no bill has; the answer must be an empty list.
  /// - Returns: nil when they can.
  public func checkList(_ object: String, by field: String) async -> SetupProblem? {
    let key = "ferry-check-\(UInt64.random(in: 0...UInt64.max))"
    guard let question = K3Question(object, field, key) else {
      return SetupProblem("\(field) is no name that K/3's filters take.", remedy: "Name another field in ferry.key.")
    }
    let call = question.call()
    let remedy = "Ask the site whether its API filters by \(field): without it, no Save in doubt can be resolved."
    do throws(K3Outage) {
      let reply = try await client.post([call])[0]
      if let found = problem(reply, call.path) {
        // A right that is missing is missing for every field; a field that is not there is this one's matter.
        guard !question.isForNumber, case .answer = reply else { return found }
        return SetupProblem(found.sentence, remedy: remedy)
      }
      guard case .answer(let answer) = reply, K3Listed.finding(answer, question) != .answer(.absent) else { return nil }
      return SetupProblem(
        "K/3 does not answer \(call.path) by \(field) with an empty list for a number that no bill has.", remedy: remedy
      )
    } catch { return problem(error.reason) }
  }

  private func problem(_ reply: K3Reply, _ name: String) -> SetupProblem? {
    switch reply {
    case .notSent(let failure): return problem(Reason(.k3Unavailable, failure.description))
    case .unclear(let sentence, _, _):
      return SetupProblem(
        "K/3 does not answer \(name) properly: \(sentence).",
        remedy: "Check that the site's patch level has this object, on {URL}/K3API/Default.aspx.")
    case .answer(let answer) where answer.isGood: return nil
    case .answer(let answer):
      return SetupProblem(
        "K/3 refuses \(name): \(client.shown(answer.refusal)).",
        remedy: "Tick the object and its actions in EBDI → API授权管理 for this authority code.")
    }
  }

  private func problem(_ reason: Reason) -> SetupProblem {
    switch reason.code {
    case .k3Unauthorized:
      SetupProblem(
        "\(reason.sentence).", remedy: "Compare the authority code with EBDI 企业联盟平台, and switch its encryption off.")
    default:
      SetupProblem(
        "K/3 cannot be reached: \(reason.sentence).",
        remedy: "Check the URL, the network, and that http:// is allowed where the site has no TLS.")
    }
  }
}
