import Expressions
import Testing

enum Published {
  /// Expressions of mapping-language.md §6.2, §6.3 and §17 in their exact spelling.
  static let all = [
    "{exchange_rate}/100", "{{product_list.product_list_cost_amount}}/{{product_list.product_list_count}}",
    "{{goods_list.price}}+( {{goods_list.share_post}}/{{goods_list.num}} )",
    "{{goods_list.share_discount}}+{{goods_list.share_post}}+{{goods_list.discount}}",
    "{{goodsDetail.sellCount}}*-1", "FROM_UNIXTIME( ( {{auditDate}} / 1000 ) ,'%Y-%m-%d %T' )",
    "CASE '{{settleAccountName}}' when '生和堂…支付宝' then 104 else 103 end",
    "case {{goodsDocDetailList.estPrice}} when 0 then true else false end",
    "round({{{refund_order_list.refund_order_amount}}/{{refund_order_list.refund_num}},7)",
    "case when {{details.details_amount_after_price}}<0 then '0' else '{{details.details_amount_after_price}}' end",
    "case when '{{orders.payPrice}}'>0 then '{{orders.payPrice}}' else '{{orders.Price}}' end",
    "case when '{{items.sale_price}}'='0' then 'true' when LOCATE('仔细','{{remark}}')>0 then 'true' else 'false' end",
    "case when '{{shop_name}}' like '%古神%' then 102 when '{{shop_name}}' like '%广州格物%' then 101 ELSE 100 end",
    "case when'{{product_list.6936878031302}}' ='' then '{{product_list.product_no}}' else '{{product_list.6936878031302}}' end",
    "({{items.sale_amount}}/{{items.calAmount}})*{{items.calPamount}}/{{items.qty}}", "ABS( {{GoodsDetail.SellPrice}})",
    "CASE LOCATE('检索文本','{{检索的字段}}')  WHEN 0 THEN '{{不匹配时字段A}}'  ELSE '{{匹配时的字段}}' END",
    "sum({{details_list.qty}})",
    "case '{{FOrgId}}' when '100' then {{price}}*{{qty}} when '200' then '201' else '{{FOrgId}}' end",
    "case _findCollection find FIsKFPeriod from 66da8241-98f4 where FNumber={{details.code}} _endFind when true then '{{a}}' else '' end",
    "IFNULL(_findCollection find a from 66da where FNumber={{code}}, '0')", "{{a}}{{b}}",
  ]
}

@Suite("Syntax of expressions", .timeLimit(.minutes(5)))
struct SyntaxTests {
  @Test("every published expression is read, but for those that are no expressions", arguments: Published.all)
  func published(text: String) throws {
    if text == "{{a}}{{b}}" {
      #expect(throws: ExpressionSyntaxError.self) { try Compiled(text) }
    } else {
      #expect(try !Compiled(text).expression.operands.isEmpty)
    }
  }

  @Test("the broken expression of §17 is an error, not a crash")
  func broken() {
    let text =
      "case when '{{trade_status}}'<='70' then '_findCollection find state from x where state in ('301','302')' then '70' else 1 end"
    #expect(throws: ExpressionSyntaxError.self) { try Compiled(text) }
  }

  @Test(
    "an error says where it is, in bytes",
    arguments: [
      ("1 +", 3, "the expression ends too early"),
      ("'中文' + )", 11, "«)» cannot stand here"),
      ("FOO(1)", 0, "the function «FOO» is unknown"),
      ("1 + foo", 4, "«foo» is no word of an expression; a field is written {{field}}, a text 'text'"),
      ("'abc", 0, "a text in quotes is not closed"),
      ("1 -- c", 2, "comments have no place in an expression"),
      ("1 /* c */", 2, "comments have no place in an expression"),
      ("# c", 0, "comments have no place in an expression"),
      ("0x41", 0, "numbers are written in decimal digits here, not as 0x… or 0b…"),
      ("b'01'", 0, "texts are written '…' here, without a letter before the quote"),
      ("a == b", 2, "equality is written with one ="),
      ("1 ? 2 : 3", 2, "a choice is written IF(condition, then, else) or CASE … END"),
      ("`a`", 0, "`…` names a column; a field is written {{field}}"),
      ("ROUND(1, 2, 3)", 0, "ROUND is written ROUND(x[, decimals])"),
      ("CASE 1 END", 7, "«END» cannot stand here; WHEN is missing"),
      ("CAST(1 AS DOUBLE)", 10, "DOUBLE would not be exact; DECIMAL(digits, decimals) is"),
      ("SUM(1)", 0, "SUM needs a field of a list in its argument"),
      ("SUM(MAX({a}))", 4, "a list function cannot stand in another one"),
      (
        "DATE_ADD({a}, INTERVAL 1 FORTNIGHT)", 25,
        "«FORTNIGHT» is no unit of time; known are MICROSECOND, SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER, YEAR, YEAR_MONTH, "
          + "DAY_HOUR, DAY_MINUTE, DAY_SECOND, DAY_MICROSECOND, HOUR_MINUTE, HOUR_SECOND, HOUR_MICROSECOND, MINUTE_SECOND, "
          + "MINUTE_MICROSECOND, SECOND_MICROSECOND"
      ),
      ("'x' REGEXP '('", 11, "the pattern cannot be used: missing closing parenthesis"),
      ("1}", 1, "a } without its {"), ("1 & 2", 2, "«&» is not part of any expression"),
      ("10a", 2, "letters directly behind a number"), ("{a", 0, "a placeholder is not closed"),
      ("1 + '{}'", 6, "a placeholder is malformed"), ("ABS", 0, "ABS needs its arguments in parentheses"),
      ("1 2", 2, "«2» cannot stand here"), ("", 0, "the expression ends too early"),
    ])
  func errors(text: String, offset: Int, sentence: String) {
    #expect(throws: ExpressionSyntaxError(sentence: sentence, offset: offset)) { try Compiled(text) }
  }

  @Test("nesting, length and chains are bounded")
  func bounds() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "(", count: depth) + "1" + String(repeating: ")", count: depth)
    }
    #expect(throws: Never.self) { try Compiled(nested(60)) }
    #expect(throws: ExpressionSyntaxError.self) { try Compiled(nested(70)) }
    for start in ["-", "NOT ", "!", "+", "ABS(", "CASE WHEN ", "1 BETWEEN 2 AND ", "IF(", "INTERVAL 1 DAY + "] {
      #expect(throws: ExpressionSyntaxError.self) { try Compiled(String(repeating: start, count: 5000)) }
    }
    for chain in ["1 IS NULL", "1 + INTERVAL 1 DAY"] {
      let parts = chain.split(separator: " ", maxSplits: 1)
      let text = "1 " + String(repeating: "\(parts[1]) ", count: 3000)
      #expect(throws: ExpressionSyntaxError.self) { try Compiled(text) }
    }
    #expect(throws: ExpressionSyntaxError.self) { try Compiled(String(repeating: "1+", count: 40_000) + "1") }
    // Long is not deep.
    #expect(try Compiled(String(repeating: "1+", count: 20_000) + "1").value() == decimal("20001"))
  }

  @Test("the operands are named once each, in order, from texts, look-ups and lists too")
  func operands() throws {
    let compiled = try Compiled(
      "{{b}} + '{{a}}-{{b}}' + SUM({{l.x}} * {{b}}) + GROUP_CONCAT(DISTINCT {{l.x}} SEPARATOR ';') + COUNT(DISTINCT {{l.x}})"
        + " + IFNULL(_findCollection find x from y where z={{q}} _endFind, {c})")
    #expect(compiled.names == ["b", "a", "l.x", "_findCollection find x from y where z={{q}}", "c"])
    #expect(compiled.expression.operands == [0, 1, 2, 3, 4])
    let printed = compiled.expression.description
    #expect(
      printed.contains("GROUP_CONCAT(DISTINCT {{l.x}} SEPARATOR ';')") && printed.contains("COUNT(DISTINCT {{l.x}})"))
  }

  @Test("what is printed is read as the same expression", arguments: Published.all.dropLast() + HandWritten.all)
  func printing(text: String) throws {
    guard let compiled = try? Compiled(text) else { return }
    let printed = compiled.expression.description
    let again = try Compiled(printed)
    #expect(again.expression.description == printed)
    #expect(again.names == compiled.names)
    #expect(Result { try again.value([:], mysql) }.text == Result { try compiled.value([:], mysql) }.text)
  }
}

extension Result where Success == SQLValue {
  /// The value's text or the error's.
  var text: String { (try? get().text ?? "NULL") ?? "an error" }
}
