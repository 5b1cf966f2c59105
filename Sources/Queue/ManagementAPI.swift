import AMQP
import Curl
import JSON

/// The broker's management HTTP interface.
final class ManagementAPI: Sendable {
  private let base: String
  private let authorization: String
  private let virtualHost: String
  private let client: CurlClient

  /// - Parameter url: `http(s)://user:password@host:port`; without a user the one of the broker's address.
  init(_ url: String, settings: RabbitSettings) throws(QueueFailure) {
    let credentials: String
    (base, credentials) = try Self.parts(url, settings.address)
    authorization = "Basic " + base64(Array(credentials.utf8))
    virtualHost = percentEncoded(query: settings.address.virtualHost)
    var options = CurlOptions()
    options.maxConnections = 2
    options.allowsPlainHTTP = true
    options.certificateAuthorityFile = settings.certificateAuthorityFile
    do { client = try CurlClient(options) } catch {
      throw QueueFailure("the management client cannot be made: \(error)")
    }
  }

  private static func parts(_ url: String, _ address: AMQPAddress) throws(QueueFailure) -> (String, String) {
    guard let scheme = ["http://", "https://"].first(where: { url.hasPrefix($0) }) else {
      throw QueueFailure("the management address must begin with http:// or https://")
    }
    var rest = url.dropFirst(scheme.count)
    while rest.last == "/" { rest.removeLast() }
    guard let at = rest.lastIndex(of: "@") else { return (scheme + rest, "\(address.user):\(address.password)") }
    let user = rest[..<at]
    rest = rest[rest.index(after: at)...]
    // The parser of broker addresses knows how to decode user and password; nothing of its result is used besides.
    do throws(AMQPAddressError) {
      let decoded = try AMQPAddress("amqp://\(user)@localhost")
      return (scheme + rest, "\(decoded.user):\(decoded.password)")
    } catch {
      throw QueueFailure("the management address: \(error.description)")
    }
  }

  /// The broker's major version, such as 3.
  func brokerMajor() async throws(QueueFailure) -> Int {
    let overview = try await get("overview")
    guard let version = overview?.root["rabbitmq_version"]?.string, let major = Int(version.prefix { $0 != "." })
    else { throw QueueFailure("the broker's management does not tell the broker's version") }
    return major
  }

  /// A resource of the virtual host, such as `queues` and a name, and what follows; nil when there is none.
  func resource(
    _ kind: String, _ name: String, _ rest: String = ""
  ) async throws(QueueFailure) -> JSONDocument? {
    try await get("\(kind)/\(virtualHost)/\(percentEncoded(query: name))\(rest)")
  }

  /// Priorities of the virtual host's policies, by name.
  func policyPriorities() async throws(QueueFailure) -> [String: Int64] {
    var priorities: [String: Int64] = [:]
    guard let policies = try await get("policies/\(virtualHost)") else { return [:] }
    for policy in policies.root.elements {
      if let name = policy["name"]?.string { priorities[name] = policy["priority"]?.int64 ?? 0 }
    }
    return priorities
  }

  /// Creates or replaces a policy.
  func putPolicy(
    _ name: String, pattern: String, priority: Int, definition: [String: Topology.PolicyValue]
  ) async throws(QueueFailure) {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("pattern")
    writer.string(pattern)
    writer.key("apply-to")
    writer.string("queues")
    writer.key("priority")
    writer.integer(Int64(priority))
    writer.key("definition")
    writer.beginObject()
    for (key, value) in definition.sorted(by: { $0.key < $1.key }) {
      writer.key(key)
      switch value {
      case .int(let number): writer.integer(Int64(number))
      case .text(let text): writer.string(text)
      }
    }
    writer.endObject()
    writer.endObject()
    _ = try await perform(.put, "policies/\(virtualHost)/\(percentEncoded(query: name))", writer.bytes)
  }

  /// Deletes a policy; one that is not there is no mistake.
  func deletePolicy(_ name: String) async throws(QueueFailure) {
    _ = try await perform(.delete, "policies/\(virtualHost)/\(percentEncoded(query: name))")
  }

  func close() async { await client.shutdown() }

  private func get(_ path: String) async throws(QueueFailure) -> JSONDocument? {
    guard let body = try await perform(.get, path) else { return nil }
    do throws(JSONError) { return try JSONDocument(body) } catch {
      throw QueueFailure("the broker's management answered /api/\(path) with \(error)")
    }
  }

  /// RabbitMQ answers 401 to a wrong password, and also to a user without the tag or the virtual host's permissions: its
  /// words name the user then.
  private static func refusal(_ status: Int, _ body: [UInt8]) -> QueueFailure {
    let words = String(((try? JSONDocument(body))?.root["reason"]?.string ?? "").prefix(100))
    if status == 401, !words.lowercased().contains("user") {
      return QueueFailure(
        "the broker's management refuses user or password of FERRY_RABBITMQ_MANAGEMENT_URL (401)",
        remedy: "Correct user and password in FERRY_RABBITMQ_MANAGEMENT_URL.")
    }
    let answer = words.isEmpty ? "\(status)" : "\(status): \(words)"
    return QueueFailure(
      "the user of FERRY_RABBITMQ_MANAGEMENT_URL lacks rights in the broker's management (\(answer))",
      remedy: "Give it the tag `policymaker` or `administrator` (rabbitmqctl set_user_tags) and permissions on the "
        + "virtual host (rabbitmqctl set_permissions).")
  }

  /// The body of a good answer; nil for 404.
  private func perform(
    _ method: HTTPRequest.Method, _ path: String, _ body: [UInt8] = []
  ) async throws(QueueFailure) -> [UInt8]? {
    let outcome = await client.perform(
      HTTPRequest(
        method, "\(base)/api/\(path)",
        headers: [HTTPHeader("Authorization", authorization), HTTPHeader("Content-Type", "application/json")],
        body: body, timeoutMilliseconds: 15_000, repeatable: true))
    switch outcome {
    case .notSent(let failure), .uncertain(let failure):
      throw QueueFailure("the broker's management cannot be reached: \(failure.description)")
    case .response(let response):
      switch response.status {
      case 200..<300: return response.body
      case 404: return nil
      case 401, 403: throw Self.refusal(response.status, response.body)
      default:
        throw QueueFailure(
          "the broker's management answered \(method.rawValue) /api/\(path) with \(response.status)")
      }
    }
  }
}

/// RFC 4648, with padding.
func base64(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var text: [UInt8] = []
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(start + 3, bytes.count)]
    let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
    for place in 0..<4 {
      text.append(place <= group.count ? alphabet[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
    }
  }
  return String(decoding: text, as: UTF8.self)
}
