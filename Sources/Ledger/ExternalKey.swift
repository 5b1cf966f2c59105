import Orders
import Pipeline

/// What an order's bill may be numbered in K/3.
struct KeyChoice: Sendable, Equatable {
  /// The number that the mapping gave, when it is fit to be a key.
  var wanted: String?
  /// The number shortened, with the order's id behind it: for when the number is unfit or another order has it.
  var fallback: String
  /// For when even that is taken.
  var spare: String
}

/// Derives external keys from bill numbers.
struct KeyRule: Sendable {
  /// Longest key, in UTF-16 units, as K/3's nvarchar counts.
  let limit: Int

  /// Each request's number, where it is fit to be a key and no earlier request of the object has it.
  func wanted(by requests: [ClaimRequest]) -> [String?] {
    var taken: Set<String> = []
    taken.reserveCapacity(requests.count)
    return requests.map { wanted(by: $0, &taken).wanted }
  }

  private func wanted(by request: ClaimRequest, _ taken: inout Set<String>) -> (wanted: String?, number: String) {
    let number = clean(request.billNumber)
    let fits = !number.isEmpty && number.utf16.count <= limit
    return (fits && taken.insert(folded(number, of: request)).inserted ? number : nil, number)
  }

  /// One choice per request. No key is offered twice for an object in a batch, upper and lower case taken as the same.
  func choices(for requests: [ClaimRequest]) -> [KeyChoice] {
    var taken: Set<String> = []
    var result: [KeyChoice] = []
    result.reserveCapacity(requests.count)
    for request in requests {
      let (wanted, number) = wanted(by: request, &taken)
      let part = request.bill.part
      let suffix = part == 1 ? "\(request.bill.orderID)" : "\(request.bill.orderID)-\(part)"
      let spare = String(UInt32.random(in: 0...UInt32.max), radix: 36)
      result.append(
        KeyChoice(
          wanted: wanted, fallback: joined(number, suffix), spare: joined(number, "\(suffix)-\(spare)")))
    }
    // A fallback may be the very number of another order of the batch.
    for (index, request) in requests.enumerated()
    where !taken.insert(folded(result[index].fallback, of: request)).inserted {
      result[index].fallback = result[index].spare
    }
    return result
  }

  /// Without control characters, and without space at the ends, which K/3 does not tell from none.
  private func clean(_ number: String) -> String {
    if number.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) { return number }
    let scalars = number.unicodeScalars.filter { $0.properties.generalCategory != .control }
    var text = Substring(String(String.UnicodeScalarView(scalars)))
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }

  /// As the table's index folds: A to Z only. Each object has numbers of its own.
  private func folded(_ key: String, of request: ClaimRequest) -> String {
    let isUpper = { (byte: UInt8) in (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
    let folded = key.utf8.map { isUpper($0) ? $0 | 0x20 : $0 }
    return request.object + "/" + String(decoding: folded, as: UTF8.self)
  }

  private func joined(_ number: String, _ suffix: String) -> String {
    var head = Substring(number)
    while !head.isEmpty, head.utf16.count + 1 + suffix.utf16.count > limit { head.removeLast() }
    return head.isEmpty ? suffix : "\(head)-\(suffix)"
  }
}
