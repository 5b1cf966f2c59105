import Dispatch
import JSON
import Orders
import Pipeline
import PipelineTesting
import Synchronization
import Testing

@testable import K3

/// An answer to a Save, and what it must be taken for.
struct SaveCase: Sendable, CustomTestStringConvertible {
  let answer: ScriptedServer.Answer
  let label: String

  init(_ json: String, _ label: String) { (answer, self.label) = (.ok(json), label) }
  init(_ answer: ScriptedServer.Answer, _ label: String) { (self.answer, self.label) = (answer, label) }

  var testDescription: String { "\(answer) → \(label)" }
}

@Suite("K/3's answers to a Save", .timeLimit(.minutes(2)))
struct SaveTests {
  private func save(_ answer: ScriptedServer.Answer) async throws -> (SaveAnswer, Int) {
    try await withK3 { _ in
      answer
    } test: { destination, server in
      (await destination.save([bill("SO-1")])[0], server.count(savePath))
    }
  }

  static let writtenCases: [SaveCase] = [
    SaveCase(#"{"StatusCode":200,"Message":"Successful","Data":{"BillNo":"SO-1","BillInterID":1456}}"#, "SO-1 1456"),
    SaveCase(#"{"StatusCode":"200","Message":"","Data":{"BillNo":"SO-1","BillInterID":"1456"}}"#, "SO-1 1456"),
    SaveCase(#"{"StatusCode":200,"Message":"Successful","Data":[{"BillNo":"SO-1"}]}"#, "SO-1 -"),
    SaveCase(#"{"StatusCode":200,"Message":"Successful","Data":{"Data":{"BillNo":"SO-1","BillInterID":7}}}"#, "SO-1 7"),
    SaveCase(#"{"statuscode":200,"message":"ok","data":{"billno":"SO-1","FStatus":0}}"#, "SO-1 -"),
    SaveCase(#"{"StatusCode":200,"Message":"SO-1","Data":"some text"}"#, "SO-1 -"),
    SaveCase(#"{"StatusCode":200,"Message":"SEORD000123","Data":null}"#, "SEORD000123 -"),
    SaveCase(
      #"{"StatusCode":200,"Message":"Successful","Data":{"BillNo":"SEORD000124","BillInterID":9}}"#, "SEORD000124 9"),
  ]

  @Test("StatusCode 200 with a bill number is written, in both dialects", arguments: writtenCases)
  func written(item: SaveCase) async throws {
    let (answer, count) = try await save(item.answer)
    let bill = try #require(answer.written)
    #expect("\(bill.number) \(bill.internalID.map(String.init) ?? "-")" == item.label)
    #expect(count == 1)
  }

  @Test(
    "what was not expected is kept for the order's row: its beginning, without secrets",
    arguments: [
      (.status(502, "<html><h1>502 Bad Gateway</h1></html>"), "<html><h1>502 Bad Gateway</h1></html>"),
      (.ok(#"{"StatusCode":200,"Mess"#), #"{"StatusCode":200,"Mess"#),
      (.ok("a\u{0}b\u{7}c\nd"), "a b c d"),
      (.ok(#"{"StatusCode":200,"Message":"Successful"}"#), #"{"StatusCode":200,"Message":"Successful"}"#),
      (.ok("no token \(String(repeating: "A1", count: 40)) of \(authorityCode)."), "no token *** of ***."),
      (.ok(String(repeating: "单", count: 500)), String(repeating: "单", count: 200)),
      (.status(500), nil),
    ] as [(ScriptedServer.Answer, String?)])
  func kept(answer: ScriptedServer.Answer, words: String?) async throws {
    let (found, _) = try await save(answer)
    guard case .uncertain(let reason, let kept) = found else {
      Issue.record("\(found)")
      return
    }
    #expect(kept == words)
    // The sentence goes to logs.
    #expect(!reason.sentence.contains("Gateway") && !reason.sentence.contains("单"))
  }

  static let rejectedCases: [SaveCase] = [
    SaveCase(#"{"StatusCode":201,"Message":"Faild","Data":"客户[C00001]不存在"}"#, "rejected k3_rejected"),
    SaveCase(
      #"{"StatusCode":"201","Message":"Faild","Data":[{"FStatus":false,"FMessage":"物料[x]已禁用"}]}"#,
      "rejected k3_rejected"),
    SaveCase(#"{"StatusCode":500,"Message":"单据日期不能小于当前会计期间","Data":null}"#, "rejected k3_rejected"),
    SaveCase(
      #"{"StatusCode":200,"Message":"Successful","Data":[{"FStatus":false,"FItemID":0,"FMessage":"缺少单位"}]}"#,
      "rejected k3_rejected"),
    SaveCase(
      #"{"StatusCode":200,"Message":"Successful","Data":[{"Data":{"FStatus":"False","FMessage":"缺少单位"}}]}"#,
      "rejected k3_rejected"),
    SaveCase(.status(400, #"{"StatusCode":201,"Message":"参数错误"}"#), "rejected k3_rejected"),
    // About a field, and about a customer whose name has the word: neither is about our rights.
    SaveCase(#"{"StatusCode":201,"Message":"字段[FCustID]不存在或未授权","Data":null}"#, "rejected k3_rejected"),
    SaveCase(#"{"StatusCode":201,"Message":"Faild","Data":"客户[授权经销商 token]不存在"}"#, "rejected k3_rejected"),
    SaveCase(#"{"StatusCode":201,"Message":"Faild","Data":"系统繁忙,请稍后再试"}"#, "nothing k3_busy"),
    SaveCase(
      #"{"StatusCode":200,"Message":"Successful","Data":[{"FStatus":false,"FMessage":"系统繁忙"}]}"#, "nothing k3_busy"),
    SaveCase(#"{"StatusCode":201,"Message":"模块未授权","Data":null}"#, "outage k3_unauthorized"),
    SaveCase(#"{"StatusCode":201,"Message":"Token无效或已过期","Data":null}"#, "outage k3_unauthorized"),
  ]

  @Test("a refusal that can be read is told by its kind, and nothing of it is in doubt", arguments: rejectedCases)
  func rejected(item: SaveCase) async throws {
    #expect(try await save(item.answer).0.label == item.label)
  }

  static let uncertainCases: [SaveCase] = [
    // No number, or contradictions.
    SaveCase(#"{"StatusCode":200,"Message":"Successful","Data":null}"#, "no number"),
    SaveCase(#"{"StatusCode":200,"Message":"保存成功","Data":{}}"#, "a word"),
    SaveCase(#"{"StatusCode":200,"Message":"FAILD"}"#, "a word"),
    SaveCase(#"{"StatusCode":200,"Message":"Success2 of 3 rows"}"#, "a sentence"),
    SaveCase(#"{"StatusCode":200,"Message":"Successful","Data":{"BillNo":""}}"#, "an empty number"),
    SaveCase(#"{"StatusCode":200,"Message":"Successful","Data":"bm90IHJlYWRhYmxl"}"#, "encrypted"),
    SaveCase(#"{"StatusCode":200,"Data":[{"BillNo":"SO-1"},{"FStatus":false}]}"#, "a number and a failed row"),
    SaveCase(#"{"StatusCode":201,"Message":"Faild","Data":"单据编号[SO-1]已存在"}"#, "a duplicate: whose?"),
    SaveCase(#"{"StatusCode":201,"Message":"Faild","Data":"执行超时"}"#, "K/3 waited in vain for itself"),
    SaveCase(#"{"StatusCode":500,"Message":"Timeout expired."}"#, "the same"),
    // Not K/3's envelope.
    SaveCase("", "empty"), SaveCase(#"{"StatusCode":200,"Message":"Succ"#, "truncated"), SaveCase("<html>", "HTML"),
    SaveCase("[]", "no object"), SaveCase("{}", "no StatusCode"), SaveCase(#"{"StatusCode":true}"#, "no number"),
    SaveCase(#"{"StatusCode":200,"StatusCode":201,"Message":"x","Data":\#(String(repeating: "[", count: 99))"#, "deep"),
    SaveCase(.status(500, "<html>Runtime Error</html>"), "HTTP 500"), SaveCase(.status(503), "HTTP 503"),
    SaveCase(.status(500, #"{"StatusCode":201,"Message":"x"}"#), "HTTP 500 with an envelope"),
    SaveCase(.status(404, "<html>"), "HTTP 404"), SaveCase(.status(302), "a redirect"),
    SaveCase(.status(404, #"{"StatusCode":200,"Data":{"BillNo":"SO-1"}}"#), "HTTP 404 with a number"),
    SaveCase(.drop, "drop"), SaveCase(.raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"Status"), "cut off"),
    SaveCase(.raw("HTTP/1.1 20"), "cut off in the head"),
  ]

  @Test("whatever else comes back leaves it in doubt, and the Save is not sent again", arguments: uncertainCases)
  func uncertain(item: SaveCase) async throws {
    let (answer, count) = try await save(item.answer)
    #expect(answer.label == "uncertain in_doubt")
    #expect(count == 1)
  }

  @Test("a Save without an answer within its timeout is in doubt")
  func timeout() async throws {
    let release = DispatchSemaphore(value: 0)
    try await withK3(change: { $0.saveTimeoutMilliseconds = 200 }) { _ in
      release.wait()
      return .drop
    } test: { destination, server in
      #expect(await destination.save([bill("SO-1")])[0].label == "uncertain in_doubt")
      release.signal()
      #expect(server.count(savePath) == 1)
    }
  }

  @Test("a K/3 that commits and then drops a connection that was used before sees one Save")
  func dropAfterCommit() async throws {
    try await withK3(change: { $0.concurrency = 1 }) { request in
      request.body.contains("SO-2") ? .drop : .ok(#"{"StatusCode":200,"Data":{"BillNo":"SO-1"}}"#)
    } test: { destination, server in
      #expect(await destination.save([bill("SO-1")])[0].label == "written")
      #expect(await destination.save([bill("SO-2")])[0].label == "uncertain in_doubt")
      let saves = server.requests.filter { $0.path == savePath }
      #expect(saves.count == 2)
      #expect(saves[0].connection == saves[1].connection)
    }
  }

  @Test("a K/3 that is away is an outage: nothing was sent")
  func away() async throws {
    try await withScriptedServer { _ in
      .drop
    } _: { server in
      server.refuse()
      let destination = try K3BillDestination(options(server.url))
      let outage = "outage k3_unavailable"
      #expect(await destination.save([bill("1"), bill("2")]).map(\.label) == [outage, outage])
      #expect(await destination.lookUp([bill("1")]).map(\.label) == ["unavailable k3_unavailable"])
      await destination.close()
    }
  }

  @Test("a Save whose K/3 goes away after the token is an outage too")
  func awayAfterToken() async throws {
    try await withK3 { _ in
      .drop
    } test: { destination, server in
      _ = try await destination.client.token()
      server.refuse()
      // The idle connection may have been used again, at the very moment of its end: then nobody knows.
      _ = await destination.save([bill("1")])
      #expect(await destination.save([bill("2")])[0].label == "outage k3_unavailable")
    }
  }

  @Test("plain http is refused unless it is allowed, without sending anything")
  func plain() async throws {
    try await withK3(change: { $0.allowsPlainHTTP = false }) { _ in
      .drop
    } test: { destination, server in
      #expect(await destination.save([bill("1")])[0].label.hasPrefix("outage"))
      #expect(server.requests.isEmpty)
    }
  }

  @Test("a Save that would start too late is not sent")
  func late() async throws {
    try await withK3 { _ in
      .ok(#"{"StatusCode":200,"Data":{"BillNo":"x"}}"#)
    } test: { destination, server in
      let late = KeyedBill(bill("SO-1").bill, key: "SO-1", notAfter: .now - .seconds(1))
      #expect(await destination.save([late, bill("SO-2")]).map(\.label) == ["not started k3_busy", "written"])
      #expect(server.count(savePath) == 1)
    }
  }

  @Test("answers keep the order of the bills, and no more Saves are under way than allowed")
  func many() async throws {
    try await withK3(change: { $0.concurrency = 3 }) { request in
      let number = request.body.split(separator: "\"")[7]
      return .ok(#"{"StatusCode":200,"Data":{"BillNo":"\#(number)"}}"#)
    } test: { destination, server in
      let bills = (1...200).map { bill("SO-\($0)") }
      #expect(await destination.save(bills).map { $0.written?.number } == bills.map(\.key))
      #expect(1...3 ~= server.mostAtOnce)
      #expect(server.count(tokenPath) == 1)
    }
  }

  @Test("what is not a bill that can be looked up is never sent")
  func unusable() async throws {
    try await withK3 { _ in
      .drop
    } test: { destination, server in
      let bad = [
        bill("a\nb"), bill(""), bill("SO-1", key: "O\u{2019}Neil"), bill("SO-1", object: "SO/Delete"),
        bill("SO-1", object: ""), bill("SO-1", key: "SO-2", body: "{"),
        bill("SO-1", key: "SO-2", body: #"{"Data":{"Page1":[]}}"#),
      ]
      let labels = await destination.save(bad).map(\.label)
      #expect(labels.prefix(3).allSatisfy { $0 == "rejected value_invalid" })
      #expect(labels.dropFirst(3).allSatisfy { $0 == "rejected configuration" })
      #expect(await destination.lookUp(bad).allSatisfy { $0.label == "different value_invalid" })
      #expect(server.requests.allSatisfy { $0.path == tokenPath })
    }
  }

  @Test("the sentence hides the bill's values; the vendor's answer is short and without token and code")
  func hygiene() async throws {
    let secret = String(repeating: "A1", count: 40)
    let long = String(repeating: "字", count: 500)
    let text = #"客户[Müller 4711]不存在\u0007 \#(secret) \#(secret.lowercased()) \#(authorityCode) \#(long)"#
    try await withK3 { _ in
      .ok(#"{"StatusCode":201,"Message":"Faild","Data":"\#(text)"}"#)
    } test: { destination, _ in
      guard case .rejected(let reason, let answer) = await destination.save([bill("SO-1")])[0] else {
        Issue.record("a refusal must be rejected")
        return
      }
      #expect(!reason.sentence.contains("Müller") && reason.sentence.contains("客户[…]不存在"))
      #expect(answer.contains("Müller 4711") && answer.unicodeScalars.count <= 200)
      #expect(!answer.unicodeScalars.contains { $0.value < 32 })
      for hidden in [secret, secret.lowercased(), authorityCode] {
        #expect(!reason.sentence.contains(hidden) && !answer.contains(hidden))
      }
    }
  }

  @Test("a token that is no hexadecimal number is masked as well")
  func opaqueToken() async throws {
    try await withK3(tokens: { _ in #"{"StatusCode":200,"Data":{"Token":"opaque-zyxw"}}"# }) { _ in
      .ok(#"{"StatusCode":201,"Message":"Faild opaque-zyxw"}"#)
    } test: { destination, _ in
      #expect(!(await destination.save([bill("SO-1")])[0].text).contains("zyxw"))
    }
  }

  @Test("no failure shows the token or the authority code")
  func noSecrets() async throws {
    let secret = String(repeating: "A1", count: 40)
    for answer in [ScriptedServer.Answer.drop, .status(500), .ok("<html>")] {
      try await withK3 { _ in
        answer
      } test: { destination, _ in
        let texts = [
          await destination.save([bill("1")])[0].text, String(describing: await destination.lookUp([bill("1")])[0]),
          String(describing: await destination.check()), String(reflecting: destination.client.options),
        ]
        for text in texts { #expect(!text.contains(secret) && !text.contains(authorityCode)) }
      }
    }
    try await withScriptedServer { _ in
      .drop
    } _: { server in
      let destination = try K3BillDestination(options(server.url))
      #expect(!(await destination.save([bill("1")])[0].text).contains(authorityCode))
      var dumped = ""
      dump(destination.client.options, to: &dumped)
      #expect(!dumped.contains(authorityCode))
      await destination.close()
    }
  }
}
