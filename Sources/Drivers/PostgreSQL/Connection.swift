internal import CPostgreSQL
internal import DriverThread

#if canImport(Glibc)
  import Glibc
#endif

/// One libpq connection in pipeline mode. Lives on its worker's thread only.
// SAFETY of @safe, and of every libpq call with `pointer`: it is made in init, freed in deinit and used in between by one
// thread; what else a call needs is said beside it.
@safe final class Connection {
  /// Statements beyond this many are not kept prepared.
  static let maxPrepared = 256

  let pointer: OpaquePointer
  private let target: ConnectionTarget
  private let wait: Waiter
  /// The names of the prepared statements, by their text.
  var prepared: [String: String] = [:]
  /// Statements prepared so far; names are not used twice.
  var preparations = 0
  var parameters = ParameterBytes()
  /// Set when the conversation is in a state that only the connection's end resolves.
  var isBrokenOff = false

  /// How a connection waits: woken by its worker's event, ended early when the client closes.
  struct Waiter {
    let wake: WakeEvent
    /// When to give up whatever is running, nil for never.
    let abortAt: () -> ContinuousClock.Instant?

    /// Waits for the socket; false when the deadline or the abort has come.
    func callAsFunction(_ socket: Int32, _ events: Int32, _ deadline: ContinuousClock.Instant) -> Bool {
      while true {
        let end = min(deadline, abortAt() ?? deadline)
        if waitFor(socket: socket, events: events, wake: wake, until: end).isReady { return true }
        if ContinuousClock.now >= min(deadline, abortAt() ?? deadline) { return false }
      }
    }
  }

  /// Connects and sets the session's settings.
  init(_ target: ConnectionTarget, _ wait: Waiter) throws(PostgresFailure) {
    self.target = target
    self.wait = wait
    _ = Self.notesRefusals
    ferry_pq_forget_refusal()
    guard let pointer = unsafe startConnecting(target.parameters) else { throw .unreachable("out of memory") }
    unsafe self.pointer = unsafe pointer
    unsafe ferry_pq_drop_notices(pointer)
    // Verbose while connecting, because only then the text holds the SQLSTATE.
    _ = unsafe PQsetErrorVerbosity(pointer, PQERRORS_VERBOSE)
    try connect(by: .now + .seconds(target.options.connectTimeoutSeconds))
    _ = unsafe PQsetErrorVerbosity(pointer, PQERRORS_TERSE)
  }

  deinit { unsafe PQfinish(pointer) }

  /// Whether it is learnt why certificates are refused; done once in a process.
  private static let notesRefusals = ferry_pq_note_refusals() == 1

  private func connect(by deadline: ContinuousClock.Instant) throws(PostgresFailure) {
    var state = PGRES_POLLING_WRITING
    // SAFETY: the calls of libpq's documented sequence for connecting without blocking.
    while unsafe PQstatus(pointer) != CONNECTION_BAD, state != PGRES_POLLING_OK {
      guard wait(unsafe PQsocket(pointer), state == PGRES_POLLING_READING ? POLLIN : Int32(POLLOUT), deadline) else {
        throw .unreachable("no answer within \(target.options.connectTimeoutSeconds) s")
      }
      state = unsafe PQconnectPoll(pointer)
      if state == PGRES_POLLING_FAILED { break }
    }
    guard unsafe PQstatus(pointer) == CONNECTION_OK else {
      let refusal = unsafe ferry_pq_refusal().map { unsafe String(cString: $0) }
      throw target.failure(connecting: unsafe String(cString: PQerrorMessage(pointer)), refusal: refusal)
    }
    if let told = target.options.onCertificate, case let end = unsafe ferry_pq_certificate_end(pointer), end > 0 {
      told(Int64(end))
    }
    guard unsafe PQsetnonblocking(pointer, 1) == 0, unsafe PQenterPipelineMode(pointer) == 1 else {
      throw .unreachable("libpq could not switch to pipeline mode")
    }
    let settings = target.settings
    let calls = settings.indices.map { "pg_catalog.set_config($\(2 * $0 + 1), $\(2 * $0 + 2), false)" }
    let statement = PostgresStatement(
      "select " + calls.joined(separator: ", "),
      parameters: settings.flatMap { [.text($0.name), .text($0.value)] })
    do {
      _ = try exchange([statement], inTransaction: false, keepsPrepared: false, by: deadline)
    } catch .lost(let text) {
      throw .unreachable(text)
    }
  }

  // MARK: State

  var socket: Int32 { unsafe PQsocket(pointer) }
  /// Whether the connection is of no more use.
  var isBroken: Bool { unsafe isBrokenOff || PQstatus(pointer) == CONNECTION_BAD }
  var isIdle: Bool { unsafe PQtransactionStatus(pointer) == PQTRANS_IDLE }

  /// Reads what the server sent unasked, such as its farewell; false when the connection is gone.
  func absorb() -> Bool {
    // A farewell and the end of the stream can be two reads; more than a few are left for the next call.
    for _ in 0..<8 {
      var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      // SAFETY: one descriptor is asked without waiting; libpq's calls take the live connection.
      guard unsafe poll(&entry, 1, 0) > 0 else { break }
      guard unsafe PQconsumeInput(pointer) == 1 else { return false }
      _ = unsafe PQisBusy(pointer)
      while let notice = unsafe PQnotifies(pointer) { unsafe PQfreemem(notice) }
    }
    return !isBroken
  }

  // MARK: Reading and writing

  /// libpq's last error on this connection, as a lost connection.
  func lost(_ fallback: String = "the connection ended") -> PostgresFailure {
    let text = unsafe target.shown(String(cString: PQerrorMessage(pointer)))
    return .lost(text.isEmpty ? fallback : text)
  }

  /// The next result; nil between the results of two commands.
  func nextResult(by deadline: ContinuousClock.Instant) throws(PostgresFailure) -> ResultBox? {
    // SAFETY: libpq's documented sequence for reading without blocking; the result is owned by the box.
    while true {
      let unsent = unsafe PQflush(pointer)
      if unsent < 0 { throw lost() }
      guard unsafe PQisBusy(pointer) == 1 else { break }
      guard wait(socket, unsent > 0 ? Int32(POLLIN | POLLOUT) : Int32(POLLIN), deadline) else {
        throw .lost("no answer in time")
      }
      if unsafe PQconsumeInput(pointer) == 0, unsafe PQisBusy(pointer) == 1 { throw lost() }
    }
    return unsafe PQgetResult(pointer).map { unsafe ResultBox($0) }
  }

  /// What a failed result means.
  func failure(_ result: ResultBox) -> PostgresFailure {
    guard let state = result.errorField(Int32(UInt8(ascii: "C"))) else { return lost() }
    let message = target.shown(result.errorField(Int32(UInt8(ascii: "M"))) ?? "")
    return state == "57014" ? .timedOut : .refused(sqlState: state, message: message)
  }
}

private func startConnecting(_ parameters: [(keyword: String, value: String)]) -> OpaquePointer? {
  // SAFETY: both arrays end with a null; libpq copies the strings, which are freed here.
  var keywords = unsafe parameters.map { unsafe UnsafePointer(strdup($0.keyword)) }
  var values = unsafe parameters.map { unsafe UnsafePointer(strdup($0.value)) }
  defer {
    unsafe keywords.forEach { unsafe free(UnsafeMutableRawPointer(mutating: $0)) }
    unsafe values.forEach { unsafe free(UnsafeMutableRawPointer(mutating: $0)) }
  }
  unsafe keywords.append(nil)
  unsafe values.append(nil)
  return unsafe PQconnectStartParams(keywords, values, 1)
}
