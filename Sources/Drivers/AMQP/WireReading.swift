import CRabbitMQ

#if canImport(Glibc)
  import Glibc
#endif

/// A message whose frames are still arriving.
struct IncomingContent {
  enum Kind {
    case delivery(tag: UInt64, redelivered: Bool)
    case got(tag: UInt64, redelivered: Bool)
    case returned(code: Int, text: String)
  }

  let kind: Kind
  let exchange: String
  let routingKey: String
  var properties = AMQPProperties()
  /// Bytes still to come; nil before the header.
  var missing: UInt64?
  var isTruncated = false
  var body: [UInt8] = []

  func event() -> WireEvent {
    func delivery(_ tag: UInt64, _ redelivered: Bool) -> AMQPDelivery {
      AMQPDelivery(
        tag: tag, redelivered: redelivered, exchange: exchange, routingKey: routingKey, properties: properties,
        body: body, isTruncated: isTruncated)
    }
    switch kind {
    case .delivery(let tag, let redelivered): return .delivery(delivery(tag, redelivered))
    case .got(let tag, let redelivered): return .answer(.message(delivery(tag, redelivered)))
    case .returned(let code, let text):
      return .returned(
        code: code, text: text,
        AMQPMessage(exchange: exchange, routingKey: routingKey, properties: properties, body: body))
    }
  }
}

/// What comes in.
extension Wire {
  /// Reads at most one frame, without waiting. Also sends a heartbeat that is due, and notices a silent peer.
  func step() throws(AMQPFailure) -> WireStep {
    // SAFETY: the frame is filled when the status is OK; what it points to is copied before the release below.
    var frame = unsafe amqp_frame_t()
    var noWait = ferry_amqp_seconds(0)
    let status = unsafe amqp_simple_wait_frame_noblock(state, &frame, &noWait)
    if status == AMQP_STATUS_TIMEOUT.rawValue { return .idle }
    guard status == AMQP_STATUS_OK.rawValue else { throw Self.lost(status) }
    let event: WireEvent?
    let type = Int32(unsafe frame.frame_type)
    switch type {
    case AMQP_FRAME_METHOD: event = try unsafe method(frame.payload.method)
    case AMQP_FRAME_HEADER: event = try unsafe header(frame)
    case AMQP_FRAME_BODY: event = try unsafe body(frame.payload.body_fragment)
    default: event = nil
    }
    // What a message begins with is small and waits for its body.
    if content == nil || type == AMQP_FRAME_BODY { unsafe amqp_maybe_release_buffers_on_channel(state, frame.channel) }
    return event.map { .event($0) } ?? .nothingYet
  }

  private func method(_ method: amqp_method_t) throws(AMQPFailure) -> WireEvent? {
    // SAFETY: `decoded` points to the struct that the method id names; `as` is only used with that type.
    guard content == nil else { throw .connectionLost("the broker sent a method amid a message") }
    guard let decoded = unsafe method.decoded else { return nil }
    func read<T>(_ type: T.Type) -> T { unsafe decoded.assumingMemoryBound(to: type).pointee }
    switch unsafe method.id {
    case AMQP_BASIC_DELIVER_METHOD:
      let it = unsafe read(amqp_basic_deliver_t.self)
      content = unsafe IncomingContent(
        kind: .delivery(tag: it.delivery_tag | mark, redelivered: it.redelivered != 0), exchange: exchange(it.exchange),
        routingKey: routingKey(it.routing_key))
    case AMQP_BASIC_GET_OK_METHOD:
      let it = unsafe read(amqp_basic_get_ok_t.self)
      content = unsafe IncomingContent(
        kind: .got(tag: it.delivery_tag | mark, redelivered: it.redelivered != 0), exchange: exchange(it.exchange),
        routingKey: routingKey(it.routing_key))
    case AMQP_BASIC_RETURN_METHOD:
      let it = unsafe read(amqp_basic_return_t.self)
      content = unsafe IncomingContent(
        kind: .returned(code: Int(it.reply_code), text: Self.string(it.reply_text)),
        exchange: Self.string(it.exchange), routingKey: Self.string(it.routing_key))
    case AMQP_BASIC_ACK_METHOD:
      let it = read(amqp_basic_ack_t.self)
      return .settled(tag: it.delivery_tag, multiple: it.multiple != 0, refused: false)
    case AMQP_BASIC_NACK_METHOD:
      let it = read(amqp_basic_nack_t.self)
      return .settled(tag: it.delivery_tag, multiple: it.multiple != 0, refused: true)
    case AMQP_BASIC_CANCEL_METHOD:
      return .consumerCancelled(tag: unsafe Self.string(read(amqp_basic_cancel_t.self).consumer_tag))
    case AMQP_CONNECTION_BLOCKED_METHOD:
      return .blocked(reason: unsafe Self.string(read(amqp_connection_blocked_t.self).reason))
    case AMQP_CONNECTION_UNBLOCKED_METHOD: return .unblocked
    case AMQP_CHANNEL_CLOSE_METHOD:
      let it = unsafe read(amqp_channel_close_t.self)
      return unsafe .channelClosed(code: Int(it.reply_code), text: Self.string(it.reply_text))
    case AMQP_CONNECTION_CLOSE_METHOD:
      let it = unsafe read(amqp_connection_close_t.self)
      return unsafe .connectionClosed(code: Int(it.reply_code), text: Self.string(it.reply_text))
    default: return try unsafe answer(method).map { .answer($0) }
    }
    return nil
  }

  // The same from message to message.

  private func exchange(_ bytes: amqp_bytes_t) -> String {
    // SAFETY: as in string(_:like:).
    lastExchange = unsafe Self.string(bytes, like: lastExchange)
    return lastExchange
  }

  private func routingKey(_ bytes: amqp_bytes_t) -> String {
    // SAFETY: as in string(_:like:).
    lastRoutingKey = unsafe Self.string(bytes, like: lastRoutingKey)
    return lastRoutingKey
  }

  private func answer(_ method: amqp_method_t) throws(AMQPFailure) -> Answer? {
    // SAFETY: as in method(_:), which has checked `decoded`.
    guard let decoded = unsafe method.decoded else { return nil }
    func read<T>(_ type: T.Type) -> T { unsafe decoded.assumingMemoryBound(to: type).pointee }
    switch unsafe method.id {
    case AMQP_EXCHANGE_DECLARE_OK_METHOD: return .exchangeDeclared
    case AMQP_EXCHANGE_DELETE_OK_METHOD: return .exchangeDeleted
    case AMQP_QUEUE_DECLARE_OK_METHOD:
      let it = unsafe read(amqp_queue_declare_ok_t.self)
      return unsafe .queueDeclared(
        AMQPQueueState(messages: Int(it.message_count), consumers: Int(it.consumer_count)))
    case AMQP_QUEUE_BIND_OK_METHOD: return .queueBound
    case AMQP_QUEUE_PURGE_OK_METHOD: return .queuePurged(Int(read(amqp_queue_purge_ok_t.self).message_count))
    case AMQP_QUEUE_DELETE_OK_METHOD: return .queueDeleted(Int(read(amqp_queue_delete_ok_t.self).message_count))
    case AMQP_CONFIRM_SELECT_OK_METHOD: return .confirmsSelected
    case AMQP_BASIC_QOS_OK_METHOD: return .prefetchLimited
    case AMQP_BASIC_CONSUME_OK_METHOD:
      return .consuming(tag: unsafe Self.string(read(amqp_basic_consume_ok_t.self).consumer_tag))
    case AMQP_BASIC_CANCEL_OK_METHOD: return .consumerCancelled
    case AMQP_BASIC_GET_EMPTY_METHOD: return .message(nil)
    case AMQP_CHANNEL_CLOSE_OK_METHOD: return .channelClosed
    case AMQP_CONNECTION_CLOSE_OK_METHOD: return .connectionClosed
    default: throw .connectionLost("the broker sent a method that was not asked for: \(unsafe method.id)")
    }
  }

  private func header(_ frame: amqp_frame_t) throws(AMQPFailure) -> WireEvent? {
    // SAFETY: the frame is a header frame of class basic, so `decoded` points to basic properties.
    let header = unsafe frame.payload.properties
    guard content != nil, content?.missing == nil, unsafe header.class_id == UInt16(AMQP_BASIC_CLASS),
      let decoded = unsafe header.decoded
    else { throw .connectionLost("the broker sent a message header out of place") }
    let properties = unsafe Self.properties(
      decoded.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee, like: lastProperties)
    lastProperties = properties
    content?.properties = properties
    let size = unsafe header.body_size
    content?.missing = size
    if size > UInt64(options.maxMessageBytes) {
      content?.isTruncated = true
    } else if size > UInt64(frameMax) {
      content?.body.reserveCapacity(Int(size))
    }
    return finishedContent()
  }

  private func body(_ fragment: amqp_bytes_t) throws(AMQPFailure) -> WireEvent? {
    // SAFETY: the fragment is valid until the buffers are released; it is copied here.
    let count = unsafe UInt64(fragment.len)
    guard let missing = content?.missing, count <= missing else {
      throw .connectionLost("the broker sent a message body out of place")
    }
    content?.missing = missing - count
    if content?.isTruncated == false {
      if content?.body.isEmpty == true, count == missing {
        content?.body = unsafe Self.array(fragment)
      } else {
        unsafe content?.body.append(contentsOf: UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
      }
    }
    return finishedContent()
  }

  private func finishedContent() -> WireEvent? {
    guard content?.missing == 0 else { return nil }
    return content.take()?.event()
  }
}
