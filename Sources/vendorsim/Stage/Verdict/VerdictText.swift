import JSON

extension Verdict {
  /// Reads both books and the workers' counters, and judges.
  /// - Parameters:
  ///   - okki: base URL of the simulated OKKI.
  ///   - k3: base URL of the simulated K/3.
  ///   - workers: base URLs of Ferry's admin ports; with none, parked orders are not counted.
  ///   - rules: what Ferry's strategies make of an order.
  /// - Throws: an error with one sentence when a book cannot be read.
  public static func reached(
    okki: String, k3: String, workers: [String], rules: JudgeRules = JudgeRules()
  ) throws -> Verdict {
    Judge.judge(try Books.read(okki: okki, k3: k3, workers: workers), rules)
  }

  /// The verdict as a table for people; its last line is `VERDICT: holds` or `VERDICT: broken`.
  public var table: String {
    var rows: [(String, String)] = [
      ("orders that must be in K/3", "\(toLoad)"),
      ("  there exactly once, all figures right", "\(right)"),
      ("  missing", count(.missing)),
      ("  there more than once", count(.duplicate)),
      ("  there with wrong figures", count(.differs)),
      ("  there in bills of different revisions", count(.mixed)),
      ("  changed back to an earlier revision", count(.overtaken)),
      ("  there as an earlier revision", "\(outdated)"),
      ("orders that cannot be mapped", "\(toPark)"),
      ("  absent from K/3", "\(absent)"),
    ]
    for reason in reasons {
      let parked = reason.parked.map { "\($0) parked" } ?? "not asked"
      rows.append(("  \(reason.name)", "\(reason.expected) (\(parked))"))
    }
    if removed > 0 { rows.append(("orders deleted in OKKI", "\(removed)")) }
    if let left = counts[Difference.Kind.left.rawValue] { rows.append(("  with bills left in K/3", "\(left)")) }
    rows.append(("bills in K/3", "\(bills)"))
    for (object, count) in objects.sorted(by: { $0.key < $1.key }) where objects.count > 1 {
      rows.append(("  \(object)", "\(count)"))
    }
    rows.append(("  that no order stands behind", count(.phantom)))
    rows.append(("Saves that K/3 judged", "\(saves) (\(refusedDuplicates) refused as duplicates)"))
    let width = (rows.map(\.0.count).max() ?? 0) + 2
    var text =
      rows.map { $0.0 + String(repeating: " ", count: width - $0.0.count) + $0.1 }.joined(separator: "\n") + "\n"
    for example in examples { text += "! \(example.subject): \(example.detail)\n" }
    let all = counts.values.reduce(0, +)
    if all > examples.count { text += "! and \(all - examples.count) more\n" }
    return text + "VERDICT: \(holds ? "holds" : "broken")"
  }

  /// How far it is, in a line.
  public var progress: String {
    "\(right) of \(toLoad) orders are in K/3 as they must be, \(bills) bills in \(saves) Saves"
  }

  /// The verdict as one JSON object.
  public var json: String {
    let bytes = jsonObject(reserving: 1_024) { writer in
      writer.member("holds", holds)
      writer.member("to_load", toLoad)
      writer.member("right", right)
      writer.member("to_park", toPark)
      writer.member("absent", absent)
      writer.member("removed", removed)
      writer.member("outdated", outdated)
      writer.member("bills", bills)
      writer.member("objects", counts: objects)
      writer.member("saves", saves)
      writer.member("refused_duplicates", refusedDuplicates)
      writer.member("differences", counts: counts)
      writer.member(
        "reasons",
        array: { list in
          for reason in reasons {
            list.object { one in
              one.member("reason", reason.name)
              one.member("expected", reason.expected)
              if let parked = reason.parked { one.member("parked", parked) }
            }
          }
        })
      writer.member(
        "examples",
        array: { list in
          for example in examples {
            list.object { one in
              one.member("kind", example.kind)
              one.member("subject", example.subject)
              one.member("detail", example.detail)
            }
          }
        })
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func count(_ kind: Difference.Kind) -> String { "\(counts[kind.rawValue] ?? 0)" }
}
