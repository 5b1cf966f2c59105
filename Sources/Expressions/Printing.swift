import JSON

extension SQLExpression: CustomStringConvertible {
  /// The expression written out with all its parentheses. Read again it is the same expression.
  public var description: String { program.printed(program.root) }
}

extension Program {
  func printed(_ at: Int32) -> String {
    let node = nodes[Int(at)]
    switch node.kind {
    case .constant: return Self.literal(constants[Int(node.index)])
    case .operand: return spellings[Int(node.index)] ?? ""
    case .quoted: return "'\(spellings[Int(node.index)] ?? "")'"
    case .template: return template(node)
    case .arithmetic, .comparison: return chain(node)
    case .and: return "(\(list(node, between: " AND ")))"
    case .or: return "(\(list(node, between: " OR ")))"
    case .xor: return "(\(list(node, between: " XOR ")))"
    case .not: return "(NOT \(only(node)))"
    case .negate: return "(-(\(only(node))))"
    case .isTruth:
      let truth = Truth(rawValue: node.option) ?? .null
      return "(\(only(node)) IS \(node.isNegated ? "NOT " : "")\(truth.text))"
    case .like, .regexp, .inList, .between: return predicate(node)
    case .simpleCase, .searchedCase: return choice(node)
    case .call: return call(node)
    case .cast: return "CAST(\(only(node)) AS \(types[Int(node.index)].text))"
    }
  }

  private func only(_ node: Node) -> String { printed(child(node, 0)) }

  private func list(_ node: Node, from first: Int = 0, between separator: String) -> String {
    (first..<Int(node.count)).map { printed(child(node, $0)) }.joined(separator: separator)
  }

  static func literal(_ value: SQLValue) -> String {
    switch value {
    case .null: "NULL"
    case .bool(let value): value ? "TRUE" : "FALSE"
    case .text(let text): "'\(escaped(text))'"
    default: value.text ?? "NULL"
    }
  }

  private static func escaped(_ text: String) -> String {
    var result: [UInt8] = []
    let bytes = Array(text.utf8)
    for (index, byte) in bytes.enumerated() {
      switch byte {
      case UInt8(ascii: "'"): result += [0x27, 0x27]
      case UInt8(ascii: "\\"):
        // Before these two a backslash stays by itself.
        let next = index + 1 < bytes.count ? bytes[index + 1] : 0
        result += next == 0x25 || next == 0x5F ? [0x5C] : [0x5C, 0x5C]
      case UInt8(ascii: "{"): result += [0x5C, 0x7B]
      case 0: result += [0x5C, 0x30]
      default: result.append(byte)
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private func template(_ node: Node) -> String {
    let parts = (0..<Int(node.count)).map { index in
      let part = nodes[Int(child(node, index))]
      if part.kind == .quoted { return spellings[Int(part.index)] ?? "" }
      return Self.escaped(constants[Int(part.index)].text ?? "")
    }
    return "'\(parts.joined())'"
  }

  private func chain(_ node: Node) -> String {
    var result = only(node)
    for index in stride(from: 1, to: Int(node.count), by: 2) {
      let symbol =
        node.kind == .arithmetic
        ? Arithmetic(rawValue: child(node, index))?.text : Comparison(rawValue: child(node, index))?.text
      // Operators of both ranks never stand in one chain.
      result += " \(symbol ?? "") \(printed(child(node, index + 1)))"
    }
    return "(\(result))"
  }

  private func predicate(_ node: Node) -> String {
    let not = node.isNegated ? "NOT " : ""
    let left = only(node)
    switch node.kind {
    case .like:
      let escape = node.count > 2 ? " ESCAPE \(printed(child(node, 2)))" : ""
      return "(\(left) \(not)LIKE \(printed(child(node, 1)))\(escape))"
    case .regexp: return "(\(left) \(not)REGEXP \(printed(child(node, 1))))"
    case .inList: return "(\(left) \(not)IN (\(list(node, from: 1, between: ", "))))"
    default: return "(\(left) \(not)BETWEEN \(printed(child(node, 1))) AND \(printed(child(node, 2))))"
    }
  }

  private func choice(_ node: Node) -> String {
    var words = ["CASE"]
    var index = 0
    if node.kind == .simpleCase {
      words.append(only(node))
      index = 1
    }
    while index + 1 < Int(node.count) {
      words.append("WHEN \(printed(child(node, index))) THEN \(printed(child(node, index + 1)))")
      index += 2
    }
    if index < Int(node.count) { words.append("ELSE \(printed(child(node, index)))") }
    return (words + ["END"]).joined(separator: " ")
  }

  private func call(_ node: Node) -> String {
    guard let function = Function(rawValue: node.index), let row = FunctionTable.byFunction[function] else { return "" }
    let name = row.names[0]
    let unit = (TimeUnit(rawValue: node.option) ?? .day).text
    switch function {
    case .dateAdd, .dateSub:
      return "\(name)(\(only(node)), INTERVAL \(printed(child(node, 1))) \(unit))"
    case .timestampDiff: return "\(name)(\(unit), \(list(node, between: ", ")))"
    case .extract: return "\(name)(\(unit) FROM \(only(node)))"
    case .trim:
      let side = ["BOTH", "LEADING", "TRAILING"][Int(node.option)]
      let what = node.count > 1 ? "\(printed(child(node, 1))) " : ""
      return node.count > 1 || node.option != 0
        ? "\(name)(\(side) \(what)FROM \(only(node)))" : "\(name)(\(only(node)))"
    case _ where function.isAggregate:
      let argument = node.option == Function.distinct ? "DISTINCT \(only(node))" : only(node)
      return node.count > 1
        ? "\(name)(\(argument) SEPARATOR \(printed(child(node, 1))))" : "\(name)(\(argument))"
    default: return "\(name)(\(list(node, between: ", ")))"
    }
  }
}

// MARK: - The table for people

extension FunctionTable {
  /// The functions as a Markdown document.
  public static var markdown: String {
    let groups = [
      ("Choice", choice), ("Texts", texts), ("Numbers", numbers), ("Dates and times", dates), ("Lists", lists),
    ]
    let notes = [
      "Lists": """
      Their argument is reckoned in every row of the one list that its fields are from. A field that a row lacks is null in that row, a
      field outside of lists is the same in all of them. Fields of different lists fail, and a lookup, which is asked once, cannot stand in
      the argument. With `DISTINCT` before it a value that comes again counts once: texts without case and accents, numbers by their value.


      """
    ]
    let tables = groups.map { title, rows in
      let lines = rows.map { row in
        let calls = row.names.enumerated().map { index, name in index == 0 ? "`\(name)(\(row.arguments))`" : "`\(name)`"
        }
        return "| \(calls.joined(separator: ", ").replacing("|", with: "\\|")) | \(row.meaning) |"
      }
      return "## \(title)\n\n\(notes[title] ?? "")| Function | Meaning |\n|---|---|\n\(lines.joined(separator: "\n"))\n"
    }
    return introduction + "\n" + tables.joined(separator: "\n")
  }

  private static let introduction = """
    # Functions of `_function` expressions

    MySQL's expressions over exact decimals, written out from the table in `Sources/Expressions`; a test keeps both equal.
    What ends in `…` takes 64 arguments at most.

    | Operators, from the weakest | Meaning |
    |---|---|
    | `OR` `\\|\\|`, `XOR`, `AND` `&&`, `NOT` | null stays open: `NULL OR 1` is 1, `NULL AND 1` is null |
    | `=` `<=>` `<>` `!=` `<` `<=` `>` `>=` | texts without case, accents and spaces at the end; a text beside a number counts as one, beside a boolean also true and false; `<=>` knows null |
    | `IS [NOT] NULL`, `TRUE`, `FALSE` | sees null as IFNULL does |
    | `[NOT] LIKE x [ESCAPE c]`, `REGEXP`, `RLIKE`, `IN (…)`, `BETWEEN x AND y` | `%` and `_`; Perl's patterns without case |
    | `+` `-`, also with `INTERVAL n unit` | exact; units MICROSECOND SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR, and of several parts, such as `'1 2:30' DAY_MINUTE`: YEAR_MONTH, DAY_ and HOUR_ and MINUTE_ with each smaller one down to MICROSECOND, SECOND_MICROSECOND |
    | `*` `/` `DIV` `MOD` `%` | a product is divided once, at its end, whatever the order: `10/3*3` is 10; a quotient keeps 24 decimals, or MySQL's when that is set |
    | `-x`, `+x`, `!x` | |
    | `CASE x WHEN a THEN b … ELSE c END`, `CASE WHEN condition THEN b … END` | |
    | `CAST(x AS type)`, `CONVERT(x, type)` | SIGNED, UNSIGNED, DECIMAL(digits, decimals), CHAR(n), DATE, DATETIME, TIME |
    | `{{field}}`, `'… {{field}} …'` | the value as it is, digits and the words true and false in a text too; its text among other text, '' where there is nothing; a brace that begins no placeholder is written `\\{` |

    What passes a function, a choice or a sum on its way is a quotient of 24 decimals, cut off: `IFNULL(10/3,0)*3` is
    9.99…9. Where a number is rounded or compared for good (`ROUND`, `TRUNCATE`, `FLOOR`, `CEIL`, `FORMAT`, `CAST` to a number, `DIV`,
    `MOD`, `SIGN`, comparisons, `IN`, `BETWEEN`, `CASE`, conditions, the field's own decimals, an int) one of more than 20 decimals is
    first rounded to 20 digits, and at most 20 decimals, so that no half is lost: `ROUND(1/3+1/6)` is 1, `IFNULL(10/3,0)*3=10` holds.
    Not under `"division": "mysql"`.

    ## What fails (strict mode, in which strategies run)

    - A field without quotes that is missing, wherever it stands: the platform puts its empty text in place, and a formula with a gap is
      an error. It is null, and no failure, in `IFNULL`, `COALESCE`, `ISNULL`, `IS [NOT] NULL`, `TRUE` and `FALSE`, as either side of
      `NULLIF` and `<=>`, behind the separator of `CONCAT_WS`, and in the rows of a list function. Between quotes it is ''. A look-up
      that finds nothing is null everywhere.
    - An empty field without quotes in arithmetic, also with dates (`DATEDIFF`, `DATE_ADD` and their like), and beside a number, a boolean
      or a date. Between quotes the empty text counts as 0 in comparisons and comes before all dates; in arithmetic with numbers it fails.
      `DATE` and the other functions of one date make null of an empty text, as a placeholder makes nothing of it.
    - A text that is no number as a whole (`1,234.5`, `12kg`) in arithmetic, beside a number or boolean (`=`, `<`, `IN`, `BETWEEN`,
      `CASE x WHEN`, `FIELD`, `NULLIF`, `GREATEST`), and where true or false is needed (`IF`, `WHEN`, `NOT`, `AND`, `OR`).
    - A text that is no date in a function of dates and beside a date or time; seconds beyond all dates in `FROM_UNIXTIME`.
    - A division by zero, and arithmetic with null.

    `IFNULL` and its like see null instead of the first and the last, since there the author says what then; the other three fail there
    too. A boolean's text is true or false. A formula that comes to a bare `true` or `false` is sent as a JSON boolean, also by a field
    of `type` string; `'true'` is a text.

    The engine's MySQL mode, in which it is held against MariaDB, guesses as MySQL does instead: a text counts by the digits it begins
    with, what is no date comes before all, null goes on, and TRUE is written 1. No strategy runs in it; `"division": "mysql"` sets the
    decimals of quotients alone.
    What differs from MySQL even then is named row by row in `Tests/ExpressionsTests/KnownDifferences.swift`.

    """
}
