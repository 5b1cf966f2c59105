internal import CCurl

/// libcurl's multi handle: it makes connections, told by its sockets and its clock when to go on. Lives on the driver
/// thread only.
// SAFETY of @safe, and of every call with `handle`: made in init, freed in deinit, used by the driver thread only.
@safe final class CurlMulti {
  let handle: UnsafeMutableRawPointer
  private let watch: SocketWatch
  /// When libcurl wants to be called though nothing is ready; nil: never.
  private(set) var dueAt: ContinuousClock.Instant?

  /// Nil: out of memory or descriptors.
  init?(_ watch: SocketWatch) {
    guard let handle = unsafe curl_multi_init() else { return nil }
    unsafe self.handle = unsafe handle
    self.watch = watch
    let me = unsafe Unmanaged.passUnretained(self).toOpaque()
    // SAFETY: the callbacks run inside calls with the handle, on the driver thread; deinit takes them back first.
    _ = unsafe ferry_curl_multi_watch_sockets(handle, tellSocket, me)
    _ = unsafe ferry_curl_multi_watch_time(handle, tellTime, me)
    // A connection is taken over or closed; what another request were to find of it would not be usable.
    _ = unsafe ferry_curl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, 4096)
    _ = unsafe ferry_curl_multi_set_long(handle, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
  }

  deinit {
    _ = unsafe ferry_curl_multi_watch_sockets(handle, nil, nil)
    _ = unsafe ferry_curl_multi_watch_time(handle, nil, nil)
    // SAFETY: no easy handle is left inside: each dial holds its multi handle.
    _ = unsafe curl_multi_cleanup(handle)
  }

  /// Lets libcurl go on with a socket.
  /// - Parameter bits: what it is ready for; an error alone is told as nothing.
  func act(_ socket: curl_socket_t, _ bits: Int32) {
    var active: Int32 = 0
    // SAFETY: the counter outlives the call.
    _ = unsafe curl_multi_socket_action(handle, socket, bits, &active)
  }

  /// Lets libcurl go on if its time has come; it says anew then when it wants to be called again.
  func actIfDue() {
    guard let dueAt, dueAt <= .now else { return }
    self.dueAt = nil
    act(CURL_SOCKET_TIMEOUT, 0)
  }

  fileprivate func note(_ socket: Int32, _ what: Int32) {
    if what == CURL_POLL_REMOVE { watch.forget(socket) } else { watch.want(socket, what, self) }
  }

  fileprivate func noteTime(_ milliseconds: Int) {
    dueAt = milliseconds < 0 ? nil : .now + .milliseconds(milliseconds)
  }
}

// The C callbacks. SAFETY, for both: libcurl gives back the pointer from CurlMulti.init, which is alive: whoever calls
// holds it.

private let tellSocket: curl_socket_callback = { _, socket, what, me, _ in
  // SAFETY: see above.
  if let me = unsafe me { unsafe Unmanaged<CurlMulti>.fromOpaque(me).takeUnretainedValue().note(socket, what) }
  return 0
}

private let tellTime: curl_multi_timer_callback = { _, milliseconds, me in
  // SAFETY: see above.
  if let me = unsafe me { unsafe Unmanaged<CurlMulti>.fromOpaque(me).takeUnretainedValue().noteTime(milliseconds) }
  return 0
}
