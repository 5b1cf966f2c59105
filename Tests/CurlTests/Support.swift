import Curl
import Testing

/// A client that may talk to the tests' plain servers.
func plainClient(_ change: (inout CurlOptions) -> Void = { _ in }) throws -> CurlClient {
  var options = CurlOptions()
  options.allowsPlainHTTP = true
  change(&options)
  return try CurlClient(options)
}

extension HTTPOutcome {
  var response: HTTPResponse? { if case .response(let response) = self { response } else { nil } }
  var notSent: HTTPFailure? { if case .notSent(let failure) = self { failure } else { nil } }
  var uncertain: HTTPFailure? { if case .uncertain(let failure) = self { failure } else { nil } }
  var text: String? { response.map { String(decoding: $0.body, as: UTF8.self) } }
}

/// Runs a test against a raw server and a client, and ends both.
func withServer(
  _ handler: @escaping RawServer.Handler, options: (inout CurlOptions) -> Void = { _ in },
  _ body: (RawServer, CurlClient) async throws -> Void
) async throws {
  let server = RawServer(handler)
  let client = try plainClient(options)
  do {
    try await body(server, client)
  } catch {
    await client.shutdown(graceMilliseconds: 0)
    server.stop()
    throw error
  }
  await client.shutdown(graceMilliseconds: 0)
  server.stop()
}
