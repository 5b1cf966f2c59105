/// One value of a document: where it stands and what it is.
///
/// Nodes lie in document order; an object's members are key node, value node, key node, … A node's `next` is the index
/// after its whole subtree, so siblings are reached without walking children.
struct JSONNode {
  var start: UInt32
  var end: UInt32
  var next: UInt32
  /// Elements of an array, members of an object.
  var count: UInt32 = 0
  var kind: JSONValue.Kind
  /// A string that must be unescaped before use.
  var isEscaped = false
}

/// Turns a text into nodes in one pass, without recursion.
struct JSONScanner {
  private let base: UnsafePointer<UInt8>
  private let length: Int
  private let limits: JSONLimits
  private var position = 0
  /// In memory of their own, since an array checks itself at each append.
  private var nodes: UnsafeMutablePointer<JSONNode>
  private var count = 0
  private var capacity: Int
  /// The innermost container that is open here; below 0: none. Until it is closed, its node's `next` is the container around it, and
  /// `noContainer` for the outermost.
  private var open = -1
  private var depth = 0
  private static let noContainer = UInt32.max

  /// The nodes; whoever takes them deallocates them.
  static func scan(
    _ bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits
  ) throws(JSONError) -> UnsafeMutableBufferPointer<JSONNode> {
    guard bytes.count <= limits.maxBytes, bytes.count < Int(UInt32.max) else {
      throw JSONError(kind: .tooLarge, offset: min(limits.maxBytes, bytes.count))
    }
    guard let base = bytes.baseAddress, !bytes.isEmpty else { throw JSONError(kind: .unexpectedEnd, offset: 0) }
    var scanner = JSONScanner(base: base, length: bytes.count, limits: limits)
    do throws(JSONError) { try scanner.run() } catch {
      scanner.nodes.deallocate()
      throw error
    }
    return UnsafeMutableBufferPointer(start: scanner.nodes, count: scanner.count)
  }

  private init(base: UnsafePointer<UInt8>, length: Int, limits: JSONLimits) {
    self.base = base
    self.length = length
    self.limits = limits
    capacity = max(16, min(length / 8 + 16, limits.maxValues))
    nodes = .allocate(capacity: capacity)
  }

  private mutating func run() throws(JSONError) {
    repeat {
      skipSpace()
      let opened = try value()
      if !opened { try closeFinished() }
    } while open >= 0
    skipSpace()
    guard position == length else { throw failure(.trailingText) }
  }

  /// Reads one value. For a container only its opening (and, for an object, its first key); true when one was opened.
  @inline(__always)
  private mutating func value() throws(JSONError) -> Bool {
    guard position < length else { throw ended() }
    switch base[position] {
    case UInt8(ascii: "\""): try string()
    case UInt8(ascii: "{"): return try openContainer(.object, closing: UInt8(ascii: "}"))
    case UInt8(ascii: "["): return try openContainer(.array, closing: UInt8(ascii: "]"))
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
    case UInt8(ascii: "t"): try word("true", .bool)
    case UInt8(ascii: "f"): try word("false", .bool)
    case UInt8(ascii: "n"): try word("null", .null)
    // `+1`, `.5`, `NaN`, `Infinity`: numbers elsewhere.
    case UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "N"), UInt8(ascii: "I"): throw failure(.badNumber)
    default: throw failure(.unexpectedByte)
    }
    return false
  }

  private mutating func openContainer(_ kind: JSONValue.Kind, closing: UInt8) throws(JSONError) -> Bool {
    guard depth < limits.maxDepth else { throw failure(.tooDeep) }
    let index = count
    try append(JSONNode(start: UInt32(position), end: 0, next: 0, kind: kind))
    position &+= 1
    skipSpace()
    guard position < length else { throw ended() }
    if base[position] == closing {
      position &+= 1
      finish(index)
      return false
    }
    nodes[index].next = open < 0 ? Self.noContainer : UInt32(open)
    open = index
    depth &+= 1
    if kind == .object { try key() }
    return true
  }

  /// After a value: takes `,` (and the next key) or closes containers as far as they end here.
  @inline(__always)
  private mutating func closeFinished() throws(JSONError) {
    while open >= 0 {
      let container = nodes + open
      container.pointee.count &+= 1
      skipSpace()
      guard position < length else { throw ended() }
      let byte = base[position]
      let isObject = container.pointee.kind == .object
      if byte == UInt8(ascii: ",") {
        position &+= 1
        if isObject {
          skipSpace()
          try key()
        }
        return
      }
      guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { throw failure(.unexpectedByte) }
      position &+= 1
      let closed = open
      open = container.pointee.next == Self.noContainer ? -1 : Int(container.pointee.next)
      depth -= 1
      finish(closed)
    }
  }

  private mutating func finish(_ index: Int) {
    nodes[index].end = UInt32(position)
    nodes[index].next = UInt32(count)
  }

  private mutating func key() throws(JSONError) {
    guard position < length else { throw ended() }
    guard base[position] == UInt8(ascii: "\"") else { throw failure(.unexpectedByte) }
    try string()
    skipSpace()
    guard position < length else { throw ended() }
    guard base[position] == UInt8(ascii: ":") else { throw failure(.unexpectedByte) }
    position &+= 1
  }

  @inline(__always)
  private mutating func append(_ node: JSONNode) throws(JSONError) {
    guard count < limits.maxValues else {
      throw JSONError(kind: .tooManyValues, offset: Int(node.start))
    }
    if count == capacity { grow() }
    (nodes + count).initialize(to: node)
    count &+= 1
  }

  @inline(never)
  private mutating func grow() {
    capacity *= 2
    let larger = UnsafeMutablePointer<JSONNode>.allocate(capacity: capacity)
    larger.moveInitialize(from: nodes, count: count)
    nodes.deallocate()
    nodes = larger
  }

  @inline(__always)
  private mutating func scalar(_ kind: JSONValue.Kind, from start: Int, isEscaped: Bool = false) throws(JSONError) {
    try append(
      JSONNode(
        start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: position),
        next: UInt32(truncatingIfNeeded: count &+ 1), kind: kind,
        isEscaped: isEscaped))
  }

  private mutating func word(_ word: StaticString, _ kind: JSONValue.Kind) throws(JSONError) {
    let start = position
    let size = word.utf8CodeUnitCount
    for index in 0..<size {
      guard position < length else { throw ended() }
      guard base[position] == word.utf8Start[index] else { throw failure(.unexpectedByte) }
      position &+= 1
    }
    try scalar(kind, from: start)
  }

  @inline(__always)
  private mutating func skipSpace() {
    while position < length {
      // Nearly always there is none.
      if base[position] > 0x20 { return }
      switch base[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position &+= 1
      default: return
      }
    }
  }

  private func failure(_ kind: JSONError.Kind) -> JSONError { JSONError(kind: kind, offset: position) }
  private func ended() -> JSONError { JSONError(kind: .unexpectedEnd, offset: length) }
}

// MARK: - Numbers

extension JSONScanner {
  @inline(__always)
  private mutating func number() throws(JSONError) {
    let start = position
    if base[position] == UInt8(ascii: "-") { position &+= 1 }
    guard position < length else { throw ended() }
    if base[position] == UInt8(ascii: "0") {
      position &+= 1
    } else {
      try digits()
    }
    if position < length, base[position] == UInt8(ascii: ".") {
      position &+= 1
      try digits()
    }
    if position < length, base[position] | 0x20 == UInt8(ascii: "e") {
      position &+= 1
      if position < length, base[position] == UInt8(ascii: "+") || base[position] == UInt8(ascii: "-") {
        position &+= 1
      }
      try digits()
    }
    // What follows must end the number: `01`, `1x` and `-` alone are not numbers.
    if position < length, isWordByte(base[position]) { throw failure(.badNumber) }
    try scalar(.number, from: start)
  }

  @inline(__always)
  private mutating func digits() throws(JSONError) {
    var at = position
    while at < length, base[at] &- UInt8(ascii: "0") < 10 { at &+= 1 }
    guard at > position else { throw position == length ? ended() : failure(.badNumber) }
    position = at
  }

  private func isWordByte(_ byte: UInt8) -> Bool {
    byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26
      || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
  }
}

// MARK: - Strings

extension JSONScanner {
  @inline(__always)
  private mutating func string() throws(JSONError) {
    let start = position
    position &+= 1
    var isEscaped = false
    while true {
      skipPlain()
      guard position < length else { throw ended() }
      let byte = base[position]
      if byte == UInt8(ascii: "\"") { break }
      if byte == UInt8(ascii: "\\") {
        isEscaped = true
        try escape()
      } else if byte < 0x20 {
        throw failure(.controlCharacter)
      } else {
        try multibyte()
      }
    }
    guard position &- start &- 1 <= limits.maxStringBytes else {
      throw JSONError(kind: .stringTooLong, offset: start)
    }
    position &+= 1
    try scalar(.string, from: start, isEscaped: isEscaped)
  }

  /// Skips ASCII that needs no attention, eight bytes at a time.
  @inline(__always)
  private mutating func skipPlain() {
    var at = position
    defer { position = at }
    while at &+ 8 <= length {
      let word = UnsafeRawPointer(base + at).loadUnaligned(as: UInt64.self)
      // Beyond ASCII the high bit is set already.
      let attention = specialBytes(word) | word & 0x8080_8080_8080_8080
      if attention != 0 {
        at &+= attention.littleEndian.trailingZeroBitCount / 8
        return
      }
      at &+= 8
    }
    while at < length {
      let byte = base[at]
      if byte == 0x22 || byte == 0x5C || byte < 0x20 || byte >= 0x80 { return }
      at &+= 1
    }
  }

  @inline(never)
  private mutating func escape() throws(JSONError) {
    guard position + 1 < length else { throw ended() }
    switch base[position + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      position &+= 2
    case UInt8(ascii: "u"):
      let unit = try hexUnit(at: position + 2)
      switch unit {
      case 0xD800..<0xDC00:
        guard position + 6 < length else { throw ended() }
        guard base[position + 6] == UInt8(ascii: "\\") else { throw failure(.loneSurrogate) }
        guard position + 7 < length else { throw ended() }
        guard base[position + 7] == UInt8(ascii: "u"), case 0xDC00..<0xE000 = try hexUnit(at: position + 8)
        else { throw failure(.loneSurrogate) }
        position &+= 12
      case 0xDC00..<0xE000: throw failure(.loneSurrogate)
      default: position &+= 6
      }
    default: throw failure(.badEscape)
    }
  }

  private func hexUnit(at offset: Int) throws(JSONError) -> UInt16 {
    var unit: UInt16 = 0
    for index in offset..<offset + 4 {
      guard index < length else { throw ended() }
      guard let digit = hexDigit(base[index]) else { throw failure(.badEscape) }
      unit = unit << 4 | UInt16(digit)
    }
    return unit
  }

  /// Checks one sequence of two to four bytes: shortest form, no surrogates, nothing above U+10FFFF.
  @inline(never)
  private mutating func multibyte() throws(JSONError) {
    let first = base[position]
    let size: Int
    var lowest: UInt8 = 0x80
    var highest: UInt8 = 0xBF
    switch first {
    case 0xC2...0xDF: size = 2
    case 0xE0:
      size = 3
      lowest = 0xA0
    case 0xED:
      size = 3
      highest = 0x9F
    case 0xE1...0xEC, 0xEE, 0xEF: size = 3
    case 0xF0:
      size = 4
      lowest = 0x90
    case 0xF1...0xF3: size = 4
    case 0xF4:
      size = 4
      highest = 0x8F
    default: throw failure(.badUTF8)
    }
    for offset in 1..<size {
      guard position + offset < length else { throw ended() }
      let next = base[position + offset]
      guard next >= lowest, next <= highest else { throw failure(.badUTF8) }
      lowest = 0x80
      highest = 0xBF
    }
    position &+= size
  }
}
