internal import CCurl

/// Carries exchanges over lines: takes or makes one, sends, receives, and keeps it for the next. Lives on the driver
/// thread only.
final class HTTPTransport {
  private let options: CurlOptions
  private let watch: SocketWatch
  private let dialer: Dialer
  /// Made for the first packed answer: most servers send none.
  private lazy var inflater = Inflater()
  /// Lines that carry nothing, the one that was used last at the end.
  private var idle: [HTTPLine] = []
  private var room = [UInt8](repeating: 0, count: 64 << 10)
  /// Exchanges that have ended and are not yet settled.
  private var ended: [(HTTPExchange, HTTPOutcome)] = []
  /// Exchanges that have not ended; each has a line or is about to.
  private var busy = 0

  init(_ options: CurlOptions, _ watch: SocketWatch) {
    self.options = options
    self.watch = watch
    dialer = Dialer(options, watch)
  }

  /// When `goOn` is to be called though nothing is ready; nil: never.
  var dueAt: ContinuousClock.Instant? { dialer.dueAt }

  /// Takes what has ended since the last time.
  func takeEnded() -> [(HTTPExchange, HTTPOutcome)] {
    guard !ended.isEmpty else { return [] }
    defer { ended = [] }
    return ended
  }

  /// Begins an exchange.
  func start(_ exchange: HTTPExchange) {
    busy += 1
    guard let line = takeIdle(exchange.origin, exchange.started) else { return dial(exchange) }
    carry(exchange, line, isUsed: true)
  }

  /// Ends an exchange before its time.
  func abort(_ exchange: HTTPExchange, _ kind: HTTPFailure.Kind, _ text: String) {
    end(exchange, failed: failure(exchange.request, kind, text))
  }

  /// When nothing has moved for too long, or the request's own time is over.
  func bound(_ exchange: HTTPExchange) -> ContinuousClock.Instant {
    guard exchange.line != nil, options.lowSpeedSeconds > 0 else { return exchange.deadline }
    return min(exchange.deadline, exchange.lastMove + .seconds(options.lowSpeedSeconds))
  }

  /// Closes all lines that carry nothing.
  func closeIdle() { while let line = idle.popLast() { close(line) } }

  // MARK: Lines

  private func takeIdle(_ origin: String, _ now: ContinuousClock.Instant) -> HTTPLine? {
    while let place = idle.lastIndex(where: { $0.origin == origin }) {
      let line = idle.remove(at: place)
      if line.isFresh(now, options), line.isQuiet(&room) { return line }
      close(line)
    }
    return nil
  }

  private func close(_ line: HTTPLine) {
    watch.forget(line.socket)
    if let dial = line.end() { dialer.takeBack(dial) }
  }

  private func dial(_ exchange: HTTPExchange) {
    while !idle.isEmpty, idle.count + busy > options.maxConnections { close(idle.removeFirst()) }
    if let reason = dialer.begin(exchange) { end(exchange, failed: reason) }
  }

  private func carry(_ exchange: HTTPExchange, _ line: HTTPLine, isUsed: Bool) {
    exchange.line = line
    exchange.isOnUsedLine = isUsed
    line.exchange = exchange
    push(exchange)
  }

  // MARK: What is told

  /// Lets libcurl go on where its time has come, and begins to send over what it has connected.
  func goOn() {
    dialer.goOn()
    takeConnected()
  }

  private func takeConnected() {
    dialer.takeDone { exchange, result in
      switch result {
      case .failure(let reason): end(exchange, failed: reason)
      case .success(let line):
        exchange.lastMove = .now
        if watch.add(line) {
          carry(exchange, line, isUsed: false)
        } else {
          close(line)
          end(exchange, failed: failure(exchange.request, .connect, "the socket cannot be watched"))
        }
      }
    }
  }

  /// A socket is ready.
  func take(_ owner: SocketWatch.Owner, _ socket: Int32, _ bits: Int32) {
    switch owner {
    case .nobody: break
    case .dialing(let multi):
      multi.act(socket, bits & (CURL_CSELECT_IN | CURL_CSELECT_OUT))
      takeConnected()
    case .line(let line):
      guard let exchange = line.exchange else {
        if !line.isQuiet(&room), let place = idle.lastIndex(where: { $0 === line }) { close(idle.remove(at: place)) }
        return
      }
      if !exchange.isSent, !exchange.isCutOff { push(exchange) }
      // TLS may wait for what it reads to write, and the other way round.
      guard exchange.line === line else { return }
      let isEnding = bits & CURL_CSELECT_ERR != 0
      if line.isTLS || isEnding || bits & CURL_CSELECT_IN != 0 { pull(exchange, isEnding: isEnding) }
    }
  }

  // MARK: Sending and receiving

  /// Sends as much as goes at once.
  private func push(_ exchange: HTTPExchange) {
    guard let line = exchange.line else { return }
    while !exchange.isSent {
      // With TLS bytes may be on the wire although none are reported as sent.
      if line.isTLS { exchange.mayHaveBeenSent = true }
      switch line.send(exchange.head, exchange.request.body, from: exchange.sent) {
      case .moved(let count):
        exchange.mayHaveBeenSent = true
        exchange.sent += count
        exchange.lastMove = .now
      case .blocked: return
      case .ended, .broken: return cutOff(exchange)
      }
    }
  }

  /// Nothing more can be sent.
  private func cutOff(_ exchange: HTTPExchange) {
    exchange.isCutOff = true
    if exchange.mayHaveBeenSent {
      // The server may have answered before it closed.
      pull(exchange, isEnding: true)
    } else if exchange.isOnUsedLine {
      // The kernel took nothing, so another line does as well.
      again(exchange)
    } else {
      end(exchange, failed: failure(exchange.request, .dropped, "the connection ended before anything was sent"))
    }
  }

  /// Receives all that is there.
  /// - Parameter isEnding: the connection's end has been told of, and is not told again.
  private func pull(_ exchange: HTTPExchange, isEnding: Bool) {
    guard let line = exchange.line else { return }
    while true {
      switch line.receive(into: &room) {
      case .moved(let count):
        exchange.lastMove = .now
        do {
          let taken = try exchange.answer.feed(room, count: count)
          if exchange.answer.isComplete {
            return complete(exchange, line, isAlone: taken == count && exchange.isSent && !isEnding)
          }
        } catch {
          return end(exchange, defect: error)
        }
        // Less than there was room for: all that was there. TLS hands out one record at a time.
        if count < room.count, !line.isTLS, !isEnding { return }
      case .blocked:
        // Of a connection that takes nothing more no answer can be waited for.
        return exchange.isCutOff ? die(exchange) : ()
      // A reset that sending has met already reads as an end like any other: an answer that only an end completes may be cut off.
      case .ended where exchange.isCutOff: return die(exchange)
      case .ended:
        do {
          try exchange.answer.end()
        } catch {
          return die(exchange, error)
        }
        return complete(exchange, line, isAlone: false)
      case .broken: return die(exchange)
      }
    }
  }

  /// The connection is gone before the answer was complete.
  private func die(_ exchange: HTTPExchange, _ defect: AnswerDefect? = nil) {
    if !exchange.answer.isStarted, exchange.isOnUsedLine, exchange.request.repeatable {
      again(exchange)
    } else {
      end(exchange, defect: defect ?? AnswerDefect("the connection broke before the answer was complete"))
    }
  }

  /// Begins an exchange anew over a new line; so no exchange is begun a third time.
  private func again(_ exchange: HTTPExchange) {
    leaveLine(exchange, keeps: false)
    exchange.beginAnew()
    dial(exchange)
  }

  // MARK: The end

  private func complete(_ exchange: HTTPExchange, _ line: HTTPLine, isAlone: Bool) {
    var response = HTTPResponse(status: exchange.answer.status)
    if let retryAfter = exchange.answer.retryAfter {
      response.retryAfterSeconds = retryAfterSeconds(retryAfter) { secondsUntil($0, from: exchange.answer.date) }
    }
    let encoding = exchange.answer.encoding
    response.body = exchange.answer.takeBody()
    if encoding != .plain, !response.body.isEmpty {
      guard encoding == .gzip, let inflater else {
        return end(exchange, defect: AnswerDefect("the answer's encoding is not known"))
      }
      do {
        response.body = try inflater.unpack(response.body, limit: options.maxResponseBytes)
      } catch {
        return end(exchange, defect: error)
      }
    }
    // TLS must have nothing left that it has read and not handed out.
    let keeps =
      isAlone && exchange.answer.keepsConnection && (!line.isTLS || line.receive(into: &room) == .blocked)
    leaveLine(exchange, keeps: keeps)
    end(exchange, .response(response))
  }

  private func leaveLine(_ exchange: HTTPExchange, keeps: Bool) {
    guard let line = exchange.line else { return }
    exchange.line = nil
    line.exchange = nil
    guard keeps else { return close(line) }
    line.idleSince = .now
    idle.append(line)
  }

  private func end(_ exchange: HTTPExchange, defect: AnswerDefect) {
    end(exchange, failed: failure(exchange.request, defect.isTooLarge ? .tooLarge : .dropped, defect.text))
  }

  /// Also a failure to connect leaves a request uncertain that was begun over another line before.
  private func end(_ exchange: HTTPExchange, failed reason: HTTPFailure) {
    end(exchange, exchange.mayHaveBeenSent ? .uncertain(reason) : .notSent(reason))
  }

  private func end(_ exchange: HTTPExchange, _ outcome: HTTPOutcome) {
    dialer.abandon(exchange)
    leaveLine(exchange, keeps: false)
    busy -= 1
    ended.append((exchange, outcome))
  }
}
