internal import CCurl

/// Makes connections: names, TCP, TLS and the checks of certificates are libcurl's. Lives on the driver thread only.
final class Dialer {
  /// So many handles are kept for the next connections.
  private static let mostFree = 4

  private let options: CurlOptions
  private let watch: SocketWatch
  private let share = CurlShare()
  /// Where all plain connections are made.
  private var plain: CurlMulti?
  private var free: [CurlDial] = []
  private var active: [CurlDial] = []

  init(_ options: CurlOptions, _ watch: SocketWatch) {
    self.options = options
    self.watch = watch
  }

  /// When libcurl is to be called though nothing is ready; nil: never.
  var dueAt: ContinuousClock.Instant? {
    var earliest: ContinuousClock.Instant?
    for dial in active {
      if let due = dial.multi?.dueAt { earliest = min(earliest ?? due, due) }
    }
    return earliest
  }

  /// Begins to connect for an exchange.
  /// - Returns: why that is impossible, or nil.
  func begin(_ exchange: HTTPExchange) -> HTTPFailure? {
    guard let share, let dial = free.popLast() ?? CurlDial(options, share), let multi = multi(for: exchange, dial)
    else {
      return failure(exchange.request, .invalid, "libcurl has no handle left")
    }
    let code = dial.begin(exchange.origin, multi, for: exchange)
    guard code == CURLE_OK else {
      return failure(exchange.request, .invalid, "libcurl refused the request", code: Int(code.rawValue))
    }
    exchange.dial = dial
    active.append(dial)
    return nil
  }

  private func multi(for exchange: HTTPExchange, _ dial: CurlDial) -> CurlMulti? {
    if exchange.isTLS {
      if dial.own == nil { dial.own = CurlMulti(watch) }
      return dial.own
    }
    if plain == nil { plain = CurlMulti(watch) }
    return plain
  }

  /// Gives up connecting for an exchange.
  func abandon(_ exchange: HTTPExchange) {
    guard let dial = exchange.dial else { return }
    leave(dial, exchange)
    dial.end()
  }

  private func leave(_ dial: CurlDial, _ exchange: HTTPExchange) {
    exchange.dial = nil
    if let place = active.firstIndex(where: { $0 === dial }) { active.remove(at: place) }
  }

  /// Keeps a dial whose connection has ended for the next one.
  func takeBack(_ dial: CurlDial) {
    if free.count < Self.mostFree { free.append(dial) }
  }

  /// Lets libcurl go on where its time has come.
  func goOn() {
    for dial in active { dial.multi?.actIfDue() }
  }

  /// Takes what has ended.
  /// - Parameter body: called with the exchange that a connection was to be made for, and what came of it.
  func takeDone(_ body: (HTTPExchange, Result<HTTPLine, HTTPFailure>) -> Void) {
    guard !active.isEmpty else { return }
    // One look at each multi handle; the plain one is many dials'.
    var done: [(CurlDial, CURLcode)] = []
    var seen: CurlMulti?
    for dial in active {
      guard let multi = dial.multi, multi !== seen else { continue }
      if multi === plain { seen = multi }
      var easy: UnsafeMutableRawPointer?
      var code = CURLE_OK
      // SAFETY: out-parameters outlive the call; the easy handle is one of active, whose private pointer is its
      // CurlDial.
      while unsafe ferry_curl_multi_next_done(multi.handle, &easy, &code) != 0 {
        if let dial = unsafe CurlDial.owner(of: easy) { done.append((dial, code)) }
      }
    }
    for (dial, code) in done {
      guard let exchange = dial.exchange else { continue }
      leave(dial, exchange)
      body(exchange, code == CURLE_OK ? line(dial, exchange) : .failure(dial.failed(exchange.request, code)))
      // A line with TLS holds its dial; the others are free.
      dial.exchange = nil
      if code != CURLE_OK || !exchange.isTLS { dial.end() }
      if code == CURLE_OK, !exchange.isTLS { takeBack(dial) }
    }
  }

  private func line(_ dial: CurlDial, _ exchange: HTTPExchange) -> Result<HTTPLine, HTTPFailure> {
    let socket = dial.socket
    guard socket >= 0 else { return .failure(failure(exchange.request, .connect, "libcurl lost the connection")) }
    watch.forget(socket)
    if let end = dial.certificateEnd { options.onCertificate?(end) }
    if exchange.isTLS { return .success(HTTPLine(tls: dial, socket, exchange.origin, .now)) }
    // libcurl closes its own descriptor when the handle is taken out; the connection lives on with ours.
    let own = ferry_duplicate(socket)
    guard own >= 0 else { return .failure(failure(exchange.request, .connect, "no descriptor is left")) }
    return .success(HTTPLine(plain: own, exchange.origin, .now))
  }
}
