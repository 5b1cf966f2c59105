import JSON

/// Compares what the broker's management tells with what the topology wants.
enum TopologyCheck {
  /// An exchange that was declared otherwise; nil when it was not.
  static func exchange(_ name: String, _ found: JSONValue) -> TopologyProblem? {
    var differences: [String] = []
    var diff: [String] = []
    if found["type"]?.string != "direct" {
      differences.append("is of type \(shown(found["type"])), not direct")
      diff += lines("exchange", name, "type", #""direct""#, shown(found["type"]))
    }
    if found["durable"]?.bool != true {
      differences.append("is not durable")
      diff += lines("exchange", name, "durable", "true", "false")
    }
    if differences.isEmpty { return nil }
    return TopologyProblem(
      "The exchange \(name) \(differences.joined(separator: " and "))",
      .person("See what else uses it, delete it (no message is in an exchange), then run ferry migrate."),
      difference: diff)
  }

  /// A property of something, as it was declared and as it was found; nil where there is none.
  private static func lines(
    _ kind: String, _ name: String, _ property: String, _ declared: String?, _ found: String?
  ) -> [String] {
    [("-", declared), ("+", found)].compactMap { sign, value in
      value.map { "\(sign) \(kind) \(name): \(property) = \($0)" }
    }
  }

  /// Bindings that are not ours, and those that are missing of some of the topology's queues.
  static func bindings(_ topology: Topology, _ found: JSONValue?, of queues: Set<String>) -> [TopologyProblem] {
    var present: Set<[String]> = []
    if let found {
      for binding in found.elements {
        guard let queue = binding["destination"]?.string, let key = binding["routing_key"]?.string else { continue }
        present.insert([queue, key])
      }
    }
    let wanted = Set(topology.queues.map { [$0.name, $0.routingKey] })
    let missing = wanted.subtracting(present).filter { queues.contains($0[0]) }.sorted { $0[0] < $1[0] }.map {
      TopologyProblem(
        "The queue \($0[0]) is not bound to \(topology.exchange) under \($0[1])",
        difference: ["- binding of \($0[0]) to \(topology.exchange): \($0[1])"])
    }
    let foreign = present.subtracting(wanted).filter { !topology.isRetiredRung($0[0], $0[1]) }.sorted { $0[0] < $1[0] }
      .map {
        TopologyProblem(
          "\($0[0]) is bound to \(topology.exchange) under \($0[1]), which Ferry did not do",
          .person("Remove that binding: it gets a copy of every message."),
          difference: ["+ binding of \($0[0]) to \(topology.exchange): \($0[1])"])
      }
    return missing + foreign
  }

  /// A queue that was declared otherwise, which no policy and no new declaration can change; nil when it was not.
  static func declaration(_ name: String, _ found: JSONValue) -> TopologyProblem? {
    var differences: [String] = []
    var diff: [String] = []
    if found["type"]?.string != "quorum" {
      differences.append("is of type \(shown(found["type"])), not quorum")
      diff += lines("queue", name, "type", #""quorum""#, shown(found["type"]))
    }
    if found["durable"]?.bool != true {
      differences.append("is not durable")
      diff += lines("queue", name, "durable", "true", "false")
    }
    if let arguments = found["arguments"] {
      for (key, value) in arguments.members where key != "x-queue-type" {
        differences.append("was declared with \(key) = \(shown(value))")
        diff += lines("queue", name, key, nil, shown(value))
      }
    }
    if differences.isEmpty { return nil }
    let remedy =
      switch found["messages"]?.int64 {
      case 0: "It holds no message now: stop what writes to it, see that it is still empty, delete it"
      case let count?:
        "It holds \(count) message\(count == 1 ? "" : "s"): drain it first (stop what writes to it, let its consumers "
          + "finish or move the messages elsewhere), and delete it when it is empty"
      case nil: "See whether it holds messages: drain it first, and delete it when it is empty"
      }
    return TopologyProblem(
      "The queue \(name) \(differences.joined(separator: ", "))", .person("\(remedy); then run ferry migrate."),
      difference: diff)
  }

  /// What is in force on a queue instead of its own policy; nil when all is well.
  /// - Parameter priorities: of the virtual host's policies, by name; nil when they are not known.
  static func policy(
    _ name: String, _ found: JSONValue, wanted: [String: Topology.PolicyValue], priority: Int,
    priorities: [String: Int64]?
  ) -> TopologyProblem? {
    let inForce = found["policy"]?.string ?? ""
    if inForce != name, !inForce.isEmpty {
      let diff = lines(
        "queue", name, "policy", "\"\(name)\", priority \(priority)",
        "\"\(inForce)\"" + (priorities?[inForce].map { ", priority \($0)" } ?? ""))
      // Deleted a moment ago: the broker's statistics show it a few seconds longer.
      if let priorities, priorities[inForce] == nil {
        return TopologyProblem(
          "The queue \(name) is shown under the policy \"\(inForce)\", which exists no more", difference: diff)
      }
      let other = priorities?[inForce]
      let rank = other.map { " (priority \($0))" } ?? ""
      let sentence =
        "The queue \(name) is under the policy \"\(inForce)\"\(rank), not under Ferry's own (priority \(priority))"
      // One that ranks lower only stands until Ferry's own is put, or is seen.
      if let other, other < Int64(priority) { return TopologyProblem(sentence, difference: diff) }
      return TopologyProblem(
        sentence,
        .person(
          "Give the policy \"\(inForce)\" a priority below \(priority), or a pattern that leaves the queue out; then "
            + "run ferry migrate."), difference: diff)
    }
    let (differences, diff) = definition(name, found["effective_policy_definition"], wanted)
    if differences.isEmpty { return nil }
    let sentence = "The policy of the queue \(name) is not Ferry's: \(differences.joined(separator: ", "))"
    guard inForce == name, let operatorPolicy = found["operator_policy"]?.string, !operatorPolicy.isEmpty else {
      return TopologyProblem(sentence, difference: diff)
    }
    return TopologyProblem(
      sentence + "; the operator policy \"\(operatorPolicy)\" has a part in it",
      .person(
        "Run ferry migrate; what stays is the operator policy \"\(operatorPolicy)\"'s: let the broker's administrator "
          + "take the queue out of it."), difference: diff)
  }

  private static func definition(
    _ name: String, _ found: JSONValue?, _ wanted: [String: Topology.PolicyValue]
  ) -> (sentences: [String], difference: [String]) {
    var differences: [String] = []
    var diff: [String] = []
    for (key, value) in wanted.sorted(by: { $0.key < $1.key }) where !matches(found?[key], value) {
      differences.append("\(key) is \(shown(found?[key])), not \(shown(value))")
      diff += lines("policy", name, key, shown(value), found?[key].map { shown($0) })
    }
    guard let found else { return (differences, diff) }
    for (key, value) in found.members where wanted[key] == nil {
      differences.append("\(key) is \(shown(value)), which Ferry did not ask for")
      diff += lines("policy", name, key, nil, shown(value))
    }
    return (differences, diff)
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
