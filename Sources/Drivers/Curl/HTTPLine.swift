internal import CCurl

#if canImport(Glibc)
  import Glibc
#endif

/// What came of an attempt to send or to receive.
enum LineStep: Equatable {
  /// So many bytes, at least one.
  case moved(Int)
  /// Nothing goes just now; the watch tells when it does.
  case blocked
  /// The peer has ended.
  case ended
  /// The connection has failed.
  case broken
}

/// A connection that libcurl made, for one request after another. Lives on the driver thread only.
///
/// A plain one is a socket of our own: libcurl has closed its descriptor and knows nothing of it. One with TLS stays
/// with the handle that made it, in a multi handle of its own: libcurl looks through a multi handle's connections each
/// time that it makes another one there, and closes those where it finds bytes or an end, also under our hands.
// SAFETY of @safe: see stage, the one pointer.
@safe final class HTTPLine {
  /// Bytes of one TLS record.
  private static let stageSize = 16 << 10

  let origin: String
  let socket: Int32
  let made: ContinuousClock.Instant
  /// When its last answer was complete.
  var idleSince: ContinuousClock.Instant
  /// What is under way over it; nil: it is idle.
  var exchange: HTTPExchange?
  private let dial: CurlDial?
  // SAFETY: made in init and freed in deinit. What was begun to be sent with TLS must stay where it is until it is
  // sent.
  private let stage: UnsafeMutableRawBufferPointer
  private var isClosed = false

  /// Takes a plain connection over: `socket` is closed with the line.
  init(plain socket: Int32, _ origin: String, _ now: ContinuousClock.Instant) {
    self.socket = socket
    self.origin = origin
    dial = nil
    (made, idleSince) = (now, now)
    unsafe stage = .init(start: nil, count: 0)
  }

  /// Takes a connection with TLS over, and the dial that made it.
  init(tls dial: CurlDial, _ socket: Int32, _ origin: String, _ now: ContinuousClock.Instant) {
    self.socket = socket
    self.origin = origin
    self.dial = dial
    (made, idleSince) = (now, now)
    unsafe stage = .allocate(byteCount: Self.stageSize, alignment: 16)
  }

  deinit { unsafe stage.deallocate() }

  var isTLS: Bool { dial != nil }

  /// Whether it is young enough for another request, and was used lately enough.
  func isFresh(_ now: ContinuousClock.Instant, _ options: CurlOptions) -> Bool {
    now - idleSince <= .seconds(options.idleConnectionSeconds)
      && now - made <= .seconds(options.maxConnectionLifetimeSeconds)
  }

  /// Closes it. To be called once the watch has forgotten the socket.
  /// - Returns: the dial that made it, to be used again.
  func end() -> CurlDial? {
    guard !isClosed else { return nil }
    isClosed = true
    if let dial { dial.end() } else { close(socket) }
    return dial
  }

  /// Sends what follows the first `sent` bytes of head and body, as far as it goes at once.
  func send(_ head: [UInt8], _ body: [UInt8], from sent: Int) -> LineStep {
    // SAFETY: both arrays outlive the call.
    unsafe head.withUnsafeBytes { head in
      unsafe body.withUnsafeBytes { body in
        let one = unsafe UnsafeRawBufferPointer(rebasing: head.dropFirst(sent))
        let two = unsafe UnsafeRawBufferPointer(rebasing: body.dropFirst(max(0, sent - head.count)))
        guard let dial else {
          return unsafe Self.step(ferry_send(socket, one.baseAddress, one.count, two.baseAddress, two.count))
        }
        return unsafe send(one, two, dial)
      }
    }
  }

  private func send(_ one: UnsafeRawBufferPointer, _ two: UnsafeRawBufferPointer, _ dial: CurlDial) -> LineStep {
    let first = min(one.count, Self.stageSize)
    let count = first + min(two.count, Self.stageSize - first)
    // SAFETY: first and the rest fit, by the lines above. What is sent again after `.blocked` is the same at the same
    // place, since nothing was counted as sent.
    unsafe stage.copyMemory(from: UnsafeRawBufferPointer(rebasing: one.prefix(first)))
    unsafe UnsafeMutableRawBufferPointer(rebasing: stage[first...])
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: two.prefix(count - first)))
    return unsafe dial.send(UnsafeRawBufferPointer(rebasing: stage[..<count]))
  }

  /// Receives what is there.
  func receive(into room: inout [UInt8]) -> LineStep {
    // SAFETY: the array outlives the call.
    unsafe room.withUnsafeMutableBytes { room in
      if let dial { return unsafe dial.receive(room) }
      return unsafe Self.step(ferry_receive(socket, room.baseAddress, room.count, 0))
    }
  }

  /// Whether nothing has come that nobody asked for, nor the peer's end. With TLS its own messages, such as tickets,
  /// may have.
  func isQuiet(_ room: inout [UInt8]) -> Bool {
    var byte: UInt8 = 0
    // SAFETY: one byte of a local variable is written to.
    let step = unsafe Self.step(ferry_receive(socket, &byte, 1, Int32(MSG_PEEK)))
    return step == .blocked || isTLS && step != .broken && receive(into: &room) == .blocked
  }

  private static func step(_ count: Int) -> LineStep {
    switch count {
    case 1...: .moved(count)
    case 0: .ended
    default: count == -Int(EAGAIN) ? .blocked : .broken
    }
  }
}
