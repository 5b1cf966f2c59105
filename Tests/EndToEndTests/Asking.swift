import Curl

/// The status and body of an answer of a role's admin port; 0 when it does not answer.
func ask(_ url: String) async throws -> (status: Int, body: String) {
  try Task.checkCancellation()
  var options = CurlOptions()
  options.allowsPlainHTTP = true
  let client = try CurlClient(options)
  let outcome = await client.perform(HTTPRequest(.get, url))
  await client.shutdown()
  guard case .response(let answer) = outcome else { return (0, "") }
  return (answer.status, String(decoding: answer.body, as: UTF8.self))
}

/// Asks again and again, until the answer is yes.
/// - Throws: when the task is cancelled, as a time limit does, and what the question throws.
func until(_ isSo: () async throws -> Bool) async throws {
  while try await !isSo() { try Task.checkCancellation() }
}
