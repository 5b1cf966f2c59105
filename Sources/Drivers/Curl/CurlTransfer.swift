internal import CCurl

#if canImport(Glibc)
  import Glibc
#endif

/// One easy handle with its buffers, used for one request after another. Lives on the driver thread only.
// SAFETY of @safe, and of every call with `easy`: the handle and errorText are made in init, freed in deinit and used by
// the driver thread only; what else a call needs is said beside it.
@safe final class CurlTransfer {
  /// A body larger than this is handed over instead of copied, and its buffer not kept.
  private static let keptCapacity = 256 << 10
  /// Header lines of one answer, in bytes; libcurl itself bounds only the single line.
  private static let maxHeaderBytes = 256 << 10
  private static let nothing = HTTPRequest(.get, "")

  /// Options that most requests share with the one before.
  private struct Told {
    var url: String
    var headers: [HTTPHeader]
    var timeoutMilliseconds: Int
    var method: HTTPRequest.Method
    var bodyCount: Int
  }

  /// libcurl's handle.
  let easy: UnsafeMutableRawPointer
  private let errorText: UnsafeMutablePointer<CChar>
  private let maxBytes: Int
  private var headerList: UnsafeMutablePointer<curl_slist>?
  /// What libcurl was told for the last request, and keeps; nil: nothing yet.
  private var told: Told?
  private var received: [UInt8] = []
  private var headerBytes = 0
  private var headersEnded = false
  private var mayHaveRetryAfter = false
  private var isTooLarge = false
  private var sentBytes = 0
  private var starts = 0
  private(set) var request = CurlTransfer.nothing
  private(set) var batch: CurlBatch?
  private(set) var index = 0
  /// Where it stands among the engine's running transfers.
  var place = 0
  /// When its request left the queue.
  var started = ContinuousClock.now

  /// Whether libcurl had a connection ready and began to send; until then nothing of the request is on the wire.
  var mayHaveBeenSent: Bool { starts > 0 }

  init?(_ options: CurlOptions) {
    guard let easy = unsafe curl_easy_init() else { return nil }
    unsafe self.easy = unsafe easy
    unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    maxBytes = options.maxResponseBytes
    received.reserveCapacity(4096)
    guard setUp(options), setUpCallbacks(options) else { return nil }
  }

  deinit {
    // SAFETY: the handle is in no multi handle any more; it is cleaned up before what it points to.
    unsafe curl_easy_cleanup(easy)
    unsafe curl_slist_free_all(headerList)
    unsafe errorText.deallocate()
  }

  /// The transfer whose handle this is. It is held by the engine, so it is alive.
  static func owner(of easy: UnsafeMutableRawPointer?) -> CurlTransfer? {
    guard let easy = unsafe easy else { return nil }
    var raw: UnsafeMutablePointer<CChar>?
    // SAFETY: CURLINFO_PRIVATE gives back the pointer set in setUpCallbacks().
    _ = unsafe ferry_curl_get_string(easy, CURLINFO_PRIVATE, &raw)
    return unsafe raw.map { unsafe Unmanaged<CurlTransfer>.fromOpaque($0).takeUnretainedValue() }
  }

  // MARK: Set-up

  private func set(_ option: CURLoption, _ value: Int) -> Bool {
    // SAFETY: the option takes a long.
    unsafe ferry_curl_set_long(easy, option, value) == CURLE_OK
  }

  private func set(_ option: CURLoption, _ value: String) -> Bool {
    // SAFETY: the option takes a string, which libcurl copies.
    unsafe ferry_curl_set_string(easy, option, value) == CURLE_OK
  }

  /// The options that are the same for every request. QUICK_EXIT: a request that ends while its name is still being
  /// resolved must not hold up the thread, and with it all others, until the resolver answers.
  private func setUp(_ options: CurlOptions) -> Bool {
    let protocols = options.allowsPlainHTTP ? "http,https" : "https"
    let ok =
      set(CURLOPT_NOSIGNAL, 1) && set(CURLOPT_QUICK_EXIT, 1) && set(CURLOPT_PROTOCOLS_STR, protocols)
      && set(CURLOPT_FOLLOWLOCATION, 0)
      && set(CURLOPT_REDIR_PROTOCOLS_STR, protocols) && set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
      && set(CURLOPT_HTTP09_ALLOWED, 0) && set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
      && set(CURLOPT_PROXY, "") && set(CURLOPT_NOPROXY, "*") && set(CURLOPT_ACCEPT_ENCODING, "gzip")
      && set(CURLOPT_SSL_VERIFYPEER, 1) && set(CURLOPT_SSL_VERIFYHOST, 2)
      && set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
      && set(CURLOPT_CONNECTTIMEOUT_MS, options.connectTimeoutMilliseconds)
      && set(CURLOPT_MAXAGE_CONN, options.idleConnectionSeconds)
      && set(CURLOPT_MAXLIFETIME_CONN, options.maxConnectionLifetimeSeconds)
      && set(CURLOPT_TCP_KEEPALIVE, 1) && set(CURLOPT_USERAGENT, options.userAgent)
      && set(CURLOPT_LOW_SPEED_LIMIT, options.lowSpeedSeconds > 0 ? 1 : 0)
      && set(CURLOPT_LOW_SPEED_TIME, options.lowSpeedSeconds)
    guard ok, let file = options.certificateAuthorityFile else { return ok }
    return set(CURLOPT_CAINFO, file)
  }

  private func setUpCallbacks(_ options: CurlOptions) -> Bool {
    let me = unsafe Unmanaged.passUnretained(self).toOpaque()
    // SAFETY: the callbacks run only inside curl_multi_socket_action and curl_multi_remove_handle on the driver thread, while
    // the engine holds this object; errorText lives until after curl_easy_cleanup.
    let pointers = [
      CURLOPT_PRIVATE, CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_READDATA, CURLOPT_SEEKDATA, CURLOPT_PREREQDATA,
      CURLOPT_SOCKOPTDATA,
    ].allSatisfy { unsafe ferry_curl_set_pointer(easy, $0, me) == CURLE_OK }
    return unsafe pointers && ferry_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText) == CURLE_OK
      && ferry_curl_set_write(easy, CURLOPT_WRITEFUNCTION, receiveBody) == CURLE_OK
      && ferry_curl_set_write(easy, CURLOPT_HEADERFUNCTION, receiveHeader) == CURLE_OK
      && ferry_curl_set_read(easy, giveBody) == CURLE_OK && ferry_curl_set_seek(easy, rewindBody) == CURLE_OK
      && ferry_curl_set_prereq(easy, beforeSending) == CURLE_OK
      && (!options.joinsHeadersAndBody || ferry_curl_set_sockopt(easy, afterSocket) == CURLE_OK)
  }

  // MARK: One request

  /// Sets the handle up for a request.
  func prepare(_ request: HTTPRequest, _ batch: CurlBatch, _ index: Int) -> CURLcode {
    self.request = request
    self.batch = batch
    self.index = index
    sentBytes = 0
    starts = 0
    headerBytes = 0
    headersEnded = false
    mayHaveRetryAfter = false
    isTooLarge = false
    unsafe errorText.pointee = 0
    let told = told
    // Until all is told nothing is taken for known.
    self.told = nil
    guard told?.headers == request.headers || listHeaders(request) else { return CURLE_OUT_OF_MEMORY }
    guard told?.url == request.url || set(CURLOPT_URL, request.url),
      told?.timeoutMilliseconds == request.timeoutMilliseconds || set(CURLOPT_TIMEOUT_MS, request.timeoutMilliseconds),
      told?.method == request.method && told?.bodyCount == request.body.count || setMethod(request)
    else { return CURLE_BAD_FUNCTION_ARGUMENT }
    self.told = Told(
      url: request.url, headers: request.headers, timeoutMilliseconds: request.timeoutMilliseconds,
      method: request.method, bodyCount: request.body.count)
    return CURLE_OK
  }

  private func setMethod(_ request: HTTPRequest) -> Bool {
    let hasBody = request.method == .post || request.method == .put || !request.body.isEmpty
    // SAFETY: a null string takes back an earlier custom method; the offset option takes a curl_off_t.
    return unsafe set(hasBody ? CURLOPT_POST : CURLOPT_HTTPGET, 1)
      && ferry_curl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count)) == CURLE_OK
      && (request.method == .post || request.method == .get
        ? ferry_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, nil) == CURLE_OK
        : set(CURLOPT_CUSTOMREQUEST, request.method.rawValue))
  }

  /// Builds libcurl's header list.
  private func listHeaders(_ request: HTTPRequest) -> Bool {
    var list: UnsafeMutablePointer<curl_slist>?
    // "Expect:" and "Content-Type:" without a value keep libcurl from adding its own.
    var lines = ["Expect:"]
    if !request.headers.contains(where: { $0.name.lowercased() == "content-type" }) { lines.append("Content-Type:") }
    for header in request.headers {
      // libcurl's way to write a header with an empty value is a semicolon.
      let isEmpty = header.value.utf8.allSatisfy { $0 == 32 || $0 == 9 }
      lines.append(isEmpty ? "\(header.name);" : "\(header.name): \(header.value)")
    }
    for line in lines {
      // SAFETY: the line is copied; on failure the list so far stays ours.
      guard let longer = unsafe curl_slist_append(list, line) else {
        unsafe curl_slist_free_all(list)
        return false
      }
      unsafe list = longer
    }
    // SAFETY: libcurl points to the list, so the old one is freed only after the new one is set.
    let code = unsafe ferry_curl_set_pointer(easy, CURLOPT_HTTPHEADER, list)
    unsafe curl_slist_free_all(headerList)
    unsafe headerList = unsafe list
    return code == CURLE_OK
  }

  /// Forgets the request; keeps buffers of ordinary size.
  func clear() {
    request = CurlTransfer.nothing
    batch = nil
    if received.capacity > CurlTransfer.keptCapacity {
      received = []
    } else {
      received.removeAll(keepingCapacity: true)
    }
  }

  // MARK: The outcome

  /// How the request ended. To be asked once, before `clear`.
  func outcome(_ code: CURLcode) -> HTTPOutcome {
    guard code == CURLE_OK else {
      let reason = failed(code)
      return mayHaveBeenSent ? .uncertain(reason) : .notSent(reason)
    }
    guard headersEnded else {
      return .uncertain(failure(request, .dropped, "the answer ended within its headers"))
    }
    var status = 0
    // SAFETY: the out-parameter outlives the call.
    _ = unsafe ferry_curl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
    var response = HTTPResponse(status: status)
    if mayHaveRetryAfter { response.retryAfterSeconds = retryAfter() }
    if received.count > CurlTransfer.keptCapacity {
      swap(&response.body, &received)
    } else {
      response.body = Array(received[...])
    }
    return .response(response)
  }

  private func header(_ name: String) -> String? {
    var header: UnsafeMutablePointer<curl_header>?
    // SAFETY: the header belongs to the handle until the next transfer and is copied here. -1: the last answer.
    guard unsafe curl_easy_header(easy, name, 0, UInt32(CURLH_HEADER), -1, &header) == CURLHE_OK,
      let value = unsafe header?.pointee.value
    else { return nil }
    return unsafe String(cString: value)
  }

  /// A date is taken from the answer's own, and only without one from this machine's clock: the two may differ by hours.
  private func retryAfter() -> Int? {
    guard let value = header("Retry-After") else { return nil }
    return retryAfterSeconds(value) { text in
      // SAFETY: it takes nothing but the text.
      let then = unsafe curl_getdate(text, nil)
      if then < 0 { return nil }
      // SAFETY: as above.
      let now = header("Date").map { unsafe curl_getdate($0, nil) } ?? -1
      return then - (now < 0 ? time(nil) : now)
    }
  }

  private func failed(_ code: CURLcode) -> HTTPFailure {
    let number = Int(code.rawValue)
    if isTooLarge { return failure(request, .tooLarge, "the answer is larger than allowed", code: number) }
    // libcurl's own words name hosts and files, which is what a connection problem needs. Once the request is under
    // way only the code's fixed text is used: it cannot hold anything of the request or the answer.
    // SAFETY: errorText is NUL-terminated by libcurl; curl_easy_strerror gives a static string.
    let detail = unsafe mayHaveBeenSent ? "" : String(cString: errorText)
    let text = detail.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : detail
    return failure(request, kind(code), text, code: number)
  }

  private func kind(_ code: CURLcode) -> HTTPFailure.Kind {
    switch code {
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolve
    case CURLE_COULDNT_CONNECT: .connect
    case CURLE_OPERATION_TIMEDOUT: .timeout
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED,
      CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
      CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT:
      .tls
    case CURLE_URL_MALFORMAT, CURLE_BAD_FUNCTION_ARGUMENT: .invalid
    case CURLE_UNSUPPORTED_PROTOCOL where !mayHaveBeenSent: .invalid
    case CURLE_FILESIZE_EXCEEDED: .tooLarge
    default: mayHaveBeenSent ? .dropped : .connect
    }
  }

  // MARK: What the callbacks do

  fileprivate func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count <= maxBytes - received.count else {
      isTooLarge = true
      return false
    }
    unsafe received.append(contentsOf: bytes)
    return true
  }

  fileprivate func takeHeader(_ line: UnsafeRawBufferPointer) -> Bool {
    // libcurl takes an answer that ends in the middle of its headers for a good one; so their end is looked for here.
    // Informational answers come before the real one, each with its own end.
    switch unsafe line.first {
    case UInt8(ascii: "H") where unsafe line.starts(with: "HTTP/".utf8): headersEnded = false
    case 13, 10: headersEnded = true
    case UInt8(ascii: "R"), UInt8(ascii: "r"): mayHaveRetryAfter = true
    default: break
    }
    headerBytes += line.count
    if headerBytes > CurlTransfer.maxHeaderBytes { isTooLarge = true }
    return !isTooLarge
  }

  fileprivate func give(_ room: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(room.count, request.body.count - sentBytes)
    unsafe room.copyBytes(from: request.body[sentBytes..<sentBytes + count])
    sentBytes += count
    return count
  }

  fileprivate func rewind(to offset: Int) -> Bool {
    guard request.repeatable, 0...request.body.count ~= offset else { return false }
    sentBytes = offset
    return true
  }

  /// Has a socket hold back what would fill no segment; `SocketWatch` pushes it.
  fileprivate func cork(_ socket: Int32) {
    if isPlainHTTP(request.url) { switchOn(TCP_CORK, of: socket) }
  }

  /// Called each time libcurl is about to send the request; false forbids it.
  fileprivate func maySend() -> Bool {
    starts += 1
    return starts == 1 || request.repeatable
  }
}

// The C callbacks. SAFETY, for all of them: libcurl gives back the pointer from setUpCallbacks() and a buffer of
// size * count bytes that is valid during the call; the transfer is held by the engine.

private func transfer(_ raw: UnsafeMutableRawPointer?) -> CurlTransfer? {
  // SAFETY: see above.
  unsafe raw.map { unsafe Unmanaged<CurlTransfer>.fromOpaque($0).takeUnretainedValue() }
}

private let receiveBody: curl_write_callback = { bytes, size, count, me in
  // SAFETY: see above.
  guard let bytes = unsafe bytes, let transfer = unsafe transfer(me) else { return 0 }
  return unsafe transfer.take(UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
}

private let receiveHeader: curl_write_callback = { bytes, size, count, me in
  // SAFETY: see above.
  guard let bytes = unsafe bytes, let transfer = unsafe transfer(me) else { return 0 }
  return unsafe transfer.takeHeader(UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
}

private let giveBody: curl_read_callback = { room, size, count, me in
  // SAFETY: see above.
  guard let room = unsafe room, let transfer = unsafe transfer(me) else { return Int(CURL_READFUNC_ABORT) }
  return unsafe transfer.give(UnsafeMutableRawBufferPointer(start: room, count: size * count))
}

/// libcurl 7.88 sends a POST again by itself when a reused connection is closed without an answer. To do so it must
/// rewind the body; this refusal is the first of two locks against it.
private let rewindBody: curl_seek_callback = { me, offset, origin in
  // SAFETY: see above.
  guard origin == SEEK_SET, unsafe transfer(me)?.rewind(to: Int(offset)) == true else { return CURL_SEEKFUNC_FAIL }
  return CURL_SEEKFUNC_OK
}

/// The second lock, for requests without a body, or whose body was not yet touched: no second sending is begun.
private let beforeSending: curl_prereq_callback = { me, _, _, _, _ in
  // SAFETY: see above.
  unsafe transfer(me)?.maySend() == true ? Int32(CURL_PREREQFUNC_OK) : Int32(CURL_PREREQFUNC_ABORT)
}

/// Called with each new socket, before it connects.
private let afterSocket: curl_sockopt_callback = { me, socket, _ in
  // SAFETY: see above.
  unsafe transfer(me)?.cork(socket)
  return Int32(CURL_SOCKOPT_OK)
}
