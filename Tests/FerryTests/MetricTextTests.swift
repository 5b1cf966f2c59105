import Foundation
import Logging
import Pipeline
import PipelineTesting
import Queue
import Synchronization
import Telemetry
import TestSockets
import Testing

@testable import ferry

/// Everything that a role tells at `/metrics`, as it stands before the first order: no server is asked for it.
@Suite("The text of metrics", .timeLimit(.minutes(2)))
struct MetricTextTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The text of these roles in one process; of a leader, where one polls, that knows what waits.
  static func text(of roles: [Role]) async throws -> String {
    let change = [
      "FERRY_STRATEGIES": root.appending(path: "deploy/strategies").path(percentEncoded: false),
      "FERRY_POLL_INTERVAL_SECONDS": "75",
    ]
    let wiring = Wiring(
      settings: try Settings(environment: SettingsTests.complete.merging(change) { _, new in new }, roles: Role.all),
      logger: recording(Probe<String>()), registry: Startup.metricsRegistry())
    for role in roles { _ = try wiring.roleService(role) }
    if roles.contains(.poll) {
      let queues = try wiring.topology().queues.map(\.routingKey)
      let watch = BacklogWatch(
        clock: Wiring.systemClock, leads: { true },
        letters: { () async throws(LedgerFailure) in [] }, doubts: { () async throws(LedgerFailure) in 0 },
        lengths: { Dictionary(uniqueKeysWithValues: queues.map { ($0, 0) }) })
      await watch.look()
      watch.observe(in: wiring.registry, queues: queues)
    }
    let text = wiring.registry.prometheusText()
    await wiring.close()
    return text
  }

  private static let processes: [[Role]] = [[.poll], [.transform], [.load], [.load, .transform, .poll]]

  /// What Prometheus' own tool says of a text, and its exit status.
  private static func promtool(_ text: String) async throws -> (words: String, status: Int32) {
    let tool = Process()
    tool.executableURL = URL(filePath: "/usr/bin/promtool")
    tool.arguments = ["check", "metrics"]
    let (input, output) = (ownPipe(), ownPipe())
    tool.standardInput = input
    tool.standardOutput = output
    tool.standardError = output
    try tool.run()
    let running = Mutex(tool)
    let words = await onThread(until: { running.withLock { $0.terminate() } }) {
      // It reads all before it says anything.
      try? input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
      try? input.fileHandleForWriting.close()
      let words = String(decoding: (try? output.fileHandleForReading.readToEnd()) ?? Data(), as: UTF8.self)
      running.withLock { $0.waitUntilExit() }
      return words
    }
    return (words, running.withLock { $0.terminationStatus })
  }

  @Test("promtool finds nothing to complain of, whichever roles a process has", arguments: processes)
  func promtool(roles: [Role]) async throws {
    let (words, status) = try await Self.promtool(try await Self.text(of: roles))
    #expect(words == "" && status == 0)
  }

  @Test("promtool does find a counter without its ending, and a text that is none")
  func planted() async throws {
    let registry = MetricsRegistry()
    registry.describe(["ferry_orders": "Orders."])
    registry.observe("ferry_orders", as: .counter) { 1 }
    let (words, status) = try await Self.promtool(registry.prometheusText())
    #expect(words.contains("_total") && status != 0)
    #expect(try await Self.promtool("no metric at all").status != 0)
  }

  private struct Family {
    var help = false
    var kind = ""
    var samples: [(name: String, labels: String, value: String)] = []
  }

  /// By name; a line that is no line of the format is under its own text.
  private static func families(_ text: String) -> [String: Family] {
    var families: [String: Family] = [:]
    var last = ""
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 3).map { String($0) }
      if line.hasPrefix("# HELP "), words.count == 4 {
        families[words[2], default: Family()].help = true
      } else if line.hasPrefix("# TYPE "), words.count == 4 {
        families[words[2], default: Family()].kind = words[3]
        last = words[2]
      } else if let match = line.wholeMatch(of: #/([a-z_:]+)(\{.*\})? (\S+)/#), match.output.1.hasPrefix(last) {
        families[last, default: Family()].samples.append(
          (String(match.output.1), match.output.2.map { String($0) } ?? "", String(match.output.3)))
      } else {
        families[String(line)] = Family()
      }
    }
    return families
  }

  @Test("each metric has HELP and TYPE, counters and no others end in _total, names say Ferry's", arguments: processes)
  func words(roles: [Role]) async throws {
    let families = Self.families(try await Self.text(of: roles))
    #expect(families.count > 15)
    for (name, family) in families {
      #expect(family.help && !family.kind.isEmpty && !family.samples.isEmpty, "\(name)")
      #expect((family.kind == "counter") == name.hasSuffix("_total"), "\(name)")
      #expect(name.hasPrefix("ferry_") || name.hasPrefix("process_"), "\(name)")
    }
  }

  @Test("histograms have their buckets, rising to +Inf, which is the count", arguments: processes)
  func histograms(roles: [Role]) async throws {
    let families = Self.families(try await Self.text(of: roles))
    for (name, bounds) in metricBuckets {
      guard let family = families[name] else { continue }
      #expect(family.kind == "histogram", "\(name)")
      let counts = family.samples.filter { $0.name == name + "_count" }
      #expect(!counts.isEmpty && family.samples.count == counts.count * (bounds.count + 3), "\(name)")
      for buckets in Dictionary(
        grouping: family.samples.filter { $0.name == name + "_bucket" },
        by: { $0.labels.replacing(#/,?le="[^"]*"/#, with: "") }
      ).values {
        let bound = buckets.map { $0.labels.firstMatch(of: #/le="([^"]*)"/#).map { String($0.output.1) } ?? "" }
        #expect(bound.dropLast().compactMap { Double($0) } == bounds && bound.last == "+Inf", "\(name)")
      }
    }
  }

  @Test("what the table describes some role tells, and the series that alerts need are there from the start")
  func complete() async throws {
    let families = Self.families(try await Self.text(of: [.load, .transform, .poll]))
    // How old the oldest doubt is PostgreSQL must tell first, and a certificate's end a handshake.
    let later: Set = ["ferry_certificate_expiry_epoch_seconds", "ferry_oldest_doubt_seconds"]
    #expect(Set(metricHelp.keys).subtracting(families.keys) == later)
    #expect(Set(metricBuckets.keys).subtracting(metricHelp.keys) == [])
    func has(_ name: String, _ labels: String) -> Bool {
      families[name]?.samples.contains { $0.labels == labels } ?? false
    }
    for reason in ReasonCode.allCases {
      for stage in StageName.allCases {
        #expect(has("ferry_dead_letters_total", "{reason=\"\(reason.rawValue)\",stage=\"\(stage.rawValue)\"}"))
        #expect(has("ferry_dead_letters_waiting", "{reason=\"\(reason.rawValue)\",stage=\"\(stage.rawValue)\"}"))
      }
    }
    #expect(has("ferry_requests_total", #"{call="save",class="uncertain",partner="k3"}"#))
    #expect(has("ferry_requests_total", #"{call="info",class="throttled",partner="okki"}"#))
    #expect(has("ferry_outcomes_total", #"{outcome="duplicate",reason="",stage="load"}"#))
    #expect(has("ferry_outcomes_total", #"{outcome="forward",reason="",stage="transform"}"#))
    #expect(has("ferry_returned_total", #"{stage="poll"}"#))
    #expect(has("ferry_reconnects_total", #"{partner="postgresql"}"#))
    #expect(has("ferry_reconnects_total", #"{partner="rabbitmq"}"#))
    #expect(has("ferry_queue_messages", #"{queue="orders.dead"}"#))
    // The alerts count in it.
    #expect(families["ferry_poll_interval_seconds"]?.samples.map(\.value) == ["75"])
    #expect(has("ferry_info", "{role=\"load\",version=\"\(Ferry.version)\"}"))
    let zero = families["ferry_requests_total"]?.samples.allSatisfy { $0.value == "0" }
    #expect(zero == true)
  }

  @Test("a process that does not poll tells nothing of what waits", arguments: [Role.transform, .load])
  func onlyTheLeader(role: Role) async throws {
    let families = Self.families(try await Self.text(of: [role]))
    let names = [
      "ferry_dead_letters_waiting", "ferry_oldest_dead_letter_seconds", "ferry_open_doubts", "ferry_queue_messages",
    ]
    #expect(names.filter { families[$0] != nil } == [])
  }

  @Test("no secret of the settings is in the text")
  func secrets() async throws {
    #expect(!(try await Self.text(of: [.load, .transform, .poll])).contains("s3cr3t"))
  }

  @Test("the version is the one that the changelog is about")
  func version() throws {
    let log = try String(contentsOf: Self.root.appending(path: "CHANGELOG.md"), encoding: .utf8)
    let heading = try #require(log.split(separator: "\n").first { $0.hasPrefix("## ") })
    let word = try #require(heading.split(separator: " ").dropFirst().first)
    #expect(word.lowercased().replacing(#/[\[\]]/#, with: "") == Ferry.version)
  }
}
