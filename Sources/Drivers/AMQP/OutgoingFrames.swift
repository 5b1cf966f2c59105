import CRabbitMQ

#if canImport(Glibc)
  import Glibc
#endif

/// Frames on their way out over a plain socket: those of many messages and acknowledgements leave in one write.
///
/// Only whole frames, and only whole messages, stand here when another call on the connection may send something of its own; a
/// flush ends when the socket has taken all of them. Belongs to the connection's thread. The encoding is AMQP 0-9-1's with
/// RabbitMQ's kinds of field values.
@safe final class OutgoingFrames {
  /// Once so many bytes are here they are written, even amid a message, between two of its frames.
  static let writeSize = 65_536

  private let channel: UInt16
  private let frameMax: Int
  /// SAFETY: `storage` has room for `capacity` bytes, of which the first `count` are written; it is freed in deinit alone.
  private var storage: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private(set) var count = 0

  /// - Parameter frameMax: the agreed bound of a frame with its 8 bytes of head and end.
  init(channel: UInt16, frameMax: Int) {
    self.channel = channel
    self.frameMax = frameMax
    capacity = 2 * Self.writeSize
    unsafe storage = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
  }

  deinit {
    unsafe storage.deallocate()
  }

  // MARK: What goes out

  /// One message: method, header, and as many body frames as it needs, none for an empty body. What it carries has been found
  /// to fit (``FrameSize``).
  /// - Throws: `connectionLost`; a part of the message may have gone out then.
  func publish(_ message: AMQPMessage, to socket: Int32) throws(AMQPFailure) {
    let method = begin(AMQP_FRAME_METHOD)
    integer(UInt32(AMQP_BASIC_PUBLISH_METHOD))
    integer(UInt16(0))
    shortText(message.exchange)
    shortText(message.routingKey)
    integer(UInt8(message.mandatory ? 1 : 0))
    end(method)
    let header = begin(AMQP_FRAME_HEADER)
    integer(UInt16(AMQP_BASIC_CLASS))
    integer(UInt16(0))
    integer(UInt64(message.body.count))
    properties(message.properties)
    end(header)
    let most = frameMax - 8
    var offset = 0
    while offset < message.body.count {
      let size = min(message.body.count - offset, most)
      let body = begin(AMQP_FRAME_BODY)
      unsafe message.body.withUnsafeBytes { bytes in
        // SAFETY: the slice lies within the body and is copied within the closure.
        unsafe self.raw(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + size]))
      }
      end(body)
      offset += size
      if count >= Self.writeSize { try flush(to: socket) }
    }
    if count >= Self.writeSize { try flush(to: socket) }
  }

  func acknowledge(_ tag: UInt64, multiple: Bool) {
    let frame = begin(AMQP_FRAME_METHOD)
    integer(UInt32(AMQP_BASIC_ACK_METHOD))
    integer(tag)
    integer(UInt8(multiple ? 1 : 0))
    end(frame)
  }

  /// Giving back goes by basic.nack, which newer brokers do not count as a failed delivery; refusing by basic.reject.
  func reject(_ tag: UInt64, requeue: Bool) {
    let frame = begin(AMQP_FRAME_METHOD)
    integer(UInt32(requeue ? AMQP_BASIC_NACK_METHOD : AMQP_BASIC_REJECT_METHOD))
    integer(tag)
    // The nack's bits are multiple and requeue, the reject's is requeue.
    integer(UInt8(requeue ? 2 : 0))
    end(frame)
  }

  /// Writes all that is here. Blocks while the socket takes no more, which the mailbox's alarm clock bounds by shutting the
  /// socket down.
  func flush(to socket: Int32) throws(AMQPFailure) {
    var sent = 0
    while sent < count {
      // SAFETY: the bytes from `sent` to `count` are initialised and stay where they are during the call.
      let step = unsafe send(socket, storage + sent, count - sent, Int32(MSG_NOSIGNAL))
      if step > 0 {
        sent += step
      } else if step < 0, errno == EAGAIN || errno == EWOULDBLOCK {
        var polled = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
        // SAFETY: poll reads and writes the one pollfd it is given.
        _ = unsafe poll(&polled, 1, -1)
      } else if step < 0, errno != EINTR {
        throw Wire.lost(AMQP_STATUS_SOCKET_ERROR.rawValue)
      }
    }
    count = 0
  }

  // MARK: Encoding

  /// Begins a frame; give the result to ``end(_:)``.
  private func begin(_ type: Int32) -> Int {
    integer(UInt8(type))
    integer(channel)
    integer(UInt32(0))
    return count
  }

  private func end(_ start: Int) {
    fill(start)
    integer(UInt8(AMQP_FRAME_END))
  }

  /// Writes into the four bytes before `start` how many bytes follow it.
  private func fill(_ start: Int) {
    let size = UInt32(truncatingIfNeeded: count - start).bigEndian
    // SAFETY: begin(_:) or a table's beginning wrote four bytes right before `start`.
    unsafe UnsafeMutableRawPointer(storage + start - 4).storeBytes(of: size, as: UInt32.self)
  }

  private func properties(_ properties: AMQPProperties) {
    var flags = AMQP_BASIC_DELIVERY_MODE_FLAG
    if properties.contentType != nil { flags |= AMQP_BASIC_CONTENT_TYPE_FLAG }
    if !properties.headers.isEmpty { flags |= AMQP_BASIC_HEADERS_FLAG }
    if properties.priority != nil { flags |= AMQP_BASIC_PRIORITY_FLAG }
    if properties.correlationID != nil { flags |= AMQP_BASIC_CORRELATION_ID_FLAG }
    if properties.expiration != nil { flags |= AMQP_BASIC_EXPIRATION_FLAG }
    if properties.messageID != nil { flags |= AMQP_BASIC_MESSAGE_ID_FLAG }
    if properties.timestamp != nil { flags |= AMQP_BASIC_TIMESTAMP_FLAG }
    if properties.type != nil { flags |= AMQP_BASIC_TYPE_FLAG }
    if properties.appID != nil { flags |= AMQP_BASIC_APP_ID_FLAG }
    integer(UInt16(truncatingIfNeeded: flags))
    // In the order of the flags, highest first.
    if let text = properties.contentType { shortText(text) }
    if !properties.headers.isEmpty { table(properties.headers) }
    integer(UInt8(properties.persistent ? 2 : 1))
    if let priority = properties.priority { integer(priority) }
    if let text = properties.correlationID { shortText(text) }
    if let text = properties.expiration { shortText(text) }
    if let text = properties.messageID { shortText(text) }
    if let timestamp = properties.timestamp { integer(timestamp) }
    if let text = properties.type { shortText(text) }
    if let text = properties.appID { shortText(text) }
  }

  private func table(_ headers: [AMQPHeader]) {
    integer(UInt32(0))
    let start = count
    for header in headers {
      shortText(header.name)
      value(header.value)
    }
    fill(start)
  }

  private func value(_ value: AMQPValue) {
    switch value {
    case .string(let text):
      kind("S")
      longText(text)
    case .int(let number):
      kind("l")
      integer(number)
    case .bool(let flag):
      kind("t")
      integer(UInt8(flag ? 1 : 0))
    case .double(let number):
      kind("d")
      integer(number.bitPattern)
    case .timestamp(let seconds):
      kind("T")
      integer(seconds)
    case .bytes(let bytes):
      kind("x")
      integer(UInt32(truncatingIfNeeded: bytes.count))
      // SAFETY: the bytes are copied within the closure.
      unsafe bytes.withUnsafeBytes { unsafe raw($0) }
    case .table(let headers):
      kind("F")
      table(headers)
    case .array(let values):
      kind("A")
      integer(UInt32(0))
      let start = count
      for value in values { self.value(value) }
      fill(start)
    case .null: kind("V")
    }
  }

  private func kind(_ letter: Unicode.Scalar) { integer(UInt8(truncatingIfNeeded: letter.value)) }

  /// At most 255 bytes; whoever calls has refused longer ones, and the frame stays a whole one in any case.
  private func shortText(_ text: String) {
    unsafe withBytes(of: text) { bytes in
      let size = min(bytes.count, 255)
      integer(UInt8(truncatingIfNeeded: size))
      // SAFETY: the slice lies within the text and is copied here.
      unsafe raw(UnsafeRawBufferPointer(rebasing: bytes[..<size]))
    }
  }

  private func longText(_ text: String) {
    unsafe withBytes(of: text) { bytes in
      integer(UInt32(truncatingIfNeeded: bytes.count))
      // SAFETY: the bytes are copied here.
      unsafe raw(bytes)
    }
  }

  private func withBytes(of text: String, _ body: (UnsafeRawBufferPointer) -> Void) {
    // SAFETY: `body` uses the bytes while it runs, and no longer.
    if unsafe text.utf8.withContiguousStorageIfAvailable({ unsafe body(UnsafeRawBufferPointer($0)) }) == nil {
      unsafe Array(text.utf8).withUnsafeBytes { unsafe body($0) }
    }
  }

  private func integer<T: FixedWidthInteger>(_ value: T) {
    let size = MemoryLayout<T>.size
    reserve(size)
    // SAFETY: there is room for the bytes, which are plain numbers and need no alignment.
    unsafe UnsafeMutableRawPointer(storage + count).storeBytes(of: value.bigEndian, as: T.self)
    count += size
  }

  private func raw(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 0, let start = bytes.baseAddress else { return }
    reserve(bytes.count)
    // SAFETY: there is room for the bytes, and the source is another memory than the storage.
    unsafe memcpy(storage + count, start, bytes.count)
    count += bytes.count
  }

  @inline(__always)
  private func reserve(_ more: Int) {
    if capacity - count < more { grow(more) }
  }

  @inline(never)
  private func grow(_ more: Int) {
    let larger = max(capacity * 2, count + more)
    let next = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
    // SAFETY: the first `count` bytes are initialised; the old memory is freed after they are copied.
    unsafe memcpy(next, storage, count)
    unsafe storage.deallocate()
    unsafe storage = next
    capacity = larger
  }
}
