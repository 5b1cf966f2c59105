import Orders
import Testing

@Suite("Time windows")
struct TimeWindowTests {
  private func window(_ from: Int64, _ to: Int64) throws -> TimeWindow {
    try #require(TimeWindow(from: BeijingTime(epochSeconds: from), to: BeijingTime(epochSeconds: to)))
  }

  @Test("a window does not end before it begins")
  func order() {
    #expect(TimeWindow(from: BeijingTime(epochSeconds: 2), to: BeijingTime(epochSeconds: 1)) == nil)
    #expect(TimeWindow(from: BeijingTime(epochSeconds: 2), to: BeijingTime(epochSeconds: 2)) != nil)
  }

  @Test("halves cover the window without a gap or a second in common")
  func halves() throws {
    var random = Seeded(2)
    for length in Array(1...40).map(Int64.init) + (0..<200).map({ _ in Int64.random(in: 1...1 << 40, using: &random) })
    {
      let whole = try window(1_700_000_000, 1_700_000_000 + length)
      let (early, late) = try #require(whole.halves)
      #expect(early.from == whole.from)
      #expect(late.to == whole.to)
      #expect(late.from == early.to.advanced(bySeconds: 1))
      #expect(early.from <= early.to && late.from <= late.to)
      let (earlySize, lateSize) = (seconds(early), seconds(late))
      #expect(abs(earlySize - lateSize) <= 1)
    }
  }

  @Test("halving again and again ends at single seconds, each of them once")
  func splitting() throws {
    var open = [try window(-7, 993)]
    var seen: [Int64] = []
    while let next = open.popLast() {
      if let (early, late) = next.halves { open += [early, late] } else { seen.append(next.from.epochSeconds) }
    }
    #expect(seen.sorted() == Array(-7...993))
  }

  private func seconds(_ window: TimeWindow) -> Int64 { window.to.epochSeconds - window.from.epochSeconds + 1 }
}

@Suite("Order ids")
struct OrderIDTests {
  @Test(
    "an id is a whole number of 64 bits", arguments: [("52035565020000", 52_035_565_020_000), ("0", 0), ("007", 7)])
  func accepted(text: String, number: Int64) {
    #expect(OrderID(text)?.rawValue == number)
    #expect(OrderID(rawValue: number).description == String(number))
  }

  @Test("the largest id is kept to the last digit")
  func largest() {
    #expect(OrderID("9223372036854775807")?.description == "9223372036854775807")
    #expect(OrderID("9223372036854775808") == nil)
  }

  @Test("other texts are no id", arguments: ["", " 1", "1 ", "1.0", "1e3", "0x10", "SO-1", "１", "-"])
  func refused(text: String) {
    #expect(OrderID(text) == nil)
  }

  @Test("ids are ordered as numbers, not as texts")
  func order() throws {
    #expect(try #require(OrderID("9")) < #require(OrderID("10")))
  }
}

@Suite("Fingerprints")
struct FingerprintTests {
  @Test(
    "the published values of FNV-1a come out",
    arguments: [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)])
  func vectors(text: String, hash: UInt64) {
    #expect(fingerprint(text.utf8) == Int64(bitPattern: hash))
  }

  @Test("one bit, one byte more and another order of bytes change it")
  func sensitive() {
    let texts = ["{\"a\":1}", "{\"a\":2}", "{\"a\":1} ", "{\"1\":a}", "", "\0", "\0\0"]
    #expect(Set(texts.map { fingerprint($0.utf8) }).count == texts.count)
  }

  @Test("of several texts they are the same as of each by itself, whatever their lengths")
  func together() {
    var seed: UInt64 = 7
    func next(_ bound: UInt64) -> UInt64 {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (seed >> 33) % bound
    }
    for count in 0...13 {
      let texts = (0..<count).map { _ in (0..<next(40)).map { _ in UInt8(next(256)) } }
      #expect(fingerprints(of: texts) == texts.map { fingerprint($0) })
    }
  }
}
