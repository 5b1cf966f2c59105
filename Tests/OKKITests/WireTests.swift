import Orders
import Pipeline
import PipelineTesting
import Testing

@testable import OKKI

@Suite("OKKI's answers", .timeLimit(.minutes(2)))
struct WireTests {
  /// Asks one list page that is always answered alike, and without repeats.
  private func page(
    _ answer: ScriptedServer.Answer, size: Int = 10, page: Int = 1
  ) async throws -> Result<OrderPage, SourceFailure> {
    try await withOKKI(change: { $0.retries = 0 }) { _, _ in
      answer
    } test: { source, _ in
      do throws(SourceFailure) {
        return .success(try await source.orders(updatedIn: window, page: page, size: size))
      } catch {
        return .failure(error)
      }
    }
  }

  private func order(
    _ answer: ScriptedServer.Answer, _ change: (inout OKKIOptions) -> Void = { _ in }
  ) async throws -> Result<SourceOrder, SourceFailure> {
    try await withOKKI(change: { options in
      options.retries = 0
      change(&options)
    }) { _, _ in
      answer
    } test: { source, _ in
      await source.details(of: ids(7...7))[0]
    }
  }

  @Test("a list is read whatever types its numbers have", arguments: ["2", #""2""#])
  func list(count: String) async throws {
    let rows = """
      [{"order_id":5203556502,"update_time":"2024-01-15 09:30:00"},{"order_id":"99999999999999","update_time":"2024-01-15"}]
      """
    for code in ["200", "0", #""200""#] {
      let found = try await page(.ok(envelope(#"{"count":\#(count),"list":\#(rows)}"#, code: code))).get()
      #expect(found.total == 2)
      #expect(found.headlines.map(\.id.rawValue) == [5_203_556_502, 99_999_999_999_999])
      #expect(found.headlines.map(\.updateTime.description) == ["2024-01-15 09:30:00", "2024-01-15 00:00:00"])
      #expect(found.now.description == "2024-01-15 10:00:00")
    }
  }

  @Test("msg stands for message, and unknown members do no harm")
  func tolerant() async throws {
    let text = #"{"msg":"ok","code":0,"extra":{"a":[1]},"now":"2024-01-15 10:00:00","data":{"count":0,"list":null}}"#
    #expect(try await page(.ok(text)).get().total == 0)
    #expect(try await page(.ok(envelope("[]"))).get().total == 0)
  }

  @Test(
    "a list answer that is not plainly a list is malformed, never empty",
    arguments: [
      "null", #""nothing""#, "{}", "[1]", #"{"count":"many","list":[]}"#, #"{"count":-1,"list":[]}"#,
      #"{"count":1,"list":{}}"#,
    ])
  func notAList(data: String) async throws {
    guard case .malformed = try await page(.ok(envelope(data))).failure else {
      Issue.record("\(data) was taken for a list")
      return
    }
  }

  @Test(
    "a row with something in it that is no JSON is read by its id and time, and the rows beside it as ever",
    arguments: [
      #""name":"\ud83d""#, "\"name\":\"a\u{1}b\"", #""amount":NaN"#, #""amount":01"#, #""name":"\x""#,
      #""deep":"# + String(repeating: "[", count: 80) + String(repeating: "]", count: 80), #""name":"a"b"c""#,
    ])
  func spoiltRow(member: String) async throws {
    let rows = """
      {"order_id":1,"name":"}],{","update_time":"2024-01-15 09:00:00"},
      {\(member), "order_id" : "2","update_time":"2024-01-15 09:01:00"}, {"order_id":3,"update_time":"2024-01-15"}
      """
    let found = try await page(.ok(envelope(#"{"list":[\#(rows)],"count":3}"#))).get()
    #expect(found.total == 3)
    if member.contains(#"a"b"#) {
      // What stands behind a stray quote may be anybody's words.
      #expect(found.headlines.map(\.id.rawValue) == [1, 3])
      #expect(found.unreadable.count == 1)
    } else {
      #expect(found.headlines.map(\.id.rawValue) == [1, 2, 3])
      #expect(found.headlines[1].updateTime.description == "2024-01-15 09:01:00")
      #expect(found.unreadable.isEmpty)
    }
  }

  @Test(
    "a row that does not tell its order is handed on as it came",
    arguments: [
      #"{"update_time":"2024-01-15"}"#, #"{"order_id":99999999999999999999}"#, "null", "7",
      #"{"name":"\ud83d","order_id":NaN}"#, #"{"name":"\ud83d","order_id":1,"order_id":2}"#,
    ])
  func unknownRow(row: String) async throws {
    let rows = #"{"order_id":1,"update_time":"2024-01-15"},"# + row
    let found = try await page(.ok(envelope(#"{"count":2,"list":[\#(rows)]}"#))).get()
    #expect(found.headlines.map(\.id.rawValue) == [1])
    #expect(found.unreadable == [Array(row.utf8)])
  }

  @Test(
    "where rows cannot be told apart, or something beside them is no JSON, the list is malformed",
    arguments: [
      #"{"count":2,"list":[{"order_id":1,"name":"a"b"},{"order_id":2}]}"#, #"{"count":NaN,"list":[{"order_id":1}]}"#,
      #"{"count":2,"list":[{"order_id":1,"name":"\ud83d"],{"order_id":2}]}"#,
      #"{"count":2,"list":[{"order_id":1,"name":"\ud83d"}]}"#,
    ])
  func unframed(data: String) async throws {
    guard case .malformed = try await page(.ok(envelope(data))).failure else {
      Issue.record("\(data) was taken for a list")
      return
    }
  }

  @Test("a customer that is no JSON is handed on as it came, also where none can be read")
  func spoiltCustomer() async throws {
    func customers(_ rows: String) async throws -> Result<CustomerPage, SourceFailure> {
      try await withOKKI(change: { $0.retries = 0 }) { _, _ in
        .ok(envelope(#"{"count":2,"list":[\#(rows)]}"#))
      } test: { source, _ in
        do throws(SourceFailure) {
          return .success(try await source.customers(updatedIn: nil, page: 1, size: 50))
        } catch { return .failure(error) }
      }
    }
    let bad = #"{"company_id":2,"name":"\ud83d"}"#
    let found = try await customers(#"{"company_id":1},"# + bad).get()
    #expect(found.records.map(\.id) == ["1"])
    #expect(found.unreadable == [Array(bad.utf8)])
    let none = try await customers(bad + "," + bad).get()
    #expect(none.records.isEmpty && none.unreadable.count == 2)
  }

  @Test("a list answer without the vendor's clock is malformed")
  func noClock() async throws {
    let text = #"{"code":200,"data":{"count":0,"list":[]}}"#
    #expect(try await page(.ok(text)).failure == .malformed("OKKI's answer does not tell its time", answer: text))
  }

  @Test("a page that is shorter than its count wants is malformed: a clamped page size would skip orders")
  func shortPage() async throws {
    let row = #"{"order_id":1,"update_time":"2024-01-15"}"#
    let data = #"{"count":3,"list":[\#(row),\#(row)]}"#
    #expect(try await page(.ok(envelope(data)), size: 3).failure != nil)
    #expect(try await page(.ok(envelope(data)), size: 2).failure == nil)
    #expect(try await page(.ok(envelope(#"{"count":3,"list":[\#(row)]}"#)), size: 2, page: 2).failure == nil)
    #expect(try await page(.ok(envelope(#"{"count":3,"list":[]}"#)), size: 2, page: 2).failure != nil)
    #expect(try await page(.ok(envelope(#"{"count":3,"list":[]}"#)), size: 2, page: 3).failure == nil)
    #expect(try await page(.ok(envelope(#"{"count":3,"list":[]}"#)), size: .max, page: .max).failure == nil)
  }

  @Test("an order without a readable update time counts as changed at the window's end")
  func noUpdateTime() async throws {
    let data = #"{"count":1,"list":[{"order_id":1,"update_time":""}]}"#
    #expect(try await page(.ok(envelope(data))).get().headlines.first?.updateTime == window.to)
  }

  static let throttles: [ScriptedServer.Answer] = [
    .status(429), .status(503, "<html>"), .ok(#"{"code":429,"message":"x"}"#),
    .ok(#"{"code":500,"message":"请求过于频繁"}"#), .ok(#"{"code":1,"message":"超过频率"}"#),
    .ok(#"{"code":403,"message":"Too Many Requests"}"#), .ok(#"{"code":404,"msg":"rate LIMIT reached"}"#),
    .status(400, #"{"error":"too many requests"}"#), .ok(#"{"error":"x","error_description":"请求过于频繁"}"#),
  ]

  @Test("all forms of 'too often' are throttling", arguments: throttles)
  func throttled(answer: ScriptedServer.Answer) async throws {
    #expect(try await page(answer).failure == .throttled(afterSeconds: nil))
  }

  @Test("Retry-After is passed on")
  func retryAfter() async throws {
    let answer = ScriptedServer.Answer.status(429, headers: ["Retry-After: 17"])
    #expect(try await page(answer).failure == .throttled(afterSeconds: 17))
  }

  @Test("missing rights are told, in whatever status they come", arguments: [200, 403, 400])
  func scope(status: Int) async throws {
    let text = #"{"code":403,"message":"no permission invoices scopes","data":null}"#
    let failure = try await order(.status(status, text)).failure
    #expect(failure == .unauthorized("OKKI answered code 403: the token lacks a scope", answer: text))
  }

  static let transients: [ScriptedServer.Answer] = [
    .status(500, "<html>oops</html>"), .status(502), .ok(""), .ok("<html>hello</html>"), .ok(#"{"code":200,"data":{"#),
    .drop, .raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"code\":200,"), .ok("{}"), .ok("[]"),
    .ok(#"{"code":500,"message":"Operation Failed."}"#), .status(301), .status(404, "<html>"),
    .ok(#"{"error":"server_error"}"#),
  ]

  @Test("server errors, cut-off answers and foreign pages are transient", arguments: transients)
  func transient(answer: ScriptedServer.Answer) async throws {
    guard case .transient = try await order(answer).failure else {
      Issue.record("\(answer) is not transient")
      return
    }
  }

  @Test("404 means absent for an order, whatever its message, and never for a list")
  func absent() async throws {
    for message in ["Not Found Resource", "Not Found Resource没有权限编辑"] {
      let answer = ScriptedServer.Answer.ok(#"{"code":404,"message":"\#(message)","data":[]}"#)
      #expect(try await order(answer).failure == .absent)
      #expect(try await page(answer).failure == .transient("OKKI answered a list with code 404"))
    }
  }

  @Test("an order is the raw bytes of data, number texts and spaces included")
  func raw() async throws {
    let data =
      #"{ "order_id" : "7", "order_no":"SO-1","amount":300.10,"update_time":"2024-01-15 09:00:00", "x":1e400 }"#
    let order = try await order(.ok(envelope(data))).get()
    #expect(String(decoding: order.content, as: UTF8.self) == data)
    #expect(order.number == "SO-1" && order.updateTime.description == "2024-01-15 09:00:00")
  }

  @Test(
    "an order answer that is not that order is malformed",
    arguments: [
      "[]", "null", #""gone""#, #"{"order_id":8,"update_time":"2024-01-15"}"#, #"{"update_time":"2024-01-15"}"#,
      #"{"order_id":7,"update_time":""}"#, #"{"order_id":7.0,"update_time":"2024-01-15"}"#,
      #"{"order_id":7,"update_time":"2024-01-15","x":01}"#, #"{"order_id":7,"update_time":"2024-01-15","x":"\ud800"}"#,
    ])
  func notTheOrder(data: String) async throws {
    guard case .malformed = try await order(.ok(envelope(data))).failure else {
      Issue.record("\(data) was taken for an order")
      return
    }
  }

  @Test("an order's answer that cannot be understood is kept without token and secret")
  func kept() async throws {
    let text = #"{"code":200,"data":{"order_id":8,"echo":"T1 Bearer T1 ferry-demo-secret"}}"#
    guard case .malformed(let why, let answer) = try await order(.ok(text)).failure else {
      Issue.record("the answer is not of that order")
      return
    }
    #expect(why == "OKKI's answer for order 7 is not of that order")
    #expect(answer == #"{"code":200,"data":{"order_id":8,"echo":"*** *** ***"}}"#)
  }

  @Test(
    "an order's answer that is broken for now is kept, too, without token and secret",
    arguments: [
      (.status(502, "<h1>502 Bearer T1</h1>"), "<h1>502 ***</h1>"),
      (.ok(#"{"code":500,"message":"ferry-demo-secret"}"#), #"{"code":500,"message":"***"}"#),
      (.ok(#"{"code":200,"da"#), #"{"code":200,"da"#), (.status(500), nil),
    ] as [(ScriptedServer.Answer, String?)])
  func keptForNow(answer: ScriptedServer.Answer, words: String?) async throws {
    guard case .transient(_, let kept) = try await order(answer).failure else {
      Issue.record("it is transient")
      return
    }
    #expect(kept == words)
  }

  @Test("oversized and deep answers are malformed with the sentence that says why")
  func limits() async throws {
    let deep = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
    guard case .malformed(let why, let answer) = try await order(.ok(envelope(deep))).failure else {
      Issue.record("a deep answer must be malformed")
      return
    }
    #expect(why.contains("nested too deep"))
    #expect(answer.map { envelope(deep).hasPrefix($0) && $0.count == 200 } == true)
    let long = envelope(#"{"order_id":7,"remark":"\#(String(repeating: "x", count: 5_000))"}"#)
    guard case .malformed(let much, _) = try await order(.ok(long), { $0.maxOrderBytes = 2_000 }).failure else {
      Issue.record("a large order must be malformed")
      return
    }
    #expect(much.contains("too large"))
    let huge = try await order(.ok(long)) { options in
      options.maxOrderBytes = 1_000
      options.maxAnswerBytes = 2_000
    }
    guard case .malformed = huge.failure else {
      Issue.record("an answer beyond the client's bound must be malformed")
      return
    }
  }

  @Test("list requests carry full date-times, percent-encoded, and ask by update time")
  func query() async throws {
    try await withOKKI { _, _ in
      .ok(envelope(#"{"count":0,"list":[]}"#))
    } test: { source, server in
      _ = try await source.orders(updatedIn: window, page: 3, size: 200)
      _ = try await source.customers(updatedIn: window, page: 1, size: 50)
      let asked = server.requests.filter { $0.method == "GET" }
      #expect(
        asked[0].query
          == "time_type=1&start_time=2024-01-15%2008%3A00%3A00&end_time=2024-01-16%2007%3A59%3A59&start_index=3&count=200"
      )
      #expect(
        asked[1].query
          == "all=1&time_type=1&start_time=2024-01-15%2008%3A00%3A00&end_time=2024-01-16%2007%3A59%3A59&start_index=1&count=50"
      )
      #expect(asked[0].headers["authorization"] == "Bearer T1")
      _ = try await source.orders(.created(window), page: 1, size: 50)
      _ = try await source.orders(.removed(window), page: 1, size: 50)
      let others = server.requests.filter { $0.method == "GET" }.dropFirst(2)
      #expect(others.map { $0.parameter("time_type") } == ["2", "4"])
      #expect(others.map { $0.parameter("removed") } == [nil, "1"])
    }
  }
}
