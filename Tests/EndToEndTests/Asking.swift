import Curl
import Glibc
import TestSockets

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

/// The first line of an admin port's answer to one path, asked on the thread that calls, which blocks; empty when nobody
/// answers.
func statusLine(_ admin: String, _ path: String) -> String {
  guard let port = admin.split(separator: ":").last.flatMap({ Int($0) }) else { return "no port in \(admin)" }
  guard let connection = connectToLoopback(port: port) else { return "" }
  defer { close(connection) }
  let request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n"
  guard sendAll(connection, request.utf8) else { return "" }
  return String(decoding: receiveAll(connection).prefix { $0 != 13 }, as: UTF8.self)
}
