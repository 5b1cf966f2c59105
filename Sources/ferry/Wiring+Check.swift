import JSON
import K3
import Ledger
import Mapping
import OKKI
import Orders
import Pipeline
import Queue

/// What `ferry check` found out about one part.
struct Finding: Sendable {
  let subject: String
  var problems: [SetupProblem] = []
  /// What is odd and can yet be meant, a sentence each.
  var warnings: [String] = []
  /// What nobody can find out by asking, and a person has to know, a sentence each.
  var notes: [String] = []
  /// Settings without which the part could not be looked at.
  var lacking: [SettingName] = []
}

extension Wiring {
  /// Looks at every part whose own settings can be used; one that fails does not hide the others.
  func check() async -> [Finding] {
    var findings = [
      await finding("strategies", needs: [.strategies]) { checkStrategy() },
      await finding("PostgreSQL", needs: [.postgresURL, .postgresSchema]) { await checkDatabase() },
      await finding(
        "RabbitMQ", needs: [.rabbitURL, .rabbitManagementURL, .queuePrefix, .retrySeconds, .certificateAuthorities]
      ) { await checkBroker() },
      await finding("OKKI", needs: [.okkiURL, .okkiClientID, .okkiClientSecret, .certificateAuthorities]) {
        await checkOKKI()
      },
      await finding("K/3 WISE", needs: [.k3URL, .k3AuthorityCode, .certificateAuthorities]) {
        await checkK3()
      },
    ]
    if let collections = await checkCollections() { findings.insert(collections, at: 2) }
    if let files = checkFiles() { findings.append(files) }
    await close()
    return findings
  }

  /// The objects that K/3 is asked for, with the fields by which: those of the strategies that are on, or the usual ones where
  /// there is none to read.
  var keys: [String: Set<String>] {
    guard !settings.unusable.contains(.strategies), let folder = try? StrategyFolder(settings.text(.strategies)) else {
      return ["SO": [Bill.numberField]]
    }
    return Dictionary(grouping: folder.set.strategies.filter { !$0.isOff }, by: \.object)
      .mapValues { Set($0.map(\.keyField)) }
  }

  private func finding(_ subject: String, needs: [SettingName], look: () async -> Finding) async -> Finding {
    let lacking = needs.filter(settings.unusable.contains)
    return lacking.isEmpty ? await look() : Finding(subject: subject, lacking: lacking)
  }

  private func checkK3() async -> Finding {
    var finding = Finding(
      subject: "K/3 WISE",
      warnings: Trust.ofPlaintext(
        .k3URL, settings.text(.k3URL), remedy: "use https://, where K/3's web server speaks it, or a tunnel"),
      notes: k3Notes)
    do throws(SetupProblem) { finding.problems = await (try destination()).check(keys: keys) } catch {
      finding.problems = [error]
    }
    return finding
  }

  /// What K/3 does about a second bill with the same number it would show only when one is written.
  private var k3Notes: [String] {
    let others = Set(keys.values.joined()).subtracting([Bill.numberField]).sorted()
    var notes = [
      "whether it refuses a second bill with the same number or gives it another one cannot be asked: look at the option for "
        + "bill numbers in K/3 (deploy/README.md, Bill numbers). Where it renumbers, a loader that is frozen before its Save for "
        + "longer than FERRY_LEASE_SECONDS may write an order twice"
    ]
    if !others.isEmpty {
      notes.append(
        "it refuses no second bill with the same \(others.joined(separator: ", ")), the key of some strategies: there the same "
          + "holds whatever it does about numbers")
    }
    return notes + [settings.shutdownNote].compactMap { $0 }
  }

  private func checkOKKI() async -> Finding {
    do throws(SetupProblem) {
      let source = try orderSource()
      let problems = await source.check()
      let statuses = problems.isEmpty ? (try? await source.statuses()) ?? [] : []
      let trust = Trust.ofPlaintext(.okkiURL, settings.text(.okkiURL), remedy: "use https://, as the vendor's is")
      return Finding(subject: "OKKI", problems: problems, warnings: trust + returnsTakenAsSales(statuses))
    } catch {
      return Finding(subject: "OKKI", problems: [error])
    }
  }

  /// Statuses that sound like a return (退) and whose orders a strategy would send as sales orders (vendor-apis.md A.11:
  /// they must not be).
  private func returnsTakenAsSales(_ statuses: [OrderStatus]) -> [String] {
    guard !settings.unusable.contains(.strategies), let folder = try? StrategyFolder(settings.text(.strategies)) else {
      return []
    }
    return statuses.filter { $0.name.contains("退") }.flatMap { status in
      guard let value = try? JSONDocument(Array("\"\(status.code)\"".utf8)).root else { return [String]() }
      return folder.set.mayTake("status", value).filter { $0.object == "SO" }.map { strategy in
        "orders in the status \(status.code) «\(status.name)» would become sales orders by \(strategy.name): if it means "
          + "returns, add {\"field\":\"status\",\"logic\":\"neq\",\"value\":\"\(status.code)\"} to its condition, or turn a "
          + "return strategy on (deploy/README.md, Turning returns on)"
      }
    }
  }

  private func checkStrategy() -> Finding {
    let remedy = "Mend the file; deploy/strategies/sales-order is a working example."
    do throws(StrategyFolderProblems) {
      let folder = try StrategyFolder(settings.text(.strategies))
      let names = folder.set.strategies.map { $0.isOff ? "\($0.name) (off)" : $0.name }
      return Finding(
        subject: "strategies: \(names.joined(separator: ", "))", warnings: folder.warnings.map(\.description))
    } catch {
      return Finding(
        subject: "strategies",
        problems: error.problems.map { SetupProblem(SetupProblem.ended("\($0)"), remedy: remedy) },
        warnings: error.warnings.map(\.description))
    }
  }

  /// Who may read, change or replace the files that secrets and trust come from; nil where there are none.
  private func checkFiles() -> Finding? {
    var warnings: [String] = []
    var handed: [String] = []
    for (name, path) in settings.files.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      if Trust.isHanded(path) {
        handed.append("\(name.rawValue)_FILE")
      } else {
        warnings += Trust.ofFile("\(name.rawValue)_FILE", path, isSecret: true)
      }
    }
    if !settings.unusable.contains(.certificateAuthorities) {
      let name = SettingName.certificateAuthorities
      warnings += Trust.ofFile(name.rawValue, settings.text(name), isSecret: false)
    }
    if settings.files.isEmpty && warnings.isEmpty { return nil }
    return Finding(subject: "files", warnings: warnings, notes: Trust.ofHanded(handed))
  }

  private func checkDatabase() async -> Finding {
    var finding = await lookAtDatabase()
    finding.warnings = databaseWarnings + finding.warnings
    return finding
  }

  var databaseWarnings: [String] { Trust.ofDatabase(ledgerOptions.route) }

  private func lookAtDatabase() async -> Finding {
    do {
      let database = try database(connections: 1)
      let migrator = Migrator(database)
      try await migrator.check()
      var problems: [SetupProblem] = []
      if try await migrator.hasOlderRecords() {
        problems.append(
          SetupProblem(
            "An older program has stored records whose inner fields lookups do not find.",
            remedy: "Stop the older program, then run ferry migrate."))
      }
      var finding = Finding(subject: "PostgreSQL", problems: problems)
      if let version = try await migrator.newerVersion() {
        finding.notes.append(
          "the schema is at version \(version), of a newer program, which lets this one work beside it")
      }
      if try await LedgerRestore(database).isOpen() {
        finding.notes.append(
          "the ledger was restored: K/3 is asked for each bill before it is first saved, until ferry migrate --restore-over"
        )
      }
      return finding
    } catch {
      let remedy =
        if case .unavailable = error {
          "Start PostgreSQL, or correct FERRY_POSTGRES_URL."
        } else if case .broken(let why) = error,
          ["(28", "(3D", "run `", "run the newer", "address cannot be used"].contains(where: { why.contains($0) })
        {
          "Then run ferry check again."
        } else {
          "Run ferry migrate."
        }
      return Finding(
        subject: "PostgreSQL", problems: [SetupProblem(Startup.sentence(of: error), remedy: remedy)])
    }
  }

  /// What is wrong with the broker's two addresses, and, where both can be used, with what is on it.
  struct BrokerFindings: Sendable {
    /// At AMQP's address.
    var amqp: (any Error)?
    /// At the management's, or in the work itself.
    var management: (any Error)?
    var differences: [SetupProblem] = []

    /// The management's error for one that waits for the broker. One that starts opens its management before it has read whom it
    /// knows and what they may, and AMQP after that: until AMQP answers, a refusal of the management's may pass.
    var refusal: (any Error)? {
      guard let away = amqp as? QueueFailure, away.remedy == nil, let told = management as? QueueFailure else {
        return management
      }
      return told.passing
    }
  }

  /// Tries both addresses, whatever is wrong with one of them: neither says anything of the other.
  func broker(
    _ work: (RabbitAdministration) async throws(QueueFailure) -> [SetupProblem]
  ) async throws(QueueFailure) -> BrokerFindings {
    let administration = try administration()
    var found = BrokerFindings()
    do throws(QueueFailure) { found.amqp = try await administration.reach() } catch { found.amqp = error }
    do throws(QueueFailure) {
      // In a virtual host that cannot be used everything is missing.
      if found.amqp == nil {
        found.differences = try await work(administration)
      } else {
        try await administration.ask()
      }
    } catch { found.management = error }
    await administration.close()
    return found
  }

  private func checkBroker() async -> Finding {
    var finding = await lookAtBroker()
    let management = settings.text(.rabbitManagementURL)
    finding.warnings =
      Trust.ofBroker(
        .rabbitURL, settings.text(.rabbitURL), remedy: "use amqps://, with the broker's authority in FERRY_CA_FILE")
      + Trust.ofBroker(
        .rabbitManagementURL, management, remedy: "use https://, with the broker's authority in FERRY_CA_FILE")
    return finding
  }

  private func lookAtBroker() async -> Finding {
    do {
      let found = try await broker { administration throws(QueueFailure) in try await administration.verify() }
      let amqp = found.amqp.map { problem($0, remedy: "Start RabbitMQ, or correct FERRY_RABBITMQ_URL.") }
      let management = found.management.map {
        problem($0, remedy: "Start RabbitMQ with its management plugin, or correct FERRY_RABBITMQ_MANAGEMENT_URL.")
      }
      return Finding(subject: "RabbitMQ", problems: [amqp, management].compactMap { $0 } + found.differences)
    } catch {
      let remedy = "Correct FERRY_RABBITMQ_URL and FERRY_RABBITMQ_MANAGEMENT_URL."
      return Finding(subject: "RabbitMQ", problems: [problem(error, remedy: remedy)])
    }
  }

  /// An error with its own remedy, or with this one.
  func problem(_ error: any Error, remedy: String) -> SetupProblem {
    if let failure = error as? QueueFailure, let own = failure.remedy {
      return SetupProblem(SetupProblem.ended(failure.description), remedy: own)
    }
    let sentence = SetupProblem.ended(Startup.sentence(of: error))
    return (error as? SetupProblem) ?? SetupProblem(sentence, remedy: remedy)
  }
}
