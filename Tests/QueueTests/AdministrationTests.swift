import AMQP
import Curl
import JSON
import Orders
import Pipeline
import PipelineTesting
import TestSockets
import Testing

@testable import Queue

@Suite("The topology on the broker", .timeLimit(.minutes(3)))
struct AdministrationTests {
  @Test("applying twice changes nothing, and verifying finds no difference")
  func repeatable() async throws {
    try await withTopology { broker async throws in
      #expect(try await broker.administration.apply().isEmpty)
      #expect(try await broker.administration.verify().isEmpty)
    }
  }

  @Test("nothing there is told, queue by queue")
  func nothing() async throws {
    let broker = try FreshTopology()
    let differences = try await broker.administration.verify()
    #expect(differences.count == broker.topology.queues.count + 1)
    #expect(differences.allSatisfy { $0.sentence.hasSuffix("is missing.") && $0.remedy == "Run ferry migrate." })
    await broker.administration.close()
  }

  @Test("a policy that somebody changed is told, and put right")
  func drift() async throws {
    try await withTopology { broker async throws in
      let management = try Management(broker.managementURL)
      let name = broker.topology.name(of: .bills)
      try await management.ask(
        .put, "policies/%2F/\(name)",
        #"{"pattern":"^\#(name)$","apply-to":"queues","priority":100,"definition":{"delivery-limit":3,"expires":1800000}}"#
      )
      // The management shows a new policy a moment after it was put.
      var differences: [SetupProblem] = []
      while differences.isEmpty {
        try Task.checkCancellation()
        differences = try await broker.administration.verify()
      }
      // One problem for the queue, whatever all is wrong with its policy.
      #expect(differences.count == 1)
      let sentence = try #require(differences.first).sentence
      #expect(sentence.hasPrefix("The policy of the queue \(name) is not Ferry's: "))
      #expect(sentence.contains("delivery-limit is 3, not 20"))
      #expect(sentence.contains("expires is 1800000, which Ferry did not ask for"))
      #expect(sentence.contains("dead-letter-exchange is missing"))
      #expect(differences.first?.remedy == "Run ferry migrate.")
      let diff = try #require(differences.first).difference
      #expect(
        diff.contains("- policy \(name): delivery-limit = 20") && diff.contains("+ policy \(name): delivery-limit = 3"))
      #expect(
        diff.contains("+ policy \(name): expires = 1800000")
          && !diff.contains { $0.hasPrefix("- policy \(name): expires") })
      #expect(diff.contains { $0.hasPrefix("- policy \(name): dead-letter-exchange = ") })
      #expect(try await broker.administration.apply().isEmpty)
    }
  }

  @Test("queues and exchange that were declared otherwise are all told, each with its remedy, and nothing is changed")
  func declaredOtherwise() async throws {
    let broker = try FreshTopology()
    let (full, empty) = (broker.topology.name(of: .bills), broker.topology.name(of: .orders))
    let connection = try await AMQPConnection.open(broker.settings.options(for: "test"))
    try await connection.declareExchange(name: broker.topology.exchange, type: "fanout", durable: true)
    try await connection.declareQueue(name: full, arguments: [AMQPHeader("x-message-ttl", .int(500_000))])
    try await connection.declareQueue(
      name: empty, arguments: [AMQPHeader("x-queue-type", .string("quorum")), AMQPHeader("x-max-length", .int(5))])
    let message = AMQPMessage(exchange: "", routingKey: full, properties: AMQPProperties(), body: [1])
    #expect(await connection.publish([message], timeoutSeconds: 20) == [.confirmed])
    // The management counts a message a moment after its confirm.
    var told: [SetupProblem] = []
    repeat {
      try Task.checkCancellation()
      told = try await broker.administration.verify()
    } while !told.contains { $0.remedy.contains("1 message:") }

    told = try await broker.administration.apply()
    #expect(told.count == 3)
    let exchange = try #require(told.first { $0.sentence.contains("The exchange \(broker.topology.exchange)") })
    #expect(exchange.sentence.contains("is of type \"fanout\", not direct"))
    let name = broker.topology.exchange
    #expect(exchange.difference == ["- exchange \(name): type = \"direct\"", "+ exchange \(name): type = \"fanout\""])
    let holding = try #require(told.first { $0.sentence.contains("The queue \(full) ") })
    #expect(holding.sentence.contains("is of type \"classic\", not quorum, was declared with x-message-ttl = 500000"))
    #expect(holding.remedy.contains("It holds 1 message: drain it first"))
    #expect(
      holding.difference == [
        "- queue \(full): type = \"quorum\"", "+ queue \(full): type = \"classic\"",
        "+ queue \(full): x-message-ttl = 500000",
      ])
    #expect(holding.remedy.hasSuffix("then run ferry migrate."))
    let idle = try #require(told.first { $0.sentence.contains("The queue \(empty) ") })
    #expect(idle.sentence.contains("was declared with x-max-length = 5"))
    #expect(idle.remedy.contains("holds no message now"))
    let management = try Management(broker.managementURL)
    let policies = try #require(try await management.ask(.get, "policies/%2F"))
    #expect(!policies.root.elements.contains { $0["name"]?.string?.hasPrefix(broker.topology.prefix) == true })

    try await connection.deleteQueue(full)
    try await connection.deleteQueue(empty)
    try await connection.deleteExchange(broker.topology.exchange)
    await connection.close()
    #expect(try await broker.administration.apply().isEmpty)
    try await broker.administration.remove()
    await broker.administration.close()
  }

  @Test("a foreign policy that outranks ours is one problem for each queue, with its name and priority")
  func outranked() async throws {
    try await withTopology { broker async throws in
      let management = try Management(broker.managementURL)
      let foreign = "\(broker.topology.prefix)theirs"
      let pattern = broker.topology.prefix.replacing(".", with: "\\\\.")
      try await management.ask(
        .put, "policies/%2F/\(foreign)",
        #"{"pattern":"^\#(pattern)","apply-to":"queues","priority":200,"definition":{"max-length":100}}"#)
      var told: [SetupProblem] = []
      repeat {
        try Task.checkCancellation()
        told = try await broker.administration.verify()
      } while told.count(where: { $0.sentence.contains(foreign) }) < broker.topology.queues.count
      #expect(told.count == broker.topology.queues.count)
      for (problem, queue) in zip(told, broker.topology.queues) {
        #expect(
          problem.sentence == "The queue \(queue.name) is under the policy \"\(foreign)\" (priority 200), not under "
            + "Ferry's own (priority 100).")
        #expect(problem.remedy.hasPrefix("Give the policy \"\(foreign)\" a priority below 100"))
        #expect(
          problem.difference == [
            "- queue \(queue.name): policy = \"\(queue.name)\", priority 100",
            "+ queue \(queue.name): policy = \"\(foreign)\", priority 200",
          ])
      }
      try await management.ask(.delete, "policies/%2F/\(foreign)")
      // Shown by the broker for a while longer: nobody is sent to look for a policy that is gone.
      #expect(try await broker.administration.apply().isEmpty)
    }
  }

  @Test("a login or virtual host that the broker refuses is told with its remedy, whatever the management API says")
  func refusedAddresses() async throws {
    let broker = try FreshTopology()
    #expect(try await broker.administration.reach() == nil)
    for (address, word) in [
      (try TestServers.rabbit().replacing("@", with: "wrong@"), "login"),
      (try TestServers.rabbit() + "nohost", "virtual host"),
    ] {
      let administration = try RabbitAdministration(
        try RabbitSettings(url: address), managementURL: broker.managementURL, topology: broker.topology)
      let refusal = try #require(try await administration.reach())
      #expect(refusal.sentence.contains(word), "\(refusal)")
      // The broker's own words end with a full stop, or not.
      #expect(refusal.sentence.hasSuffix(".") && !refusal.sentence.hasSuffix(".."), "\(refusal)")
      #expect(refusal.remedy.contains("FERRY_RABBITMQ_URL") || refusal.remedy.contains("rabbitmqctl"))
      await administration.close()
    }
    await broker.administration.close()
  }

  @Test("a user without rights on the virtual host is told what to be given")
  func rights() async throws {
    let url = try TestServers.rabbit()
    let management = try Management(try TestServers.rabbitManagement())
    let (user, host) = ("test-\(TestServers.freshWord())", "test-\(TestServers.freshWord())")
    try await management.ask(.put, "vhosts/\(host)")
    try await management.ask(.put, "users/\(user)", #"{"password":"secretword","tags":"administrator"}"#)
    let at = try #require(url.lastIndex(of: "@"))
    let place = url[url.index(after: at)...]
    func administration() throws -> RabbitAdministration {
      try RabbitAdministration(
        try RabbitSettings(url: "amqp://\(user):secretword@\(place)\(host)"),
        managementURL: try TestServers.rabbitManagement(), topology: try Topology(prefix: "t.", ladder: [1]))
    }
    // None at all: the login ends there.
    let without = try administration()
    let refusal = try #require(try await without.reach())
    #expect(refusal.sentence.contains("virtual host") && refusal.remedy.contains("permissions"), "\(refusal)")
    await without.close()
    // Some, but none to make queues.
    try await management.ask(.put, "permissions/\(host)/\(user)", #"{"configure":"^$","write":".*","read":".*"}"#)
    // The management's own user must see the virtual host.
    let operatorName = try AMQPAddress(url).user
    try await management.ask(
      .put, "permissions/\(host)/\(operatorName)", #"{"configure":".*","write":".*","read":".*"}"#)
    let some = try administration()
    #expect(try await some.reach() == nil)
    do throws(QueueFailure) {
      _ = try await some.apply()
      Issue.record("a user without rights made queues")
    } catch {
      #expect(error.description.contains("403"), "\(error)")
      #expect(error.remedy?.contains("set_permissions") == true)
      #expect(!"\(error)".contains("secretword"))
    }
    await some.close()
    try await management.ask(.delete, "vhosts/\(host)")
    try await management.ask(.delete, "users/\(user)")
  }

  @Test("queues are emptied, delay queues of earlier ladders too, but not under a worker")
  func emptied() async throws {
    try await withTopology { broker async throws in
      let connection = try await AMQPConnection.open(broker.settings.options(for: "test"))
      let old = "\(broker.topology.prefix)bills.retry.77s"
      try await connection.declareQueue(name: old, arguments: [AMQPHeader("x-queue-type", .string("quorum"))])
      try await connection.bindQueue(
        name: old, exchange: broker.topology.exchange, routingKey: "bills.retry.77s")
      let names = broker.topology.queues.map(\.name) + [old]
      let sent = names.map { AMQPMessage(exchange: "", routingKey: $0, properties: AMQPProperties(), body: [1]) }
      #expect(await connection.publish(sent, timeoutSeconds: 20).allSatisfy { $0 == .confirmed })
      try await connection.consume(queue: broker.topology.name(of: .bills), prefetch: 1)
      do throws(QueueFailure) {
        _ = try await broker.administration.empty()
        Issue.record("a worker's queue was emptied")
      } catch { #expect(error.remedy?.hasPrefix("Stop all roles") == true, "\(error)") }
      await connection.close()
      // The broker notices the consumer's end a moment later.
      var removed: Int?
      while removed == nil {
        try Task.checkCancellation()
        removed = try? await broker.administration.empty()
      }
      #expect(removed == names.count)
      #expect(try await broker.administration.queueDepths().allSatisfy { $0.messages == 0 })
      let after = try await AMQPConnection.open(broker.settings.options(for: "test"))
      try await after.deleteQueue(old)
      await after.close()
    }
  }

  @Test("a foreign binding is told")
  func foreign() async throws {
    try await withTopology { broker async throws in
      let name = broker.topology.name(of: .bills)
      let connection = try await AMQPConnection.open(broker.settings.options(for: "test"))
      try await connection.bindQueue(name: name, exchange: broker.topology.exchange, routingKey: "orders")
      await connection.close()
      #expect(
        try await broker.administration.verify().map(\.difference) == [
          ["+ binding of \(name) to \(broker.topology.exchange): orders"]
        ])
      #expect(
        try await broker.administration.verify().map(\.sentence) == [
          "\(name) is bound to \(broker.topology.exchange) under orders, which Ferry did not do."
        ])
    }
  }

  @Test("inbox and outbox of a role that was started before ferry migrate name ferry migrate")
  func unmigrated() async throws {
    let broker = try FreshTopology()
    let events = Probe<QueueEvent>()
    let inbox = RabbitInbox(broker.settings, topology: broker.topology, stage: .load, prefetch: 1) { events.report($0) }
    let taking = Task { await inbox.next(max: 1) }
    let told = try await events.wait { events in events.contains { if case .failed = $0 { true } else { false } } }
    #expect("\(told)".contains("`ferry migrate`"), "\(told)")
    await inbox.stop()
    try await ended(taking)
    await inbox.close()
    let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
    let results = await outbox.publish([Parcel(to: .dead(.load), .unreadable([1]))])
    #expect("\(results)".contains("`ferry migrate`"), "\(results)")
    #expect(outbox.standing.sentence?.hasSuffix("run `ferry migrate`") == true, "\(outbox.standing)")
    await outbox.close()
    await broker.administration.close()
  }

  @Test("queue depths are told in the topology's order")
  func depths() async throws {
    try await withTopology { broker async throws in
      let outbox = RabbitOutbox(broker.settings, topology: broker.topology)
      let results = await outbox.publish((0..<3).map { _ in Parcel(to: .dead(.load), .unreadable([1])) })
      #expect(results == [.confirmed, .confirmed, .confirmed])
      await outbox.close()
      // A quorum queue counts a message a moment after its confirm.
      var depths: [QueueDepth] = []
      repeat {
        try Task.checkCancellation()
        depths = try await broker.administration.queueDepths()
      } while depths.last?.messages != 3
      #expect(depths.map(\.queue) == broker.topology.queues.map(\.routingKey))
      #expect(depths.dropLast().allSatisfy { $0.messages == 0 })
    }
  }

  @Test("a password that the broker does not know is told without the password")
  func wrongPassword() async throws {
    let url = try TestServers.rabbitManagement()
    let at = try #require(url.lastIndex(of: "@"))
    let settings = try RabbitSettings(url: try TestServers.rabbit())
    let administration = try RabbitAdministration(
      settings, managementURL: "http://nobody:wrongword@\(url[url.index(after: at)...])", topology: try Topology())
    do throws(QueueFailure) {
      _ = try await administration.verify()
      Issue.record("a wrong password was taken")
    } catch {
      #expect(error.description.contains("401"))
      #expect(error.description.contains("refuses user or password"))
      #expect(error.remedy?.contains("FERRY_RABBITMQ_MANAGEMENT_URL") == true)
      #expect(!"\(error)\(error.remedy ?? "")".contains("wrongword"))
    }
    await administration.close()
  }

  @Test("a user who may not use the management is told what to be given, and not to correct the password")
  func untagged() async throws {
    let url = try TestServers.rabbitManagement()
    let at = try #require(url.lastIndex(of: "@"))
    let management = try Management(url)
    let user = "test-\(TestServers.freshWord())"
    for tags in ["", "management"] {
      try await management.ask(.put, "users/\(user)", #"{"password":"secretword","tags":"\#(tags)"}"#)
      let administration = try RabbitAdministration(
        try RabbitSettings(url: try TestServers.rabbit()),
        managementURL: "http://\(user):secretword@\(url[url.index(after: at)...])", topology: try Topology())
      do throws(QueueFailure) {
        _ = try await administration.verify()
        Issue.record("a user with the tags «\(tags)» was let in")
      } catch {
        #expect(error.description.contains("lacks rights"), "\(error)")
        #expect(error.remedy?.contains("policymaker") == true)
      }
      await administration.close()
    }
    try await management.ask(.delete, "users/\(user)")
  }

  @Test("of a queue that is missing only that is told, not also that it is not bound")
  func oneMissing() async throws {
    try await withTopology { broker async throws in
      let name = broker.topology.name(of: .bills)
      let connection = try await AMQPConnection.open(broker.settings.options(for: "test"))
      try await connection.deleteQueue(name)
      #expect(try await broker.administration.verify().map(\.sentence) == ["The queue \(name) is missing."])
      // There, and not bound: that is told.
      try await connection.declareQueue(name: name, arguments: [AMQPHeader("x-queue-type", .string("quorum"))])
      await connection.close()
      let told = try await broker.administration.verify().map(\.sentence)
      #expect(told.contains("The queue \(name) is not bound to \(broker.topology.exchange) under bills."))
      #expect(
        try await broker.administration.verify().contains {
          $0.difference == ["- binding of \(name) to \(broker.topology.exchange): bills"]
        })
    }
  }
}
