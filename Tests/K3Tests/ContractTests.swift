import Orders
import Pipeline
import PipelineTesting
import Testing
import VendorStage

@testable import K3

@Suite("K/3's bill destination, against its double and the simulator", .timeLimit(.minutes(2)))
struct ContractTests {
  private static func bill(_ sample: BillDestinationContract.Sample) -> Bill {
    let customer = sample.hasKnownCustomer ? "C00001" : "nobody"
    let text = body(sample.number, customer: customer, quantity: "\(sample.quantity)")
    return Bill(object: "SO", number: sample.number, body: Array(text.utf8))
  }

  @Test("the double keeps the contract")
  func double() async throws {
    let destination = MemoryBillDestination(unknownCustomers: ["nobody"])
    try await BillDestinationContract(destination, prefix: "D-", bill: Self.bill).check()
  }

  private func withSimulator(
    _ settings: String? = nil, faults: FaultProfile = .off, test: (K3BillDestination, String) async throws -> Void
  ) async throws {
    var plan = K3Plan()
    plan.faults = faults
    let simulator = try await Stage.k3(plan, host: "127.0.0.1", port: 0)
    let url = "http://127.0.0.1:\(simulator.port)"
    if let settings { try await admin(url, "settings", settings) }
    let destination = try K3BillDestination(options(url))
    try await test(destination, url)
    await destination.close()
    await simulator.stop()
  }

  @Test(
    "the adapter keeps the contract over HTTP, in each of the site's ways",
    arguments: [
      "{}", #"{"saveDialect":"legacy"}"#, #"{"statusCodeAsString":true}"#, #"{"failureShape":"rows"}"#,
      #"{"listReferences":"object"}"#, #"{"reissue":"newInvalidateOld"}"#,
    ])
  func adapter(settings: String) async throws {
    try await withSimulator(settings) { destination, _ in
      if settings.contains("legacy") {
        // The legacy dialect does not tell the id, which the look-up then adds.
        let saved = await destination.save([keyed("L-1")])
        #expect(saved == [.written(WrittenBill(number: "L-1", internalID: nil))])
        #expect(await destination.lookUp([keyed("L-1")]).map(\.label) == ["same"])
      } else {
        try await BillDestinationContract(destination, prefix: "A-", bill: Self.bill).check()
      }
      #expect(await destination.check() == [])
    }
  }

  private func keyed(_ number: String) -> KeyedBill {
    KeyedBill(Self.bill(.init(number: number)), key: number, notAfter: .now + .seconds(3600))
  }

  /// A text field of the header that the site has added.
  private static let ownField = "FHeadSelfS0143"

  private static func otherwiseKeyed(_ sample: BillDestinationContract.Sample) -> Bill {
    let bill = bill(sample)
    let text = String(decoding: bill.body, as: UTF8.self).replacing("FBillNo", with: ownField)
    return Bill(object: "SO", number: sample.number, body: Array(text.utf8), keyField: ownField)
  }

  @Test("the double keeps the contract with the key in another field")
  func doubleKeyedOtherwise() async throws {
    let destination = MemoryBillDestination(unknownCustomers: ["nobody"])
    try await BillDestinationContract(destination, prefix: "D-", bill: Self.otherwiseKeyed).check()
  }

  @Test(
    "the adapter keeps the contract with the key in another field of the header: K/3 numbers the bills",
    arguments: [#"{"saveDialect":"modern"}"#, #"{"saveDialect":"legacy"}"#])
  func keyedOtherwise(settings: String) async throws {
    try await withSimulator(settings) { destination, url in
      if settings.contains("legacy") {
        let bill = KeyedBill(Self.otherwiseKeyed(.init(number: "L-1")), key: "L-1", notAfter: .now + .seconds(3600))
        guard case .written(let saved) = await destination.save([bill])[0] else {
          Issue.record("a number of K/3's own is one")
          return
        }
        #expect(saved.number.hasPrefix("SEORD") && saved.internalID == nil)
        #expect(await destination.lookUp([bill]).map(\.label) == ["same"])
      } else {
        try await BillDestinationContract(destination, prefix: "A-", bill: Self.otherwiseKeyed).check()
      }
      #expect(await destination.check(keys: ["SO": [Self.ownField, "FBillNo"]]) == [])
      let lacking = await destination.check(keys: ["SO": ["FHeadSelfS9999"]])
      #expect(lacking.count == 1 && lacking[0].remedy.contains("filters by FHeadSelfS9999"), "\(lacking)")
    }
  }

  @Test("in a storm every bill ends in K/3 once, by asking before anything is repeated")
  func storm() async throws {
    try await withSimulator(faults: .storm) { destination, url in
      var open = (1...400).map { keyed("S-\($0)") }
      var doubtful: [KeyedBill] = []
      var written = 0
      while !open.isEmpty || !doubtful.isEmpty {
        var next: [KeyedBill] = []
        for (bill, answer) in zip(doubtful, await destination.lookUp(doubtful)) {
          switch answer {
          case .same: written += 1
          case .absent: open.append(bill)
          case .unavailable, .late, .unusable: next.append(bill)
          case .different(let reason), .ambiguous(let reason): Issue.record("\(reason)")
          }
        }
        doubtful = next
        let sent = open
        open = []
        for (bill, answer) in zip(sent, await destination.save(sent)) {
          switch answer {
          case .written: written += 1
          case .uncertain: doubtful.append(bill)
          case .nothingWritten, .notStarted, .outage: open.append(bill)
          case .rejected(let reason, _): Issue.record("\(reason)")
          }
        }
      }
      #expect(written == 400)
      let books = try await stored(url)
      #expect(books == 400)
    }
  }

  @Test("a wrong code, a right that is missing, encryption and a filter that is not heeded are told with a remedy")
  func check() async throws {
    try await withSimulator { destination, url in
      let wrong = try K3BillDestination(options(url) { $0.authorityCode = "0000" })
      let refused = await wrong.check()
      #expect(refused.count == 1 && refused[0].remedy.contains("authority code"))
      await wrong.close()
      try await admin(url, "settings", #"{"denied":["SO/GetTemplate","SO/GetList"]}"#)
      #expect(await destination.check().map { $0.remedy.contains("API授权管理") } == [true, true])
      try await admin(url, "settings", #"{"denied":[],"encryptionKey":"12345678"}"#)
      let other = try K3BillDestination(options(url))
      #expect(await other.check().map { $0.sentence.contains("encrypts") } == [true])
      await other.close()
    }
    try await withK3 { request in
      request.path == listPath
        ? .ok(#"{"StatusCode":200,"Data":{"ROWCOUNT":1,"DATA":[{"FBillNo":"x"}]}}"#)
        : .ok(#"{"StatusCode":200,"Data":{}}"#)
    } test: { destination, _ in
      #expect(await destination.check().map { $0.sentence.contains("no bill has") } == [true])
    }
    try await withK3 { _ in
      .status(404, "<html>")
    } test: { destination, _ in
      #expect(await destination.check().count == 2)
    }
  }

  @Test("the template's fields are told by page, inner ones by their paths, with the spelling of K/3")
  func template() async throws {
    try await withSimulator { destination, url in
      let template = try await destination.template(of: "SO").get()
      #expect(template.keys.sorted() == ["Page1", "Page2"])
      #expect(template["Page1"]?.contains("FMangerID.FNumber") == true)
      #expect(template["Page1"]?.contains("FManagerID") == false)
      #expect(template["Page2"]?.contains("FAuxTaxPrice") == true)
      try await admin(url, "settings", #"{"denied":["SO/GetTemplate"]}"#)
      guard case .failure(let problem) = await destination.template(of: "SO") else {
        Issue.record("a template that K/3 denies was told")
        return
      }
      #expect(problem.remedy.contains("API授权管理"))
    }
  }
}
