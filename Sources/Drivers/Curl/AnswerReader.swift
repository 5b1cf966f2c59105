/// Why an answer cannot be taken.
struct AnswerDefect: Error, Equatable {
  /// It is larger than allowed; otherwise it is not whole, or not what HTTP says.
  var isTooLarge = false
  /// A fixed text, which holds nothing of the answer.
  let text: String

  static let tooLarge = AnswerDefect(isTooLarge: true, text: "the answer is larger than allowed")

  init(isTooLarge: Bool = false, text: String) {
    self.isTooLarge = isTooLarge
    self.text = text
  }

  init(_ text: String) { self.text = text }
}

/// Reads one answer of HTTP/1.x from the bytes of a connection, however they are cut. Knows no socket and no clock.
///
/// What it does not understand of the lines that say where an answer ends, it refuses: two readers that disagree about
/// that are how one request gets another's answer.
struct AnswerReader {
  /// How the body travelled.
  enum Encoding { case plain, gzip, unknown }

  private enum State { case status, fields, fixed, untilClose, chunkSize, chunk, chunkEnd, trailers, done }
  /// The fields that count here.
  enum Field { case contentLength, transferEncoding, contentEncoding, connection, retryAfter, date, other }

  /// Status lines, fields, chunks' extensions and trailers of one answer, those of interim answers among them, in
  /// bytes.
  static let maxHeadBytes = 256 << 10
  /// How much a packed body may be larger than what may come of it: gzip's own bytes.
  private static let packedSlack = 64 << 10

  private let maxBytes: Int
  private var state = State.status
  /// Bytes that the body or the chunk still has.
  private var remaining = 0
  private var headBytes = 0
  /// The beginning of a line whose end has not come.
  private var partial: [UInt8] = []
  private var lastField: Field?
  private var length: Int?
  private var isChunked = false
  private var hasTransferEncoding = false
  private var isOld = false
  private var saysClose = false

  /// The status code, once it is known.
  private(set) var status = 0
  /// The body so far, as it travelled.
  private(set) var body: [UInt8] = []
  /// How it is encoded.
  private(set) var encoding = Encoding.plain
  /// The value of the first Retry-After.
  private(set) var retryAfter: String?
  /// The value of the first Date.
  private(set) var date: String?
  /// Whether a byte has come.
  private(set) var isStarted = false

  /// - Parameter maxBytes: the largest body that is taken, after decompression.
  init(maxBytes: Int) { self.maxBytes = maxBytes }

  /// Whether all of the answer has come.
  var isComplete: Bool { state == .done }

  /// Whether the connection may carry another request, once the answer is complete.
  var keepsConnection: Bool {
    isComplete && !isOld && !saysClose && !(hasTransferEncoding && length != nil) && !endsWithConnection
  }

  private var endsWithConnection = false

  /// Takes the body out.
  mutating func takeBody() -> [UInt8] {
    defer { body = [] }
    return body
  }

  /// Takes the first bytes of a buffer.
  mutating func feed(_ buffer: [UInt8], count: Int) throws(AnswerDefect) -> Int {
    try feed(buffer.span.extracting(0..<count))
  }

  /// Takes bytes.
  /// - Returns: how many belong to this answer; fewer than given only when it is complete.
  mutating func feed(_ bytes: Span<UInt8>) throws(AnswerDefect) -> Int {
    var at = 0
    if !bytes.isEmpty { isStarted = true }
    while at < bytes.count {
      switch state {
      case .done: return at
      case .untilClose:
        try append(bytes.extracting(at..<bytes.count))
        at = bytes.count
      case .fixed, .chunk:
        let end = at + min(remaining, bytes.count - at)
        try append(bytes.extracting(at..<end))
        remaining -= end - at
        at = end
        if remaining == 0 { state = state == .fixed ? .done : .chunkEnd }
      case .status, .fields, .chunkSize, .chunkEnd, .trailers:
        at = try takeLine(bytes, from: at)
      }
    }
    return at
  }

  /// The connection has ended.
  mutating func end() throws(AnswerDefect) {
    switch state {
    case .untilClose: state = .done
    case .done: break
    case .status where !isStarted: throw AnswerDefect("the connection ended without an answer")
    case .status, .fields: throw AnswerDefect("the answer ended within its headers")
    case .fixed, .chunkSize, .chunk, .chunkEnd, .trailers: throw AnswerDefect("the answer ended within its body")
    }
  }

  private mutating func append(_ bytes: Span<UInt8>) throws(AnswerDefect) {
    guard bytes.count <= limit - body.count else { throw .tooLarge }
    // SAFETY: the bytes are copied within the call.
    unsafe bytes.withUnsafeBufferPointer { unsafe body.append(contentsOf: $0) }
  }

  /// What may come over the wire as a body.
  private var limit: Int { encoding == .gzip ? maxBytes + Self.packedSlack : maxBytes }

  // MARK: Lines

  /// Takes a line, or what there is of it.
  /// - Returns: the place behind it.
  private mutating func takeLine(_ bytes: Span<UInt8>, from start: Int) throws(AnswerDefect) -> Int {
    let feed = firstLineFeed(bytes, from: start)
    let end = feed ?? bytes.count
    if state == .status { try checkBeginning(bytes.extracting(start..<end)) }
    let room = Self.maxHeadBytes - headBytes - partial.count
    guard end - start < room else { throw .tooLarge }
    guard feed != nil else {
      let rest = bytes.extracting(start..<end)
      // SAFETY: the bytes are copied within the call.
      unsafe rest.withUnsafeBufferPointer { unsafe partial.append(contentsOf: $0) }
      return end
    }
    if partial.isEmpty {
      try take(line: bytes.extracting(start..<end))
    } else {
      var line: [UInt8] = []
      swap(&line, &partial)
      for index in start..<end { line.append(bytes[index]) }
      try take(line: line.span)
    }
    return end + 1
  }

  /// What is not HTTP/1.x is refused before its line ends, which may be never.
  private func checkBeginning(_ more: Span<UInt8>) throws(AnswerDefect) {
    for place in 0..<min(Self.protocolName.count, partial.count + more.count) {
      let byte = place < partial.count ? partial[place] : more[place - partial.count]
      // The line's end, CR LF, is left to the line's reader.
      guard byte == Self.protocolName[place] else { throw AnswerDefect("the answer is not HTTP/1") }
    }
  }

  private static let protocolName = Array("HTTP/1.".utf8)

  /// - Parameter whole: without its line feed.
  private mutating func take(line whole: Span<UInt8>) throws(AnswerDefect) {
    let count = whole.count > 0 && whole[whole.count - 1] == 13 ? whole.count - 1 : whole.count
    let line = whole.extracting(0..<count)
    switch state {
    case .status:
      headBytes += whole.count + 1
      try takeStatus(line)
    case .fields:
      headBytes += whole.count + 1
      if line.isEmpty { try endHead() } else { try takeField(line) }
    case .chunkSize: try takeChunkSize(line)
    case .chunkEnd:
      guard line.isEmpty else { throw AnswerDefect("a chunk is longer than it says") }
      state = .chunkSize
    case .trailers:
      headBytes += whole.count + 1
      if line.isEmpty { state = .done }
    case .fixed, .untilClose, .chunk, .done: break
    }
  }

  private mutating func takeStatus(_ line: Span<UInt8>) throws(AnswerDefect) {
    // "HTTP/1.1 200" and a reason, or none.
    guard line.count >= 12, isDigit(line[7]), line[8] == 32, line.count == 12 || line[12] == 32 else {
      throw AnswerDefect("the answer's status line cannot be read")
    }
    status = 0
    for place in 9..<12 {
      guard isDigit(line[place]) else { throw AnswerDefect("the answer's status line cannot be read") }
      status = status * 10 + Int(line[place] - 48)
    }
    // Nobody asked for another protocol.
    guard status >= 100, status != 101 else { throw AnswerDefect("the answer's status is none") }
    isOld = line[7] == 48
    lastField = nil
    state = .fields
  }

  private mutating func takeField(_ line: Span<UInt8>) throws(AnswerDefect) {
    if line[0] == 32 || line[0] == 9 {
      // A folded line goes on with the one before. Where it would say how the answer ends, readers disagree.
      guard let lastField, [.other, .retryAfter, .date].contains(lastField) else {
        throw AnswerDefect("a header of the answer is folded")
      }
      return
    }
    var colon = 0
    while colon < line.count, line[colon] != 58 { colon += 1 }
    guard colon > 0, colon < line.count else { throw AnswerDefect("a header of the answer has no name") }
    var (start, end) = (colon + 1, line.count)
    while start < end, line[start] == 32 || line[start] == 9 { start += 1 }
    while start < end, line[end - 1] == 32 || line[end - 1] == 9 { end -= 1 }
    let field = try Self.field(line, colon)
    lastField = field
    guard field != .other else { return }
    // Only these few are read as text.
    let value = line.extracting(start..<end)
    for index in 0..<value.count where value[index] < 32 && value[index] != 9 {
      throw AnswerDefect("a header of the answer holds a control character")
    }
    try take(field, value)
  }

  private mutating func take(_ field: Field, _ value: Span<UInt8>) throws(AnswerDefect) {
    switch field {
    case .contentLength:
      for number in words(value) {
        let count = try Self.decimal(number)
        guard length == nil || length == count else { throw AnswerDefect("the answer has two lengths") }
        length = count
      }
      guard length != nil else { throw AnswerDefect("the answer's length cannot be read") }
    case .transferEncoding:
      // Chunked alone is what a client without TE may be sent.
      guard !hasTransferEncoding, words(value) == ["chunked"] else {
        throw AnswerDefect("the answer's transfer encoding is not known")
      }
      hasTransferEncoding = true
      isChunked = true
    case .contentEncoding:
      for word in words(value) where word != "identity" && !word.isEmpty {
        encoding = encoding == .plain && (word == "gzip" || word == "x-gzip") ? .gzip : .unknown
      }
    case .connection:
      if words(value).contains("close") { saysClose = true }
    case .retryAfter:
      if retryAfter == nil { retryAfter = text(value) }
    case .date:
      if date == nil { date = text(value) }
    case .other: break
    }
  }

  private mutating func endHead() throws(AnswerDefect) {
    guard status >= 200 else {
      // An interim answer; the real one comes behind it.
      (length, isChunked, hasTransferEncoding, saysClose) = (nil, false, false, false)
      (encoding, retryAfter, date) = (.plain, nil, nil)
      state = .status
      return
    }
    if status == 204 || status == 304 {
      // It has no body. Where it tells of one, whoever sent it may send that as well.
      if isChunked || length ?? 0 > 0 { saysClose = true }
      state = .done
    } else if isChunked {
      state = .chunkSize
    } else if let length {
      guard length <= limit else { throw .tooLarge }
      remaining = length
      state = length == 0 ? .done : .fixed
      body.reserveCapacity(min(length, 1 << 20))
    } else {
      endsWithConnection = true
      state = .untilClose
    }
  }

  private mutating func takeChunkSize(_ line: Span<UInt8>) throws(AnswerDefect) {
    var (size, digits) = (0, 0)
    while digits < line.count, let digit = hexDigit(line[digits]) {
      guard size <= Int.max >> 8 else { throw .tooLarge }
      size = size << 4 | digit
      digits += 1
    }
    var end = digits
    while end < line.count, line[end] == 32 || line[end] == 9 { end += 1 }
    guard digits > 0, end == line.count || line[end] == 59 else {
      throw AnswerDefect("a chunk's size cannot be read")
    }
    // The size itself belongs to the body's bytes; more than it needs does not.
    headBytes += max(0, line.count - 8)
    guard size <= limit - body.count else { throw .tooLarge }
    remaining = size
    state = size == 0 ? .trailers : .chunk
  }
}
