import JSON

/// Compares what the broker's management tells with what the topology wants. All answers are sentences.
enum TopologyCheck {
  static func exchange(_ name: String, _ found: JSONValue) -> [String] {
    var differences: [String] = []
    if found["type"]?.string != "direct" {
      differences.append("the exchange \(name) is of type \(shown(found["type"])), not direct")
    }
    if found["durable"]?.bool != true { differences.append("the exchange \(name) is not durable") }
    return differences
  }

  static func bindings(_ topology: Topology, _ found: JSONValue?) -> [String] {
    var present: Set<[String]> = []
    if let found {
      for binding in found.elements {
        guard let queue = binding["destination"]?.string, let key = binding["routing_key"]?.string else { continue }
        present.insert([queue, key])
      }
    }
    let wanted = Set(topology.queues.map { [$0.name, $0.routingKey] })
    let missing = wanted.subtracting(present).sorted { $0[0] < $1[0] }.map {
      "the queue \($0[0]) is not bound to \(topology.exchange) under \($0[1])"
    }
    let foreign = present.subtracting(wanted).filter { !topology.isRetiredRung($0[0], $0[1]) }.sorted { $0[0] < $1[0] }
      .map {
        "\($0[0]) is bound to \(topology.exchange) under \($0[1]), which Ferry did not do"
      }
    return missing + foreign
  }

  static func queue(_ name: String, _ found: JSONValue, policy: [String: Topology.PolicyValue]) -> [String] {
    var differences: [String] = []
    if found["type"]?.string != "quorum" {
      differences.append("the queue \(name) is of type \(shown(found["type"])), not quorum: delete it when it is empty")
    }
    if found["durable"]?.bool != true { differences.append("the queue \(name) is not durable") }
    if let arguments = found["arguments"] {
      for (key, value) in arguments.members where key != "x-queue-type" {
        differences.append(
          "the queue \(name) was declared with \(key) = \(shown(value)), which no policy can change")
      }
    }
    if found["policy"]?.string != name {
      differences.append("the queue \(name) is under the policy \(shown(found["policy"])), not under its own")
    }
    differences += definition(name, found["effective_policy_definition"], policy)
    return differences
  }

  private static func definition(
    _ queue: String, _ found: JSONValue?, _ wanted: [String: Topology.PolicyValue]
  ) -> [String] {
    var differences: [String] = []
    for (key, value) in wanted.sorted(by: { $0.key < $1.key }) {
      let present = found?[key]
      if !matches(present, value) {
        differences.append("\(key) of the queue \(queue) is \(shown(present)), not \(shown(value))")
      }
    }
    guard let found else { return differences }
    for (key, value) in found.members where wanted[key] == nil {
      differences.append("the queue \(queue) has \(key) = \(shown(value)), which Ferry did not ask for")
    }
    return differences
  }

  private static func matches(_ found: JSONValue?, _ wanted: Topology.PolicyValue) -> Bool {
    switch wanted {
    case .int(let number): found?.int64 == Int64(number)
    case .text(let text): found?.string == text
    }
  }

  private static func shown(_ value: JSONValue?) -> String {
    guard let value else { return "missing" }
    return String(decoding: value.rawBytes.prefix(200), as: UTF8.self)
  }

  private static func shown(_ value: Topology.PolicyValue) -> String {
    switch value {
    case .int(let number): "\(number)"
    case .text(let text): "\"\(text)\""
    }
  }
}
