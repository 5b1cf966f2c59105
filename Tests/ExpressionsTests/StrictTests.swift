import Expressions
import JSON
import Testing

/// Strict settings: what MySQL would guess fails by name (mapping-language.md §6.1), so that no guess becomes a price.
@Suite("Strict settings guess nothing")
struct StrictTests {
  private static let values: [String: SQLValue] = [
    "price": .text("1,234.5"), "word": .text("abc"), "empty": .text(""), "day": .text("31/01/2024"), "n": decimal("5"),
    "good": .text("2024-01-31"), "flag": .bool(true), "long": decimal("1710403200000"), "yes": .text("true"),
  ]

  private static func failure(_ text: String) throws -> EvaluationError? {
    do {
      _ = try Compiled(text).value(values)
      return nil
    } catch let error as EvaluationError { return error }
  }

  @Test(
    "a text that is no number fails beside a number or boolean and where true or false is needed; MySQL's settings count its digits",
    arguments: [
      ("IF({{price}}>1000,{{price}},0)", "price"), ("'{{price}}'=1", "price"), ("2<{{word}}", "word"),
      ("{{word}}=TRUE", "word"), ("'{{word}}'<=>0", "word"), ("CASE '{{price}}' WHEN 1 THEN 2 END", "price"),
      ("CASE 1 WHEN 0 THEN 2 WHEN '{{word}}' THEN 3 END", "word"), ("{{word}} IN (1,2)", "word"),
      ("1 NOT IN (2,'{{word}}')", "word"), ("{{price}} BETWEEN 0 AND 9", "price"),
      ("2 BETWEEN '{{word}}' AND 9", "word"),
      ("FIELD({{price}},1,2)", "price"), ("FIELD(2,1,'{{word}}')", "word"), ("NULLIF({{word}},0)", "word"),
      ("CASE WHEN {{word}} THEN 1 ELSE 2 END", "word"), ("IF('{{word}}',1,2)", "word"), ("NOT {{word}}", "word"),
      ("{{word}} AND 1", "word"), ("0 OR {{word}}", "word"), ("1 XOR '{{word}}'", "word"),
      ("'{{word}}' IS TRUE", "word"), ("IFNULL({{price}}>1000,0)", "price"),
    ])
  func texts(text: String, field: String) throws {
    #expect(try Self.failure(text) == .unfit(field, wanted: "a number", kind: "a text"))
    #expect(try Compiled(text).value(Self.values, mysql) != .text(""))
  }

  @Test(
    "a text that is no date fails beside a date or a time",
    arguments: [
      "IF('{{day}}'>CURDATE(),1,0)", "CURDATE()={{word}}", "{{word}}<NOW()", "CURDATE() IN ('{{day}}')",
      "CURDATE() BETWEEN '{{word}}' AND '2025-01-01'", "CASE CURDATE() WHEN {{day}} THEN 1 END", "CURTIME()>'{{word}}'",
      "GREATEST(CURDATE(),'{{day}}')",
    ])
  func dates(text: String) throws {
    guard case .unfit(let field, let wanted, _) = try Self.failure(text) else {
      Issue.record("\(text) does not fail")
      return
    }
    #expect(["day", "word"].contains(field))
    #expect(["a date", "a time"].contains(wanted))
    _ = try Compiled(text).value(Self.values, mysql)
  }

  @Test(
    "numbers in texts, dates in texts and the empty text in quotes keep their meaning",
    arguments: [
      ("'{{empty}}'>0", "0"), ("'{{empty}}'=0", "1"), ("' 5 '=5", "1"), ("'1e1'=10", "1"), ("IF('{{empty}}',1,2)", "2"),
      ("'{{none}}'>0", "0"), ("'{{good}}'<CURDATE()", "1"), ("'{{empty}}'<CURDATE()", "1"), ("{{word}}='ABC'", "1"),
      ("{{price}}='1,234.5'", "1"), ("'{{price}}' LIKE '%,%'", "1"), ("NULLIF({{empty}},0)", "NULL"),
      ("{{empty}} <=> 0", "1"), ("{{empty}}=''", "1"), ("CASE '{{word}}' WHEN 'abc' THEN 1 END", "1"),
    ])
  func kept(text: String, wanted: String) throws {
    #expect(try Compiled(text).value(Self.values).text ?? "NULL" == wanted)
  }

  @Test(
    "a field without quotes that is missing is a gap in the formula",
    arguments: [
      "case {{none}} when 0 then true else false end", "{{none}}>5", "5 IN ({{none}},5)", "{{none}} BETWEEN 1 AND 2",
      "IF({{none}},1,2)", "NOT {{none}}", "{{none}} OR 1", "CAST({{none}} AS DECIMAL)", "CONCAT('a',{{none}})",
      "{{none}}", "UPPER(TRIM({{none}}))", "{{none}} LIKE '%a%'", "DATE({{none}})", "IF(0,1,{{none}})",
      "GREATEST(1,{{none}})", "NULLIF({{none}}*2,0)", "FIELD({{none}},1)",
    ])
  func missing(text: String) throws {
    #expect(try Self.failure(text) == .nothing("none"))
    _ = try Compiled(text).value(Self.values, mysql)
  }

  @Test("an empty one is a gap beside a number, a boolean or a date", arguments: ["=0", ">TRUE", "<CURDATE()"])
  func emptyField(rest: String) throws {
    #expect(try Self.failure("{{empty}}\(rest)") == .empty("empty"))
  }

  @Test(
    "where null is awaited a missing field is null, and so is a look-up that finds nothing everywhere",
    arguments: [
      ("IFNULL({{none}},7)", "7"), ("COALESCE({{none}},{{n}})", "5"), ("IFNULL(CONCAT('a',{{none}}),7)", "7"),
      ("ISNULL({{none}})", "1"), ("{{none}} IS NULL", "1"), ("{{none}} IS TRUE", "0"), ("{{none}} IS NOT FALSE", "1"),
      ("{{none}} <=> NULL", "1"), ("5 <=> {{none}}", "0"), ("{{none}} <=> 0 = 0", "1"), ("NULLIF({{none}},0)", "NULL"),
      ("NULLIF(1,{{none}})", "1"), ("CONCAT_WS('-','a',{{none}},'b')", "a-b"), ("IF(1,{{n}},{{none}})", "5"),
      ("IF(IFNULL({{none}}>5,0),1,2)", "2"), ("'{{none}}'=''", "1"), ("NULL OR 1", "1"), ("COUNT({{none}})", "0"),
      ("case _findCollection find a from b where c={{d}} _endFind when 0 then 1 else 2 end", "2"),
      ("IF(_findCollection find a from b where c={{d}} _endFind > 5,1,2)", "2"),
    ])
  func awaited(text: String, wanted: String) throws {
    #expect(try Compiled(text).value(Self.values).text ?? "NULL" == wanted)
  }

  @Test(
    "a boolean's text is true or false, and these words are booleans beside one",
    arguments: [
      ("'{{flag}}'", "true"), ("'is {{flag}}'", "is true"), ("CONCAT({{flag}},'')", "true"), ("{{flag}}+1", "2"),
      ("case '{{flag}}' when 'true' then 'T' else 'F' end", "T"),
      ("case {{flag}} when true then 'T' else 'F' end", "T"),
      ("case '{{yes}}' when true then 'T' else 'F' end", "T"), ("{{flag}}='false'", "0"), ("IF('{{flag}}',1,2)", "1"),
      ("UPPER({{flag}})", "TRUE"), ("GROUP_CONCAT({{flag}})", "true"), ("CONCAT(1=1)", "1"),
      ("CAST({{flag}} AS CHAR)", "true"),
    ])
  func booleans(text: String, wanted: String) throws {
    #expect(try Compiled(text).value(Self.values).text == wanted)
  }

  @Test("milliseconds taken for seconds, and a text that no format fits, fail")
  func timesBeyondDates() throws {
    let seconds = EvaluationError.unfit("long", wanted: "seconds since 1970", kind: "a number beyond all dates")
    #expect(try Self.failure("FROM_UNIXTIME({{long}})") == seconds)
    #expect(try Self.failure("FROM_UNIXTIME({{long}},'%Y')") == seconds)
    #expect(try Compiled("FROM_UNIXTIME({{long}}/1000)").value(Self.values).text == "2024-03-14 16:00:00")
    let misfit = EvaluationError.unfit("day", wanted: "a date in the format given", kind: "another text")
    #expect(try Self.failure("STR_TO_DATE('{{day}}','%Y-%m-%d')") == misfit)
    #expect(try Compiled("STR_TO_DATE('{{empty}}','%Y-%m-%d')").value(Self.values) == .null)
    // One format after the other.
    let either = "COALESCE(STR_TO_DATE('{{day}}','%Y-%m-%d'),STR_TO_DATE('{{day}}','%d/%m/%Y'))"
    #expect(try Compiled(either).value(Self.values).text == "2024-01-31")
    for text in ["FROM_UNIXTIME({{long}})", "STR_TO_DATE('{{day}}','%Y-%m-%d')"] {
      #expect(try Compiled(text).value(Self.values, mysql) == .null)
    }
  }

  @Test(
    "an interval of several parts is one, or fails",
    arguments: ["abc", "", "1 2 3", "1x2", "99999999999999999999 1"])
  func intervals(text: String) throws {
    let compiled = try Compiled("DATE_ADD('2024-01-31', INTERVAL '{{i}}' DAY_HOUR)")
    let wanted = EvaluationError.unfit("i", wanted: "an interval of DAY_HOUR", kind: "another value")
    #expect(throws: wanted) { try compiled.value(["i": .text(text)]) }
    _ = try compiled.value(["i": .text(text)], mysql)
  }
}
