import CRabbitMQ

#if canImport(Glibc)
  import Glibc
#endif

/// One librabbitmq connection with one channel. Belongs to the thread that opened it.
///
/// The only type that holds C pointers. None of them leaves it: what comes in is copied before the library's buffers
/// are released, what goes out is copied into the library's buffer within the call.
@safe final class Wire {
  static let channel: amqp_channel_t = 1

  /// Lives from `open` to `close`; no call is made after that (`isClosed`).
  let state: amqp_connection_state_t
  /// Holds the C forms of strings and tables until the next send.
  let pool: UnsafeMutablePointer<amqp_pool_t>
  let options: AMQPOptions
  /// The message whose frames are being read.
  var content: IncomingContent?
  /// What the last message came with: texts that are the same in the next one are not made anew.
  var lastExchange = ""
  var lastRoutingKey = ""
  var lastProperties = AMQPProperties()
  /// What the tags of deliveries bear in their upper 16 bits.
  let mark: UInt64
  private(set) var frameMax: Int
  /// What publishes and acknowledgements are gathered in; nil with TLS, whose socket takes bytes from the library alone.
  private(set) var frames: OutgoingFrames?
  private var isClosed = false

  /// Connects, logs in and opens the channel. Blocks, bounded by the options' timeouts.
  /// - Parameter mark: put into the tags of deliveries.
  init(_ options: AMQPOptions, mark: UInt64) throws(AMQPFailure) {
    self.mark = mark
    // SAFETY: the state is checked for nil and freed by close() or below; the pool is allocated and initialised here.
    guard let state = unsafe amqp_new_connection() else { throw .unreachable("out of memory") }
    unsafe self.state = unsafe state
    unsafe pool = UnsafeMutablePointer<amqp_pool_t>.allocate(capacity: 1)
    unsafe init_amqp_pool(pool, 16_384)
    self.options = options
    frameMax = options.frameMax
    do {
      try connect()
      try logIn()
      try openChannel()
    } catch {
      close()
      throw error
    }
  }

  deinit {
    close()
  }

  /// Ends the connection without a word to the broker and frees everything.
  func close() {
    if isClosed { return }
    isClosed = true
    // SAFETY: the first call only comes this far, and no other method is called after it.
    unsafe amqp_destroy_connection(state)
    unsafe empty_amqp_pool(pool)
    unsafe pool.deallocate()
  }

  /// The socket, for poll. It stays the library's.
  var descriptor: Int32 {
    // SAFETY: the state is alive.
    unsafe amqp_get_sockfd(state)
  }

  /// Whether frames can be had without reading from the socket, which poll does not know of.
  var hasBuffered: Bool {
    // SAFETY: the state is alive.
    unsafe amqp_frames_enqueued(state) != 0 || amqp_data_in_buffer(state) != 0
  }

  /// Seconds between heartbeats as agreed with the broker; 0 for none.
  var heartbeatSeconds: Int {
    // SAFETY: the state is alive.
    Int(unsafe amqp_get_heartbeat(state))
  }

  static func lost(_ status: Int32) -> AMQPFailure {
    .connectionLost(text(of: status))
  }

  static func text(of status: Int32) -> String {
    // SAFETY: the library returns a static NUL-terminated string for every status.
    guard let text = unsafe amqp_error_string2(status) else { return "status \(status)" }
    return unsafe String(cString: text)
  }

  private func connect() throws(AMQPFailure) {
    let address = options.address
    // SAFETY: the socket belongs to the state; strings are copied or used within the call.
    let socket = unsafe address.usesTLS ? amqp_ssl_socket_new(state) : amqp_tcp_socket_new(state)
    guard let socket = unsafe socket else { throw .unreachable("out of memory") }
    if address.usesTLS {
      unsafe amqp_ssl_socket_set_verify_peer(socket, 1)
      // OpenSSL does (ferry_amqp_expect).
      unsafe amqp_ssl_socket_set_verify_hostname(socket, 0)
      let file = options.certificateAuthorityFile ?? "/etc/ssl/certs/ca-certificates.crt"
      guard unsafe amqp_ssl_socket_set_cacert(socket, file) == 0 else {
        throw .unreachable("the certificate authorities in \(file) cannot be read")
      }
      guard unsafe amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST) == 0 else {
        throw .unreachable("TLS 1.2 is not to be had")
      }
      return try unsafe openVerified(socket)
    }
    let status = unsafe openSocket(socket)
    if status != 0 { throw .unreachable(Self.text(of: status)) }
  }

  private func openSocket(_ socket: OpaquePointer) -> Int32 {
    // SAFETY: the socket belongs to the state; the host is used within the call.
    var limit = ferry_amqp_seconds(options.connectTimeoutSeconds)
    return unsafe amqp_socket_open_noblock(socket, options.address.host, Int32(options.address.port), &limit)
  }

  private func openVerified(_ socket: OpaquePointer) throws(AMQPFailure) {
    // SAFETY: the context points to `found` until it is told to forget it, before that is freed.
    let found = UnsafeMutablePointer<ferry_amqp_found>.allocate(capacity: 1)
    unsafe found.initialize(to: ferry_amqp_found())
    defer { unsafe found.deallocate() }
    guard unsafe ferry_amqp_expect(socket, options.address.host, found) == 0 else {
      throw .unreachable("the broker's name cannot be held against a certificate")
    }
    let status = unsafe openSocket(socket)
    unsafe ferry_amqp_forget(socket)
    if status == 0 {
      let end = unsafe Int64(found.pointee.end)
      if end > 0 { options.onCertificate?(end) }
      return
    }
    if let refusal = unsafe ferry_amqp_refusal(unsafe found.pointee.why) {
      throw .unreachable("its certificate is refused: \(unsafe String(cString: refusal))")
    }
    let detail = unsafe ferry_amqp_tls_error().map { unsafe ": \(String(cString: $0))" }
    throw .unreachable(Self.text(of: status) + (detail ?? ""))
  }

  private func logIn() throws(AMQPFailure) {
    // SAFETY: the library copies the timeouts; properties live in the pool until the next send.
    var handshake = ferry_amqp_seconds(options.connectTimeoutSeconds)
    unsafe amqp_set_handshake_timeout(state, &handshake)
    var answer = ferry_amqp_seconds(options.rpcTimeoutSeconds)
    unsafe amqp_set_rpc_timeout(state, &answer)
    var properties = unsafe table([
      AMQPHeader("connection_name", .string(options.connectionName)),
      AMQPHeader(
        "capabilities",
        .table([
          AMQPHeader("publisher_confirms", .bool(true)), AMQPHeader("consumer_cancel_notify", .bool(true)),
          AMQPHeader("connection.blocked", .bool(true)), AMQPHeader("basic.nack", .bool(true)),
        ])),
    ])
    let address = options.address
    let reply = unsafe ferry_amqp_login_plain(
      state, address.virtualHost, Int32(options.frameMax), Int32(options.heartbeatSeconds), &properties, address.user,
      address.password)
    unsafe recycle_amqp_pool(pool)
    try unsafe check(reply, "login")
    frameMax = min(options.frameMax, Int(unsafe amqp_get_frame_max(state)))
    if !address.usesTLS { frames = OutgoingFrames(channel: Self.channel, frameMax: frameMax) }
  }

  private func openChannel() throws(AMQPFailure) {
    // SAFETY: the state is alive; the reply is read before the buffers are released.
    _ = unsafe amqp_channel_open(state, Self.channel)
    try unsafe check(amqp_get_rpc_reply(state), "channel.open")
    unsafe amqp_maybe_release_buffers(state)
  }

  private func check(_ reply: amqp_rpc_reply_t, _ step: String) throws(AMQPFailure) {
    // SAFETY: `decoded` points to the method that `id` names, in the library's pool, which is not released yet.
    switch unsafe reply.reply_type {
    case AMQP_RESPONSE_NORMAL: return
    case AMQP_RESPONSE_SERVER_EXCEPTION:
      guard unsafe reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD, let decoded = unsafe reply.reply.decoded else {
        throw .unreachable("the broker broke off at \(step)")
      }
      let close = unsafe decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
      throw .loginRefused(code: Int(unsafe close.reply_code), text: unsafe Self.string(close.reply_text))
    default:
      throw .unreachable("\(step): \(Self.text(of: unsafe reply.library_error))")
    }
  }
}
