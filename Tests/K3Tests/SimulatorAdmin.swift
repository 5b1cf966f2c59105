import Curl
import JSON
import Testing

/// Changes a part of a simulator's admin surface.
func admin(_ url: String, _ part: String, _ change: String) async throws {
  let answer = try await ask(HTTPRequest(.post, "\(url)/_sim/\(part)", body: Array(change.utf8)))
  #expect(answer["problems"] == nil)
}

/// How many bills a simulated K/3 has stored.
func stored(_ url: String) async throws -> Int64? {
  try await ask(HTTPRequest(.get, "\(url)/_sim/stats"))["stored"]?.int64
}

/// How often an endpoint of a simulated K/3 has been asked.
func requests(_ url: String, _ endpoint: String) async throws -> Int64? {
  try await ask(HTTPRequest(.get, "\(url)/_sim/stats"))["requests"]?[endpoint]?.int64
}

private func ask(_ request: HTTPRequest) async throws -> JSONValue {
  var options = CurlOptions()
  options.allowsPlainHTTP = true
  let client = try CurlClient(options)
  let outcome = await client.perform(request)
  await client.shutdown(graceMilliseconds: 1_000)
  guard case .response(let response) = outcome else { throw OutsideTheScript() }
  try #require(response.status == 200)
  return try JSONDocument(response.body).root
}

/// The simulator could not be asked.
struct OutsideTheScript: Error {}
