internal import JSON
internal import Orders
internal import Pipeline

/// Reads a `GetList` answer to the question for one bill (vendor-apis.md A.6).
enum K3Listed {
  /// What an answer says.
  enum Finding: Equatable {
    /// There is one bill, with this number; its details must be compared.
    case bill(String)
    case answer(LookUpAnswer)
  }

  /// What the answer says.
  ///
  /// Containers and counts are named `DATA`/`ROWCOUNT` or `Data`/`RowCount`. Only a plain "no rows" counts as absent:
  /// an answer that contradicts itself or the question is no answer, for what follows absence is another Save.
  static func finding(_ answer: K3Answer, _ question: K3Question) -> Finding {
    guard let data = answer.data, data.kind == .object else { return unusable("holds no page") }
    guard let count = data.member("RowCount")?.text.flatMap({ Int($0) }), count >= 0 else {
      return unusable("has no row count")
    }
    guard isEcho(data.member("PageSize"), K3Question.pageSize), isEcho(data.member("PageIndex"), 1) else {
      return unusable("is of another page than was asked for")
    }
    let page = data.member("Data")
    guard page == nil || page?.isNull == true || page?.kind == .array else { return unusable("holds no rows") }
    let rows = page.map { Array($0.elements) } ?? []
    if count == 0, rows.isEmpty { return .answer(.absent) }
    guard let row = rows.first else { return unusable("counts \(count) rows and shows none") }
    guard rows.count == 1, count == 1 else {
      let sentence = "\(question.field): K/3 holds \(max(count, rows.count)) bills under the order's number"
      return .answer(.ambiguous(Reason(.conflict, sentence)))
    }
    // A site that does not let us see what was asked for shows the row without it.
    if let shown = row.member(question.field)?.text, shown != question.value {
      guard shown.lowercased().trimmed == question.value.lowercased().trimmed else {
        return unusable("shows a bill that was not asked for")
      }
      let sentence = "\(question.field): K/3 holds a bill whose number differs by case or spaces only"
      return .answer(.ambiguous(Reason(.conflict, sentence)))
    }
    return number(of: row, question).map { .bill($0) } ?? unusable("shows a bill without its number")
  }

  /// Whether there are several rows, all of what was asked for.
  static func hasRows(_ answer: K3Answer, _ question: K3Question) -> Bool {
    let rows = rows(of: answer)
    return rows.count > 1 && rows.allSatisfy { $0.member(question.field)?.text == question.value }
  }

  /// The number of the one bill that all rows are of, by K/3's id; nil where they are not, or not all are shown.
  static func oneBill(_ answer: K3Answer, _ question: K3Question) -> String? {
    let rows = rows(of: answer)
    guard hasRows(answer, question), answer.data?.member("RowCount")?.text.flatMap({ Int($0) }) == rows.count else {
      return nil
    }
    let ids = rows.map { $0.member("FInterID")?.text.flatMap { ExactDecimal($0) }?.wholeNumber }
    guard ids.allSatisfy({ $0 ?? 0 > 0 }), Set(ids).count == 1 else { return nil }
    return rows.first.flatMap { number(of: $0, question) }
  }

  /// A row's bill number. It is what was asked for, or K/3 has to show it.
  private static func number(of row: JSONValue, _ question: K3Question) -> String? {
    if question.isForNumber { return question.value }
    let number = row.member(Bill.numberField)?.text ?? ""
    return number.isEmpty ? nil : number
  }

  private static func rows(of answer: K3Answer) -> [JSONValue] {
    guard let page = answer.data?.member("Data"), page.kind == .array else { return [] }
    return Array(page.elements)
  }

  private static func isEcho(_ value: JSONValue?, _ asked: Int) -> Bool {
    guard let value, !value.isNull else { return true }
    return value.text.flatMap { ExactDecimal($0) } == ExactDecimal(Int64(asked))
  }

  private static func unusable(_ what: String) -> Finding {
    .answer(.unusable(Reason(.inDoubt, "K/3's list \(what)")))
  }
}

extension String {
  /// Without spaces at its end, which SQL comparisons ignore.
  fileprivate var trimmed: Substring {
    var text = Substring(self)
    while text.last == " " { text = text.dropLast() }
    return text
  }
}
