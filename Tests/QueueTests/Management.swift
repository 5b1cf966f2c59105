import Curl
import JSON
import PipelineTesting

@testable import Queue

/// Reaches into the broker as an operator would.
struct Management {
  let base: String
  let authorization: String

  init(_ url: String) throws {
    guard let at = url.lastIndex(of: "@"), let scheme = url.firstRange(of: "://") else {
      throw TestSetupError("the management address has no user")
    }
    base = url[..<scheme.upperBound] + url[url.index(after: at)...] + "/api/"
    authorization = "Basic " + base64(Array(url[scheme.upperBound..<at].utf8))
  }

  @discardableResult
  func ask(_ method: HTTPRequest.Method, _ path: String, _ body: String = "") async throws -> JSONDocument? {
    var options = CurlOptions()
    options.allowsPlainHTTP = true
    let client = try CurlClient(options)
    let outcome = await client.perform(
      HTTPRequest(
        method, base + path,
        headers: [HTTPHeader("Authorization", authorization), HTTPHeader("Content-Type", "application/json")],
        body: Array(body.utf8)))
    await client.shutdown()
    guard case .response(let response) = outcome, (200..<300).contains(response.status) else {
      // RabbitMQ puts a list together from what it counts of each connection, and fails when one ends meanwhile; the tests
      // beside this one end theirs. The caller asks until it is told.
      if case .response(let response) = outcome, response.status == 500, path == "connections" { return nil }
      throw TestSetupError("\(method.rawValue) \(path): \(outcome)")
    }
    return response.body.isEmpty ? nil : try JSONDocument(response.body)
  }

  /// Ends all connections whose names begin so; waits until the broker lists at least one.
  func endConnections(named prefix: String) async throws {
    var names: [String] = []
    while names.isEmpty {
      guard let list = try await ask(.get, "connections") else { continue }
      for connection in list.root.elements {
        guard let own = connection["user_provided_name"]?.string, own.hasPrefix(prefix),
          let name = connection["name"]?.string
        else { continue }
        names.append(name)
      }
    }
    for name in names { _ = try? await ask(.delete, "connections/\(percentEncoded(query: name))") }
  }
}
