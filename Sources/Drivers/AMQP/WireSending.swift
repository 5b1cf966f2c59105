import CRabbitMQ

/// What goes out. Each call blocks while the socket takes no more, which the mailbox's alarm clock bounds.
extension Wire {
  /// - Throws: `invalid` when the library cannot put it into one frame (nothing was sent then), else the loss of
  ///   the connection.
  func send(_ request: Request, consumerTag: String) throws(AMQPFailure) {
    // SAFETY: strings and tables live in the pool, recycled at the end; each struct is the one its method id names.
    defer { unsafe recycle_amqp_pool(pool) }
    switch request {
    case .declareExchange(let name, let type, let durable, let autoDelete, let arguments, let passive):
      try unsafe send(
        AMQP_EXCHANGE_DECLARE_METHOD,
        amqp_exchange_declare_t(
          ticket: 0, exchange: bytes(name), type: bytes(type), passive: passive ? 1 : 0, durable: durable ? 1 : 0,
          auto_delete: autoDelete ? 1 : 0, internal: 0, nowait: 0, arguments: table(arguments)))
    case .deleteExchange(let name):
      try unsafe send(
        AMQP_EXCHANGE_DELETE_METHOD,
        amqp_exchange_delete_t(ticket: 0, exchange: bytes(name), if_unused: 0, nowait: 0))
    case .declareQueue(let name, let durable, let exclusive, let autoDelete, let arguments, let passive):
      try unsafe send(
        AMQP_QUEUE_DECLARE_METHOD,
        amqp_queue_declare_t(
          ticket: 0, queue: bytes(name), passive: passive ? 1 : 0, durable: durable ? 1 : 0,
          exclusive: exclusive ? 1 : 0, auto_delete: autoDelete ? 1 : 0, nowait: 0, arguments: table(arguments)))
    case .bindQueue(let name, let exchange, let routingKey, let arguments):
      try unsafe send(
        AMQP_QUEUE_BIND_METHOD,
        amqp_queue_bind_t(
          ticket: 0, queue: bytes(name), exchange: bytes(exchange), routing_key: bytes(routingKey), nowait: 0,
          arguments: table(arguments)))
    case .purgeQueue(let name):
      try unsafe send(AMQP_QUEUE_PURGE_METHOD, amqp_queue_purge_t(ticket: 0, queue: bytes(name), nowait: 0))
    case .deleteQueue(let name):
      try unsafe send(
        AMQP_QUEUE_DELETE_METHOD,
        amqp_queue_delete_t(ticket: 0, queue: bytes(name), if_unused: 0, if_empty: 0, nowait: 0))
    case .selectConfirms, .limitPrefetch, .consume, .cancelConsumer, .get:
      try sendChannelRequest(request, consumerTag: consumerTag)
    case .closeChannel:
      try unsafe send(
        AMQP_CHANNEL_CLOSE_METHOD,
        amqp_channel_close_t(reply_code: 200, reply_text: bytes("goodbye"), class_id: 0, method_id: 0))
    case .closeConnection:
      try unsafe send(
        AMQP_CONNECTION_CLOSE_METHOD,
        amqp_connection_close_t(reply_code: 200, reply_text: bytes("goodbye"), class_id: 0, method_id: 0), on: 0)
    }
  }

  private func sendChannelRequest(_ request: Request, consumerTag: String) throws(AMQPFailure) {
    // SAFETY: as in send(_:consumerTag:), whose part this is.
    switch request {
    case .selectConfirms: try send(AMQP_CONFIRM_SELECT_METHOD, amqp_confirm_select_t(nowait: 0))
    case .limitPrefetch(let count):
      try send(
        AMQP_BASIC_QOS_METHOD, amqp_basic_qos_t(prefetch_size: 0, prefetch_count: UInt16(count), global: 0))
    case .consume(let queue, let exclusive):
      try unsafe send(
        AMQP_BASIC_CONSUME_METHOD,
        amqp_basic_consume_t(
          ticket: 0, queue: bytes(queue), consumer_tag: bytes(""), no_local: 0, no_ack: 0,
          exclusive: exclusive ? 1 : 0, nowait: 0, arguments: table([])))
    case .cancelConsumer:
      try unsafe send(AMQP_BASIC_CANCEL_METHOD, amqp_basic_cancel_t(consumer_tag: bytes(consumerTag), nowait: 0))
    case .get(let queue):
      try unsafe send(AMQP_BASIC_GET_METHOD, amqp_basic_get_t(ticket: 0, queue: bytes(queue), no_ack: 0))
    default: break
    }
  }

  /// Gathered until ``flush()``.
  func acknowledge(_ tag: UInt64, multiple: Bool) throws(AMQPFailure) {
    if let frames { return frames.acknowledge(tag, multiple: multiple) }
    // SAFETY: the state is alive; plain numbers.
    try check(unsafe amqp_basic_ack(state, Self.channel, tag, multiple ? 1 : 0))
  }

  /// Giving back goes by basic.nack, which newer brokers do not count as a failed delivery; refusing by basic.reject.
  /// Gathered until ``flush()``.
  func reject(_ tag: UInt64, requeue: Bool) throws(AMQPFailure) {
    if let frames { return frames.reject(tag, requeue: requeue) }
    // SAFETY: the state is alive; plain numbers.
    try check(
      unsafe requeue
        ? amqp_basic_nack(state, Self.channel, tag, 0, 1) : amqp_basic_reject(state, Self.channel, tag, 0))
  }

  /// Confirms that the broker closed our channel or connection. Whether it arrives no longer matters.
  func confirmClose(ofConnection: Bool) {
    if ofConnection {
      try? send(AMQP_CONNECTION_CLOSE_OK_METHOD, amqp_connection_close_ok_t(), on: 0)
    } else {
      try? send(AMQP_CHANNEL_CLOSE_OK_METHOD, amqp_channel_close_ok_t())
    }
  }

  /// Sends one message, or gathers it with others until ``flush()``. With TLS the library sends it at once, frame by frame.
  ///
  /// Any failure is the connection's end: a part of the message may have gone out.
  func publish(_ message: AMQPMessage) throws(AMQPFailure) {
    if let frames { return try frames.publish(message, to: descriptor) }
    // SAFETY: strings and headers live in the pool, recycled at the end; the body is read within the closure only.
    defer { unsafe recycle_amqp_pool(pool) }
    var properties = unsafe cProperties(message.properties)
    let exchange = unsafe bytes(message.exchange)
    let routingKey = unsafe bytes(message.routingKey)
    let status = unsafe message.body.withUnsafeBytes { body in
      unsafe amqp_basic_publish(
        state, Self.channel, exchange, routingKey, message.mandatory ? 1 : 0, 0, &properties,
        amqp_bytes_t(len: body.count, bytes: UnsafeMutableRawPointer(mutating: body.baseAddress)))
    }
    if status != AMQP_STATUS_OK.rawValue { throw Self.lost(status) }
  }

  /// Sends what was gathered.
  func flush() throws(AMQPFailure) {
    if let frames, frames.count > 0 { try frames.flush(to: descriptor) }
  }

  private func cProperties(_ properties: AMQPProperties) -> amqp_basic_properties_t {
    // SAFETY: a zeroed struct is valid; a field is set together with its flag.
    var raw = unsafe amqp_basic_properties_t()
    var flags = AMQP_BASIC_DELIVERY_MODE_FLAG
    func set(_ text: String?, _ flag: Int32, _ field: inout amqp_bytes_t) {
      guard let text else { return }
      flags |= flag
      unsafe field = unsafe bytes(text)
    }
    unsafe raw.delivery_mode = properties.persistent ? 2 : 1
    unsafe set(properties.contentType, AMQP_BASIC_CONTENT_TYPE_FLAG, &raw.content_type)
    unsafe set(properties.messageID, AMQP_BASIC_MESSAGE_ID_FLAG, &raw.message_id)
    unsafe set(properties.correlationID, AMQP_BASIC_CORRELATION_ID_FLAG, &raw.correlation_id)
    unsafe set(properties.type, AMQP_BASIC_TYPE_FLAG, &raw.type)
    unsafe set(properties.appID, AMQP_BASIC_APP_ID_FLAG, &raw.app_id)
    unsafe set(properties.expiration, AMQP_BASIC_EXPIRATION_FLAG, &raw.expiration)
    if let timestamp = properties.timestamp {
      flags |= AMQP_BASIC_TIMESTAMP_FLAG
      unsafe raw.timestamp = timestamp
    }
    if let priority = properties.priority {
      flags |= AMQP_BASIC_PRIORITY_FLAG
      unsafe raw.priority = priority
    }
    if !properties.headers.isEmpty {
      flags |= AMQP_BASIC_HEADERS_FLAG
      unsafe raw.headers = unsafe table(properties.headers)
    }
    unsafe raw._flags = amqp_flags_t(flags)
    return unsafe raw
  }

  private func send<Method>(
    _ id: amqp_method_number_t, _ method: Method, on channel: amqp_channel_t = Wire.channel
  ) throws(AMQPFailure) {
    var method = method
    // In the order of the calls: a rejected tag must not come behind an acknowledgement that takes it in.
    try flush()
    // SAFETY: the library reads the method struct within the call.
    let status = unsafe withUnsafeMutableBytes(of: &method) {
      unsafe amqp_send_method(state, channel, id, $0.baseAddress)
    }
    try check(status)
  }

  private func check(_ status: Int32) throws(AMQPFailure) {
    if status == AMQP_STATUS_OK.rawValue { return }
    if status == AMQP_STATUS_TABLE_TOO_BIG.rawValue || status == AMQP_STATUS_BAD_AMQP_DATA.rawValue {
      throw .invalid("it does not fit into one frame")
    }
    throw Self.lost(status)
  }
}
