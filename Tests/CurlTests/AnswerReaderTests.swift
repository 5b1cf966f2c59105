import Testing

@testable import Curl

/// What a reader makes of some bytes and, maybe, their end.
struct Reading: Equatable {
  var status = 0
  var body = ""
  var isComplete = false
  var keeps = false
  /// Bytes that belong to the answer.
  var taken = 0
  var defect: AnswerDefect?

  /// - Parameter cuts: where the bytes are cut; ascending.
  init(_ bytes: [UInt8], cuts: [Int] = [], ends: Bool = false, maxBytes: Int = 1_000) {
    var reader = AnswerReader(maxBytes: maxBytes)
    do {
      var start = 0
      for end in cuts + [bytes.count] where start <= end {
        let part = Array(bytes[start..<end])
        let count = try reader.feed(part.span)
        taken += count
        start = end
        if count < part.count { break }
      }
      if ends { try reader.end() }
    } catch {
      // How far it got depends on the cuts; that it is refused does not.
      taken = 0
      defect = error
      return
    }
    status = reader.status
    body = String(decoding: reader.takeBody(), as: UTF8.self)
    isComplete = reader.isComplete
    keeps = reader.keepsConnection
  }

  init(_ text: String, ends: Bool = false) { self.init(Array(text.utf8), ends: ends) }
}

@Suite("an answer's bytes")
struct AnswerReaderTests {
  /// Answers with the status 200 and the body "hello".
  static let whole: [(String, keeps: Bool, ends: Bool)] = [
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true, false),
    ("HTTP/1.1 200\r\ncontent-length:5\r\n\r\nhello", true, false),
    ("HTTP/1.1 200 \r\nCONTENT-LENGTH:  5\t \r\n\r\nhello", true, false),
    ("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", true, false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", true, false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", true, false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 0000000000005\r\n\r\nhello", true, false),
    ("HTTP/1.1 200 OK\r\nX-Odd: a\r\n  folded\r\nContent-Length: 5\r\n\r\nhello", true, false),
    ("HTTP/1.1 200 OK\r\nX-Ä: ö\r\nContent-Length: 5\r\n\r\nhello", true, false),
    ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true, false),
    (
      "HTTP/1.1 103 Hints\r\nContent-Length: 9\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
      true, false
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true, false),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\nhe\r\n003 ;c=\"d;e\"\r\nllo\r\n0\r\n\r\n", true,
      false
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\nX-Sum: 1\nX-Other: 2\n\n", true, false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false, false),
    ("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 5\r\n\r\nhello", false, false),
    ("HTTP/1.1 200 OK\r\nConnection: x, close ,y\r\nContent-Length: 5\r\n\r\nhello", false, false),
    ("HTTP/1.1 200 OK\r\nConnection: closed\r\nContent-Length: 5\r\n\r\nhello", true, false),
    ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, false),
    ("HTTP/1.1 200 OK\r\n\r\nhello", false, true),
    ("HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\n\r\nhello", false, true),
  ]

  @Test("answers are read whole, and tell whether their connection may go on")
  func table() {
    for (text, keeps, ends) in Self.whole {
      let reading = Reading(text, ends: ends)
      #expect(reading.defect == nil && reading.status == 200 && reading.body == "hello", "\(text)")
      #expect(reading.isComplete && reading.taken == text.utf8.count && reading.keeps == keeps, "\(text)")
    }
  }

  @Test("204 and 304 have no body, whatever their headers say; bytes behind an answer are not its own")
  func rest() {
    for (fields, keeps) in [
      ("", true), ("Content-Length: 0\r\n", true), ("Content-Length: 5\r\n", false),
      ("Transfer-Encoding: chunked\r\n", false),
    ] {
      let reading = Reading("HTTP/1.1 204 X\r\n\(fields)\r\n")
      #expect(reading.isComplete && reading.keeps == keeps, "\(fields)")
    }
    for status in [204, 304] {
      let reading = Reading("HTTP/1.1 \(status) X\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello")
      #expect(reading.isComplete && reading.status == status && reading.body == "")
      #expect(reading.taken == 65 && !reading.keeps, "\(reading)")
    }
    let (text, keeps, _) = Self.whole[0]
    let reading = Reading(text + "HTTP/1.1 200 OK\r\n")
    #expect(reading.taken == text.utf8.count && reading.keeps == keeps && reading.body == "hello")
  }

  static let malformed = [
    "hello", "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.x 200 OK\r\n\r\n", "HTTP/1.1 20\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 2000\r\n\r\n", "HTTP/1.1 099 X\r\n\r\n", "HTTP/1.1 101 Switching\r\n\r\n",
    "HTTP/1.1 -20 X\r\n\r\n", "http/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: no name\r\n\r\n", "HTTP/1.1 200 OK\r\n folded: first\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 0\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 5\u{0}\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
  ]

  @Test("what is no answer is refused, as something other than too large")
  func refused() {
    for text in Self.malformed {
      let defect = Reading(text).defect
      #expect(defect?.isTooLarge == false, "\(text): \(String(describing: defect))")
    }
  }

  @Test("answers that end early are refused at every place but the last")
  func cutShort() {
    for (text, _, ends) in Self.whole where !ends {
      let bytes = Array(text.utf8)
      for count in 0..<bytes.count {
        #expect(Reading(Array(bytes[..<count]), ends: true).defect != nil, "\(text) \(count)")
      }
    }
    let head = Array(Self.whole[19].0.utf8).count - 5
    for count in 0..<head {
      #expect(Reading(Array(Array(Self.whole[19].0.utf8)[..<count]), ends: true).defect != nil)
    }
  }

  @Test("lengths and heads beyond the bounds are too large")
  func tooLarge() {
    let head = "HTTP/1.1 200 OK\r\n"
    let chunked = head + "Transfer-Encoding: chunked\r\n\r\n"
    let long = String(repeating: "x", count: 300_000)
    let interim = String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 12_000)
    for text in [
      head + "Content-Length: 1001\r\n\r\n", head + "Content-Length: 99999999999999999999999\r\n\r\n",
      head + "\r\n" + String(repeating: "x", count: 1_001), chunked + "3e9\r\n", chunked + "ffffffffffffffffff\r\n",
      chunked + "3e8\r\n" + String(repeating: "x", count: 1_000) + "\r\n1\r\n", head + "X: " + long,
      head + String(repeating: "X: 0123456789\r\n", count: 20_000), "HTTP/1.1 200 " + long, interim,
      chunked + "1;" + long, chunked + "0\r\nX: " + long,
      chunked + String(repeating: "1;\(String(repeating: "x", count: 1_000))\r\nx\r\n", count: 300),
    ] {
      #expect(Reading(text).defect?.isTooLarge == true, "\(text.prefix(60))")
    }
    let most = Reading(head + "Content-Length: 1000\r\n\r\n" + String(repeating: "x", count: 1_000))
    #expect(most.isComplete && most.body.count == 1_000)
  }

  @Test("Retry-After and the encoding are told, of the last answer alone")
  func told() throws {
    var reader = AnswerReader(maxBytes: 10)
    let text = """
      HTTP/1.1 103 X\r\nRetry-After: 9\r\nDate: a\r\nContent-Encoding: gzip\r\n\r\nHTTP/1.1 503 X\r\nretry-after:\t 7 \r
      Retry-After: 8\r\nDATE: b\r\nContent-Encoding: br\r\nContent-Length: 0\r\n\r\n
      """
    _ = try reader.feed(Array(text.utf8).span)
    #expect(reader.isComplete && reader.retryAfter == "7" && reader.date == "b" && reader.encoding == .unknown)
    for (value, encoding) in [
      ("gzip", AnswerReader.Encoding.gzip), ("X-GZIP", .gzip), ("identity", .plain), ("gzip, gzip", .unknown),
      ("deflate", .unknown), ("identity, gzip", .gzip),
    ] {
      var reader = AnswerReader(maxBytes: 10)
      _ = try reader.feed(Array("HTTP/1.1 200 OK\r\nContent-Encoding: \(value)\r\n\r\n".utf8).span)
      #expect(reader.encoding == encoding, "\(value)")
    }
  }

  @Test("however the bytes are cut, the same comes of them", arguments: 0..<40)
  func splits(seed: UInt64) {
    var random = Seeded(seed + 1)
    for text in Self.whole.map(\.0) + Self.malformed {
      // Some are damaged besides, and some are followed by others' bytes.
      var bytes = Array(text.utf8)
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if Bool.random(using: &random) { bytes += "HTTP".utf8 }
      for ends in [false, true] {
        let whole = Reading(bytes, ends: ends)
        let single = Reading(bytes, cuts: Array(bytes.indices), ends: ends)
        #expect(single == whole, "\(String(decoding: bytes, as: UTF8.self))")
        let cuts = (0..<Int.random(in: 1...4, using: &random)).map { _ in
          Int.random(in: 0...bytes.count, using: &random)
        }.sorted()
        #expect(Reading(bytes, cuts: cuts, ends: ends) == whole, "\(cuts) \(String(decoding: bytes, as: UTF8.self))")
      }
    }
  }
}

/// SplitMix64: the same numbers for the same seed.
struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
