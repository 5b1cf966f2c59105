#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif
internal import JSON
internal import Orders
public import Pipeline

/// A status that orders may have at this site (vendor-apis.md B.7: each enterprise has its own).
public struct OrderStatus: Sendable, Equatable {
  /// What `status` of an order holds.
  public let code: String
  /// Its name, for people.
  public let name: String
}

extension OKKIOrderSource {
  /// The site's statuses of orders, from `orderEnums`.
  /// - Throws: `SourceFailure` when OKKI does not tell them.
  public func statuses() async throws(SourceFailure) -> [OrderStatus] {
    try await client.ask("/v1/invoices/order/orderEnums", keeping: []) { answer throws(SourceFailure) in
      guard let list = answer.data?["order_status_list"], list.kind == .array else {
        throw .malformed("OKKI's enumerations have no order_status_list")
      }
      return list.elements.compactMap { row in
        row["code"]?.text.map { OrderStatus(code: $0, name: row["name"]?.text ?? "") }
      }
    }
  }

  /// Looks for everything that would keep orders from being read: reach, credentials, rights to orders and customers,
  /// clocks that differ.
  /// - Parameter largestSkewSeconds: how far the two clocks may be apart.
  /// - Returns: every problem found, each with its remedy; empty when all is well.
  public func check(largestSkewSeconds: Int64 = 60) async -> [SetupProblem] {
    var problems: [SetupProblem] = []
    do throws(SourceFailure) {
      let skew = try await now().epochSeconds - Int64(time(nil))
      if abs(skew) > largestSkewSeconds {
        problems.append(
          SetupProblem(
            "OKKI's clock is \(abs(skew)) seconds \(skew > 0 ? "ahead of" : "behind") this machine's.",
            remedy: "Set this machine's clock by NTP; polling itself goes by OKKI's clock and stays right."))
      }
    } catch {
      problems.append(problem(error, with: "orders", scope: "invoices"))
    }
    do throws(SourceFailure) {
      // One customer who cannot be read is his own matter, as long as others can.
      try await checkCustomers()
    } catch {
      let found = problem(error, with: "customers", scope: "company")
      // What stops both is told once.
      if problems.last?.remedy != found.remedy { problems.append(found) }
    }
    return problems
  }

  /// OKKI's words are for people at a terminal; no log has them.
  private func quoted(_ answer: String?) -> String { answer.map { ", in its words: \($0)" } ?? "" }

  private func problem(_ failure: SourceFailure, with what: String, scope: String) -> SetupProblem {
    switch failure {
    case .unauthorized(let sentence, let answer) where sentence.contains("scope"):
      SetupProblem(
        "OKKI does not let us read \(what): \(sentence)\(quoted(answer)).",
        remedy: "Let OKKI's administrator grant the scope \(scope).")
    case .unauthorized(let sentence, let answer):
      SetupProblem(
        "OKKI does not let us in: \(sentence)\(quoted(answer)).",
        remedy: "Compare client id and secret with 企业管理 → 外部对接 → API对接.")
    case .transient(let sentence, let answer):
      SetupProblem(
        "OKKI cannot be reached: \(sentence)\(quoted(answer)).",
        remedy: "Check the URL, the network and the certificate authorities.")
    case .throttled:
      SetupProblem("OKKI says that we ask too often.", remedy: "Wait a minute, then lower the rate.")
    case .malformed(let sentence, _), .unframed(let sentence, _):
      SetupProblem("OKKI's answer cannot be read: \(sentence).", remedy: "Check that the URL is OKKI's API.")
    case .absent:
      SetupProblem("OKKI has no list of \(what).", remedy: "Check that the URL is OKKI's API.")
    }
  }
}
