internal import CCurl

/// One easy handle, which makes one connection after another, and carries what goes over the one that it made with TLS.
/// Lives on the driver thread only.
// SAFETY of @safe, and of every call with `easy`: the handle and errorText are made in init, freed in deinit and used
// by the driver thread only; what else a call needs is said beside it.
@safe final class CurlDial {
  private let easy: UnsafeMutableRawPointer
  private let errorText: UnsafeMutablePointer<CChar>
  /// When the certificate of the last handshake ends, in seconds since 1970 UTC; 0: not known.
  private let noted: UnsafeMutablePointer<Int64>
  /// Keeps names and TLS sessions for all dials.
  private let share: CurlShare
  /// Where it is now; nil: nowhere.
  private(set) var multi: CurlMulti?
  /// Its own one, where it makes connections with TLS.
  var own: CurlMulti?
  /// Whom it connects for; nil once it is done.
  var exchange: HTTPExchange?

  init?(_ options: CurlOptions, _ share: CurlShare) {
    guard let easy = unsafe curl_easy_init() else { return nil }
    unsafe self.easy = unsafe easy
    self.share = share
    unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    unsafe noted = .allocate(capacity: 1)
    unsafe noted.initialize(to: 0)
    guard setUp(options) else { return nil }
  }

  deinit {
    end()
    // SAFETY: the handle is in no multi handle any more; it is cleaned up before what it points to.
    unsafe curl_easy_cleanup(easy)
    own = nil
    unsafe errorText.deallocate()
    unsafe noted.deallocate()
  }

  /// The dial whose handle this is. It is held by the dialer, so it is alive.
  static func owner(of easy: UnsafeMutableRawPointer?) -> CurlDial? {
    guard let easy = unsafe easy else { return nil }
    var raw: UnsafeMutablePointer<CChar>?
    // SAFETY: CURLINFO_PRIVATE gives back the pointer set in setUp().
    _ = unsafe ferry_curl_get_string(easy, CURLINFO_PRIVATE, &raw)
    return unsafe raw.map { unsafe Unmanaged<CurlDial>.fromOpaque($0).takeUnretainedValue() }
  }

  private func set(_ option: CURLoption, _ value: Int) -> Bool {
    // SAFETY: the option takes a long.
    unsafe ferry_curl_set_long(easy, option, value) == CURLE_OK
  }

  private func set(_ option: CURLoption, _ value: String) -> Bool {
    // SAFETY: the option takes a string, which libcurl copies.
    unsafe ferry_curl_set_string(easy, option, value) == CURLE_OK
  }

  /// The options, which are the same for every connection. QUICK_EXIT: a request that ends while its name is still
  /// being resolved must not hold up the thread, and with it all others, until the resolver answers.
  private func setUp(_ options: CurlOptions) -> Bool {
    let protocols = options.allowsPlainHTTP ? "http,https" : "https"
    let me = unsafe Unmanaged.passUnretained(self).toOpaque()
    // SAFETY: the pointers are used while the handle is, which this object frees; errorText lives until after that.
    let ok =
      unsafe set(CURLOPT_CONNECT_ONLY, 1) && set(CURLOPT_NOSIGNAL, 1) && set(CURLOPT_QUICK_EXIT, 1)
      && set(CURLOPT_PROTOCOLS_STR, protocols) && set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
      && set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue)) && set(CURLOPT_PROXY, "") && set(CURLOPT_NOPROXY, "*")
      && set(CURLOPT_SSL_VERIFYPEER, 1) && set(CURLOPT_SSL_VERIFYHOST, 2)
      && set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
      && set(CURLOPT_CONNECTTIMEOUT_MS, options.connectTimeoutMilliseconds)
      && set(CURLOPT_TCP_KEEPALIVE, 1) && set(CURLOPT_TCP_NODELAY, 1)
      && ferry_curl_set_pointer(easy, CURLOPT_SHARE, share.handle) == CURLE_OK
      && ferry_curl_set_pointer(easy, CURLOPT_PRIVATE, me) == CURLE_OK
      && ferry_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText) == CURLE_OK
      && (options.onCertificate == nil || ferry_curl_note_certificates(easy, noted) == CURLE_OK)
    guard ok, let file = options.certificateAuthorityFile else { return ok }
    return set(CURLOPT_CAINFO, file)
  }

  // MARK: Connecting

  /// Begins to connect.
  func begin(_ origin: String, _ multi: CurlMulti, for exchange: HTTPExchange) -> CURLcode {
    unsafe errorText.pointee = 0
    unsafe noted.pointee = 0
    guard set(CURLOPT_URL, origin) else { return CURLE_OUT_OF_MEMORY }
    // SAFETY: both handles are alive and belong to this thread; the easy handle is taken out in end().
    guard unsafe curl_multi_add_handle(multi.handle, easy) == CURLM_OK else { return CURLE_FAILED_INIT }
    self.multi = multi
    self.exchange = exchange
    return CURLE_OK
  }

  /// The socket of the connection that was made; it stays libcurl's. Below 0: there is none.
  var socket: Int32 {
    var socket: curl_socket_t = -1
    // SAFETY: the out-parameter outlives the call.
    return unsafe ferry_curl_get_socket(easy, &socket) == CURLE_OK ? socket : -1
  }

  /// When the certificate that was shown over the connection that was made ends, in seconds since 1970 UTC; nil in the clear, and
  /// where it is not known.
  var certificateEnd: Int64? { unsafe noted.pointee > 0 ? noted.pointee : nil }

  /// Leaves the multi handle; libcurl closes the connection.
  func end() {
    exchange = nil
    guard let multi else { return }
    // SAFETY: it was added in begin().
    _ = unsafe curl_multi_remove_handle(multi.handle, easy)
    self.multi = nil
  }

  /// Why there is no connection. To be asked before `end`.
  func failed(_ request: HTTPRequest, _ code: CURLcode) -> HTTPFailure {
    // libcurl's own words name hosts and files, which is what a connection problem needs; it knows nothing of the
    // request. SAFETY: errorText is NUL-terminated by libcurl; curl_easy_strerror gives a static string.
    let detail = unsafe String(cString: errorText)
    let text = detail.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : detail
    return failure(request, Self.kind(code), text, code: Int(code.rawValue))
  }

  private static func kind(_ code: CURLcode) -> HTTPFailure.Kind {
    switch code {
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolve
    case CURLE_OPERATION_TIMEDOUT: .timeout
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED,
      CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
      CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT:
      .tls
    case CURLE_URL_MALFORMAT, CURLE_BAD_FUNCTION_ARGUMENT, CURLE_UNSUPPORTED_PROTOCOL: .invalid
    default: .connect
    }
  }

  // MARK: What goes over it

  /// Sends some bytes. After `.blocked` the same ones are to be given again, at the same place: OpenSSL has begun a
  /// record of them.
  func send(_ bytes: UnsafeRawBufferPointer) -> LineStep {
    var sent = 0
    // SAFETY: the bytes and the out-parameter outlive the call.
    let code = unsafe curl_easy_send(easy, bytes.baseAddress, bytes.count, &sent)
    return code == CURLE_OK && sent > 0 ? .moved(sent) : code == CURLE_AGAIN ? .blocked : .broken
  }

  /// Receives some bytes.
  func receive(_ room: UnsafeMutableRawBufferPointer) -> LineStep {
    var count = 0
    // SAFETY: the room and the out-parameter outlive the call.
    switch unsafe curl_easy_recv(easy, room.baseAddress, room.count, &count) {
    case CURLE_OK: return count > 0 ? .moved(count) : .ended
    case CURLE_AGAIN: return .blocked
    default: return .broken
    }
  }
}

/// What libcurl's handles have in common: names that were resolved and TLS sessions to resume. No locks, since all are
/// on one thread.
@safe final class CurlShare {
  // SAFETY: made in init, freed in deinit, after all handles that use it: each dial holds it.
  let handle: UnsafeMutableRawPointer

  init?() {
    guard let handle = unsafe curl_share_init() else { return nil }
    unsafe self.handle = unsafe handle
    guard unsafe ferry_curl_share(handle, CURL_LOCK_DATA_DNS) == CURLSHE_OK,
      unsafe ferry_curl_share(handle, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK
    else { return nil }
  }

  deinit { _ = unsafe curl_share_cleanup(handle) }
}
