import Ledger
import Orders
import Pipeline
import Queue
#if canImport(Glibc)
  import Glibc
#endif

func env(_ n: String) -> String { String(cString: getenv(n)!) }
func ms(_ d: Duration) -> Double { Double(d.components.seconds) * 1000 + Double(d.components.attoseconds) / 1e15 }
func stats(_ name: String, _ xs: [Double]) {
  let s = xs.sorted()
  print("\(name): n=\(s.count) p50=\(s[s.count / 2]) p95=\(s[s.count * 95 / 100]) max=\(s.last!) ms")
}
var options = LedgerOptions(url: env("FERRY_TEST_POSTGRES_URL"))
options.schema = "bench_\(UInt32.random(in: 0...UInt32.max))"
let db = try LedgerDatabase(options)
_ = try await Migrator(db).migrate()
let ledger = PostgresLedger(db)
let clock = ContinuousClock()

func worker(_ base: Int64, _ batches: Int64, _ size: Int64 = 64) async throws -> ([Double], [Double]) {
  var c: [Double] = [], s: [Double] = []
  for b in 0..<batches {
    let reqs = (0..<size).map { i in
      ClaimRequest(orderID: OrderID(rawValue: base + b * size + i), revision: 1, billNumber: "SO2024\(base + b * size + i)", payloadHash: 7)
    }.shuffled()
    let t0 = clock.now
    let answers = try await ledger.claim(reqs, leaseSeconds: 60)
    let t1 = clock.now
    let st = zip(reqs, answers).map { r, a -> Settlement in
      guard case .new(let cl) = a else { fatalError("\(a)") }
      return Settlement(orderID: r.orderID, token: cl.token, result: .written(WrittenBill(number: cl.key, internalID: 1)))
    }
    let flags = try await ledger.settle(st)
    precondition(flags.allSatisfy { $0 })
    let t2 = clock.now
    c.append(ms(t1 - t0)); s.append(ms(t2 - t1))
  }
  return (c, s)
}
let t = clock.now
let r = try await worker(1_000_000, 300)
print("one worker 19200 orders: \(ms(clock.now - t)) ms -> \(19200 / ms(clock.now - t) * 1000)/s")
stats("claim 64", r.0); stats("settle 64", r.1)
stats("claim 64 (last 50)", Array(r.0.suffix(50))); stats("settle 64 (last 50)", Array(r.1.suffix(50)))
let t2 = clock.now
async let a = worker(20_000_000, 150)
async let b = worker(30_000_000, 150)
let (ra, rb) = try await (a, b)
print("two workers 19200: \(ms(clock.now - t2)) ms")
stats("claim 64 x2", ra.0 + rb.0); stats("settle 64 x2", ra.1 + rb.1)
// duplicates
do {
  var xs: [Double] = []
  for b in 0..<100 {
    let reqs = (0..<64).map { i in ClaimRequest(orderID: OrderID(rawValue: 1_000_000 + Int64(b) * 64 + Int64(i)), revision: 1, billNumber: "x", payloadHash: 7) }
    let t0 = clock.now
    let ans = try await ledger.claim(reqs, leaseSeconds: 60)
    precondition(ans.allSatisfy { $0 == .duplicate })
    xs.append(ms(clock.now - t0))
  }
  stats("claim 64 duplicates", xs)
}
let poll = PostgresPollLedger(db)
do {
  var n: [Double] = [], u: [Double] = [], rec: [Double] = []
  for b in 0..<100 {
    let ids = (0..<200).map { OrderID(rawValue: Int64(b * 200 + $0)) }
    let t0 = clock.now
    let h = try await poll.unpublished(among: ids.map { OrderHeadline(id: $0, updateTime: BeijingTime(epochSeconds: 5)) })
    precondition(h.count == 200)
    let t1 = clock.now
    let ans = try await poll.number(ids.map { FetchedRevision(orderID: $0, updateTime: BeijingTime(epochSeconds: 5), contentHash: 9) })
    precondition(ans.allSatisfy { $0 == .publish(number: 1) })
    let t2 = clock.now
    try await poll.record(ids.map { PublishedRevision(orderID: $0, number: 1, mayStillChange: false) })
    let t3 = clock.now
    u.append(ms(t1 - t0)); n.append(ms(t2 - t1)); rec.append(ms(t3 - t2))
  }
  stats("unpublished 200", u); stats("number 200", n); stats("record 200", rec)
}
let collections = PostgresCollections(db)
for total in [300, 100_000] {
  let t0 = clock.now
  let pad = String(repeating: "甲乙", count: 60)
  for start in stride(from: 0, to: total, by: 1000) {
    try await collections.store((start..<min(start + 1000, total)).map { i in
      CollectionRecord(id: "\(i)", content: Array("{\"company_id\":\(i),\"serial_id\":\"C\(i)\",\"name\":\"n\(i)\",\"country\":\"CN\",\"tel\":\"\(i * 7)\",\"pad\":\"\(pad)\"}".utf8))
    }, in: "c\(total)")
  }
  print("store \(total): \(ms(clock.now - t0)) ms")
  var xs: [Double] = []
  for _ in 0..<100 {
    let keys = (0..<64).map { _ in LookupKey(collection: "c\(total)", conditions: [.init(field: "company_id", value: "\(Int.random(in: 0..<total))")]) }
    let t0 = clock.now
    let f = try await collections.find(keys)
    precondition(f.allSatisfy { $0 != nil })
    xs.append(ms(clock.now - t0))
  }
  stats("find 64 of \(total)", xs)
  let t1 = clock.now
  _ = try await collections.find([LookupKey(collection: "c\(total)", conditions: [.init(field: "country", value: "CN")])])
  print("find popular of \(total): \(ms(clock.now - t1)) ms")
}
// Queue
let settings = try RabbitSettings(url: env("FERRY_TEST_RABBITMQ_URL"))
let topology = try Topology(prefix: "bench\(UInt32.random(in: 0...UInt32.max)).")
let admin = try RabbitAdministration(settings, managementURL: env("FERRY_TEST_RABBITMQ_MANAGEMENT_URL"), topology: topology)
let t5 = clock.now
print("apply differences:", try await admin.apply(), ms(clock.now - t5), "ms")
let t6 = clock.now
print("apply again:", try await admin.apply(), ms(clock.now - t6), "ms")
let outbox = RabbitOutbox(settings, topology: topology)
let body = Array(String(repeating: "x", count: 1700).utf8)
let count = 20_000
let t7 = clock.now
for start in stride(from: 0, to: count, by: 256) {
  let batch = (start..<min(start + 256, count)).map { i in
    Parcel(to: .queue(.orders), .envelope(Envelope(orderID: OrderID(rawValue: Int64(i)), orderNumber: "SO\(i)", revision: 1, updateTime: BeijingTime(epochSeconds: 1), firstSeen: 1, content: .order(body))))
  }
  let res = await outbox.publish(batch)
  precondition(res.allSatisfy { $0 == .confirmed })
}
print("publish \(count) in batches of 256: \(Double(count) / ms(clock.now - t7) * 1000)/s")
let inbox = RabbitInbox(settings, topology: topology, stage: .transform, prefetch: 512)
let t8 = clock.now
var got = 0
while got < count {
  let d = await inbox.next(max: 64)
  for x in d { _ = try x.envelope.get() }
  got += d.count
  inbox.acknowledge(d.map(\.receipt))
}
print("consume \(count): \(Double(count) / ms(clock.now - t8) * 1000)/s")
await inbox.close()
await outbox.close()
let t9 = clock.now
try await admin.remove()
print("remove \(ms(clock.now - t9))")
await admin.close()
await db.close()
