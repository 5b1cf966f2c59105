import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Testing

@testable import OKKI

/// Time that passes only by being slept through, at once.
final class VirtualTime: Sendable {
  private struct State {
    var now: Duration = .zero
    var sleeps: [Duration] = []
    var onSleep: (@Sendable (Duration) -> Void)?
  }

  private let state = Mutex(State())

  var now: Duration { state.withLock { $0.now } }
  var sleeps: [Duration] { state.withLock { $0.sleeps } }

  func advance(_ time: Duration) { state.withLock { $0.now += time } }
  /// Runs while a sleeper sleeps.
  func onSleep(_ body: @escaping @Sendable (Duration) -> Void) { state.withLock { $0.onSleep = body } }

  var keeper: Timekeeper {
    Timekeeper(
      now: { self.now },
      sleep: { wait in
        try Task.checkCancellation()
        let onSleep = self.state.withLock { state in
          state.now += wait
          state.sleeps.append(wait)
          return state.onSleep
        }
        onSleep?(wait)
        try Task.checkCancellation()
      })
  }
}

/// Options for a server on the loopback.
func options(_ url: String, _ change: (inout OKKIOptions) -> Void = { _ in }) -> OKKIOptions {
  var options = OKKIOptions(
    url: url, clientID: "ferry-demo", clientSecret: "ferry-demo-secret", ratePerSecond: 100_000)
  options.burst = 10_000
  options.allowsPlainHTTP = true
  change(&options)
  return options
}

/// A scripted OKKI that gives tokens `T1`, `T2` … and answers everything else by the script.
func withOKKI<Result>(
  time: VirtualTime = VirtualTime(), token: String? = nil, change: (inout OKKIOptions) -> Void = { _ in },
  _ script: @escaping @Sendable (ScriptedServer.Request, Int) -> ScriptedServer.Answer,
  test: (OKKIOrderSource, ScriptedServer) async throws -> Result
) async throws -> Result {
  let counts = Mutex((tokens: 0, questions: 0))
  return try await withScriptedServer { request in
    if request.path == "/v1/oauth2/access_token" {
      let number = counts.withLock { counts in
        counts.tokens += 1
        return counts.tokens
      }
      return .ok(token ?? #"{"token_type":"Bearer","expires_in":28800,"access_token":"T\#(number)"}"#)
    }
    let number = counts.withLock { counts in
      counts.questions += 1
      return counts.questions
    }
    return script(request, number)
  } _: { server in
    let source = try OKKIOrderSource(options(server.url, change), time: time.keeper)
    let result = try await test(source, server)
    await source.close()
    return result
  }
}

let tokenPath = "/v1/oauth2/access_token"
let listPath = "/v1/invoices/order/list"
let infoPath = "/v1/invoices/order/info"

/// A good envelope around `data`.
func envelope(_ data: String, code: String = "200") -> String {
  #"{"code":\#(code),"message":"success","now":"2024-01-15 10:00:00","data":\#(data)}"#
}

/// The details that a scripted OKKI shows of an order.
func details(_ request: ScriptedServer.Request) -> String {
  envelope(
    #"{"order_id":\#(request.parameter("order_id") ?? "0"),"order_no":"SO","update_time":"2024-01-15 09:00:00"}"#)
}

let window = TimeWindow(
  from: BeijingTime(epochSeconds: 1_705_276_800), to: BeijingTime(epochSeconds: 1_705_363_199))!

func ids(_ range: ClosedRange<Int64>) -> [OrderID] { range.map(OrderID.init(rawValue:)) }

extension Result where Failure == SourceFailure {
  var failure: SourceFailure? {
    if case .failure(let failure) = self { failure } else { nil }
  }
}
