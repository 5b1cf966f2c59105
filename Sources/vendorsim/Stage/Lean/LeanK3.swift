import Glibc
import NIOCore

/// A lean K/3 WISE: takes every bill number once and remembers when it answered.
final class LeanK3: LeanSite {
  private static let mostJournal = 2_000_000

  private var latency: Int
  private var bills: [String: Int32] = [:]
  /// Numbers and, in nanoseconds of the monotonic clock, when their Saves are answered.
  private var journal: [(number: String, at: Int)] = []
  private var refused = 0

  init(latencyMilliseconds: Int) { latency = latencyMilliseconds }

  func answer(_ method: String, _ target: String, body: ByteBufferView) -> LeanReply {
    let cut = target.utf8.firstIndex(of: UInt8(ascii: "?")) ?? target.endIndex
    switch target[..<cut] {
    case "/K3API/SO/Save": return save(body)
    case "/K3API/SO/GetList": return list(body)
    case "/K3API/Token/Create":
      return .json(
        #"{"StatusCode":200,"Message":"Successful","Data":{"Token":"AB12","Code":"Y","Validity":3600.0}}"#)
    case "/_admin/reset":
      reset()
      return .json("{}")
    case "/_lean":
      let query = Query(target[cut...].dropFirst())
      if method == "POST", let milliseconds = query.whole("latency_ms") { latency = milliseconds }
      return .json(
        #"{"bills":\#(bills.count),"refused":\#(refused),"latency_ms":\#(latency),"last_ns":\#(journal.last?.at ?? 0)}"#)
    case "/_lean/journal": return .json(journal.map { "\($0.number) \($0.at)\n" }.joined())
    default: return .missing
    }
  }

  private func reset() {
    bills.removeAll(keepingCapacity: true)
    journal.removeAll(keepingCapacity: true)
    refused = 0
  }

  private func save(_ body: ByteBufferView) -> LeanReply {
    guard let number = Self.text(after: #""FBillNo":""#, until: UInt8(ascii: "\""), in: body) else {
      return .json(#"{"StatusCode":500,"Message":"Faild","Data":"FBillNo"}"#, delayMilliseconds: latency)
    }
    guard bills[number] == nil else {
      refused += 1
      return .json(#"{"StatusCode":201,"Message":"Faild","Data":"单据编号已存在"}"#, delayMilliseconds: latency)
    }
    let id = Int32(1_000 + bills.count)
    bills[number] = id
    if journal.count < Self.mostJournal {
      journal.append((number, monotonicNanoseconds() + latency * 1_000_000))
    }
    return .json(
      #"{"StatusCode":200,"Message":"Successful","Data":{"BillNo":"\#(number)","BillInterID":\#(id)}}"#,
      delayMilliseconds: latency)
  }

  private func list(_ body: ByteBufferView) -> LeanReply {
    let number = Self.text(after: "'", until: UInt8(ascii: "'"), in: body) ?? ""
    let rows = bills[number].map { #"{"FBillNo":"\#(number)","FInterID":\#($0)}"# } ?? ""
    return .json(
      #"{"StatusCode":200,"Message":"Successful","Data":{"ROWCOUNT":\#(rows.isEmpty ? 0 : 1),"PAGESIZE":10,"#
        + #""PAGEINDEX":1,"DATA":[\#(rows)]}}"#, delayMilliseconds: latency)
  }

  /// What stands between a mark and the next such byte.
  private static func text(after mark: StaticString, until end: UInt8, in body: ByteBufferView) -> String? {
    let count = mark.utf8CodeUnitCount
    return body.withUnsafeBytes { bytes in
      guard bytes.count >= count else { return nil }
      for start in 0...(bytes.count - count)
      where bytes[start] == mark.utf8Start[0] && (1..<count).allSatisfy({ bytes[start + $0] == mark.utf8Start[$0] }) {
        guard let last = bytes[(start + count)...].firstIndex(of: end) else { return nil }
        return String(decoding: bytes[(start + count)..<last], as: UTF8.self)
      }
      return nil
    }
  }
}

/// Of the clock that every process of this machine shares.
func monotonicNanoseconds() -> Int {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

func epochSeconds() -> Int {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return time.tv_sec
}
