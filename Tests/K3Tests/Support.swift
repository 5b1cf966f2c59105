import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Testing

@testable import K3

let authorityCode = "0123456789abcdef0123456789abcdef0123456789abcdef"
let tokenPath = "/K3API/Token/Create"
let savePath = "/K3API/SO/Save"
let listPath = "/K3API/SO/GetList"
let detailPath = "/K3API/SO/GetDetail"

/// A clock that stands still unless it is moved.
final class StillClock: Clock, Sendable {
  typealias Instant = ContinuousClock.Instant

  private let start = ContinuousClock.now
  private let passed = Mutex(Duration.zero)

  var now: Instant { start + passed.withLock { $0 } }
  var minimumResolution: Duration { .nanoseconds(1) }
  func sleep(until deadline: Instant, tolerance: Duration?) async throws {}
  func advance(_ time: Duration) { passed.withLock { $0 += time } }
}

/// Options for a server on the loopback.
func options(_ url: String, _ change: (inout K3Options) -> Void = { _ in }) -> K3Options {
  var options = K3Options(url: url, authorityCode: authorityCode)
  options.allowsPlainHTTP = true
  options.concurrency = 16
  change(&options)
  return options
}

func token(_ number: Int, validity: String = "3600.0") -> String {
  let text = String(repeating: "A\(number)", count: 40)
  return #"{"StatusCode":200,"Message":"Successful","Data":{"Token":"\#(text)","Code":"Y","Validity":\#(validity)}}"#
}

/// A scripted K/3 that gives tokens with numbers from 1 and answers everything else by the script.
func withK3<Result>(
  clock: StillClock = StillClock(), tokens: @escaping @Sendable (Int) -> String = { token($0) },
  change: (inout K3Options) -> Void = { _ in },
  _ script: @escaping @Sendable (ScriptedServer.Request) -> ScriptedServer.Answer,
  test: (K3BillDestination, ScriptedServer) async throws -> Result
) async throws -> Result {
  let created = Mutex(0)
  return try await withScriptedServer { request in
    guard request.path == tokenPath else { return script(request) }
    let number = created.withLock { count in
      count += 1
      return count
    }
    return .ok(tokens(number))
  } _: { server in
    let destination = try K3BillDestination(options(server.url, change), clock: clock)
    let result = try await test(destination, server)
    await destination.close()
    return result
  }
}

/// A bill for one customer with one line.
func body(_ number: String, customer: String = "C00001", quantity: String = #""10""#) -> String {
  """
  {"Data":{"Page1":[{"FBillNo":"\(number)","Fdate":"2024-01-15","FCustID":{"FNumber":"\(customer)","FName":"1"},\
  "FDeptID":{"FNumber":"D20","FName":""},"FEmpID":{"FNumber":"2747","FName":""}}],\
  "Page2":[{"FItemID":{"FNumber":"202400000","FName":""},"FUnitID":{"FNumber":"S01","FName":""},\
  "FAuxQty":\(quantity),"FAuxTaxPrice":"2.50","FDate1":"2024-02-15"}]}}
  """
}

func bill(_ number: String, key: String? = nil, body text: String? = nil, object: String = "SO") -> KeyedBill {
  KeyedBill(
    Bill(object: object, number: number, body: Array((text ?? body(number)).utf8)), key: key ?? number,
    notAfter: .now + .seconds(3600))
}

extension SaveAnswer {
  var label: String {
    switch self {
    case .written: "written"
    case .rejected(let reason, _): "rejected \(reason.code.rawValue)"
    case .nothingWritten(let reason): "nothing \(reason.code.rawValue)"
    case .notStarted(let reason): "not started \(reason.code.rawValue)"
    case .outage(let reason): "outage \(reason.code.rawValue)"
    case .uncertain(let reason, _): "uncertain \(reason.code.rawValue)"
    }
  }

  var written: WrittenBill? {
    if case .written(let bill) = self { bill } else { nil }
  }

  var text: String { String(describing: self) }
}

extension LookUpAnswer {
  var label: String {
    switch self {
    case .same: "same"
    case .different(let reason), .ambiguous(let reason): "different \(reason.code.rawValue)"
    case .absent: "absent"
    case .unavailable(let reason, _): "unavailable \(reason.code.rawValue)"
    case .late(let reason, _): "late \(reason.code.rawValue)"
    case .unusable(let reason, _): "unusable \(reason.code.rawValue)"
    }
  }

  var sentence: String {
    switch self {
    case .different(let reason), .ambiguous(let reason), .unavailable(let reason, _), .late(let reason, _),
      .unusable(let reason, _):
      reason.sentence
    default: ""
    }
  }
}
