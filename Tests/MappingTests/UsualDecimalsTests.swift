import JSON
import Mapping
import Testing

@Suite("K/3's decimals of formulas that name none (vendor-apis.md A.8.2, A-18)")
struct UsualDecimalsTests {
  private static let divided = "_function 200/3"

  private func value(
    _ name: String, _ value: String, _ order: String = "{}", type: String = "string", more: String = "",
    rules: String = ""
  ) throws -> String? {
    try data(strategy(field(name, value, type: type, more), rules: #""key":"N"\#(rules)"#), order)[name]?.text
  }

  private func warnings(_ name: String, _ value: String, type: String = "string", more: String = "") throws -> [String]
  {
    try strategy(field(name, value, type: type, more)).warnings.map(\.sentence)
  }

  @Test(
    "prices have 6, quantities 4 and amounts 2, half away from zero, in whatever case K/3's name is written",
    arguments: [
      ("FAuxTaxPrice", "66.666667"), ("Fauxprice", "66.666667"), ("FAUXPRICE", "66.666667"),
      ("FAuxPriceDiscount", "66.666667"), ("FConsignPrice", "66.666667"), ("Fauxqty", "66.6667"), ("FQty", "66.6667"),
      ("FAuxQtyMust", "66.6667"), ("Famount", "66.67"), ("FAllAmount", "66.67"), ("FAllStdAmount", "66.67"),
      ("FTaxAmt", "66.67"), ("FConsignAmount", "66.67"),
    ])
  func classes(name: String, expected: String) throws {
    for type in ["string", "float"] { #expect(try value(name, Self.divided, type: type) == expected) }
    #expect(try value(name, "_function -200/3") == "-\(expected)")
    let told = try warnings(name, Self.divided)
    #expect(told.count == 1)
    #expect(told.first?.hasPrefix("what the formula makes is rounded half away from zero to") == true)
  }

  @Test("exactly half a unit goes away from zero, and what fits is left as it is")
  func half() throws {
    #expect(try value("Famount", "_function {x}*1", #"{"x":"0.005"}"#) == "0.01")
    #expect(try value("Famount", "_function {x}*1", #"{"x":"-0.005"}"#) == "-0.01")
    #expect(try value("Famount", "_function {x}", #"{"x":10.50}"#) == "10.50")
    #expect(try value("FAuxTaxPrice", "_function {x}", #"{"x":"1.5000000"}"#) == "1.5")
  }

  @Test("plain placeholders, other fields and other platforms' documents are left alone")
  func others() throws {
    #expect(try value("Famount", "{x}", #"{"x":"1.234567"}"#) == "1.234567")
    #expect(try value("FNote", "_function {x}*1", #"{"x":"1.23456789"}"#) == "1.23456789")
    let document = try target(field("Famount", Self.divided))
    #expect(try body(document).contains("66.6666666"))
    #expect(document.warnings.isEmpty)
    #expect(try value("Famount", "_function IF({x}='','',{x}/3)", #"{"x":""}"#) == nil)
  }

  @Test("a text that is a number is rounded like one, as a field's own decimals have it; one that is none fails")
  func texts() throws {
    let order = #"{"x":"7.129","txt":"abc","q":"7"}"#
    for (formula, wanted) in [
      ("CAST({{q}}/3 AS CHAR)", "2.33"), ("CONCAT({{x}},'')", "7.13"), ("'{{x}}'", "7.13"), ("IF(1=2,1,'')", nil),
      ("CONCAT(7.10,'')", "7.10"),
    ] {
      for type in ["string", "float"] {
        #expect(try value("FAmount", "_function \(formula)", order, type: type) == wanted)
      }
    }
    for formula in ["IF(1,'{{txt}}',0)", "FORMAT({{q}}*1000/3,3)", "CONCAT('a',{{x}})"] {
      for more in ["", #""ferry":{"decimals":"amount"}"#] {
        let found = try failures(
          strategy(field("FAmount", "_function \(formula)", type: "string", more), rules: #""key":"N""#), order)
        #expect(found.map(\.code) == [.valueInvalid], "\(formula)")
        #expect(found.first?.sentence.contains("should be a number but is a text of") == true)
      }
    }
  }

  @Test("what a quotient was cut off by is not rounded twice, nor parks an order")
  func settled() throws {
    let order = #"{"x":"10.01","q":"3"}"#
    #expect(try value("FAmount", "_function IFNULL({{x}}/{{q}},0)*1.5", order) == "5.01")
    let own = #""ferry":{"decimals":2}"#
    #expect(try value("FNote", "_function IFNULL({{x}}/{{q}},0)*1.5", order, more: own) == "5.01")
    #expect(try value("FNote", "_function IFNULL(10/{{q}},0)*3", order, type: "int") == "10")
    let exact = #""ferry":{"decimals":2,"exact":true,"minimum":10}"#
    #expect(try value("FNote", "_function IFNULL(10/{{q}},0)*3", order, more: exact) == "10")
    let mysql = #""ferry":{"decimals":2,"division":"mysql"}"#
    #expect(try value("FNote", "_function IFNULL(1/{{q}},0)*1.5", order, more: mysql) == "0.5")
    // Not where the order itself says so.
    #expect(try value("FNote", "{{y}}", #"{"y":"0.00499999999999999999999"}"#, more: own) == "0")
  }

  @Test("exact alone takes the class' decimals, an int is not rounded, and a misspelt class is told once")
  func rules() throws {
    let exact = #""ferry":{"exact":true}"#
    #expect(try value("FAmount", "_function {{x}}*1", #"{"x":"1.50"}"#, more: exact) == "1.5")
    let order = #"{"x":"1.234"}"#
    for formula in ["_function {{x}}*1", "{{x}}"] {
      let strategy = try strategy(field("FAmount", formula, exact), rules: #""key":"N""#)
      #expect(try failures(strategy, order).map(\.code) == [.valueInvalid])
      #expect(strategy.warnings.isEmpty)
    }
    #expect(problem("{{x}}", exact)?.contains("exact needs decimals") == true)
    let int = try warnings("FAllAmount", "_function {{x}}/3", type: "int")
    #expect(int.count == 1)
    #expect(int.first?.hasPrefix("the field is an int") == true)
    for formula in ["ROUND({{x}}/3)", "CAST({{x}}/3 AS SIGNED)", "FLOOR({{x}})"] {
      #expect(try warnings("FAllAmount", "_function \(formula)", type: "int").isEmpty)
    }
    #expect(try warnings("FAmount", "_function CAST({{x}}/3 AS DECIMAL(20,2))").isEmpty)
    let misspelt = problems("_function {{x}}/3", #""ferry":{"decimals":"prices"}"#, name: "FAuxPrice")
    #expect(misspelt.count == 1)
  }

  /// All that is told of a field that cannot be used.
  private func problems(_ value: String, _ more: String, name: String) -> [String] {
    do {
      let found = try strategy(field(name, value, more), rules: #""key":"N""#)
      return found.warnings.map(\.sentence)
    } catch let error as StrategyProblems {
      return (error.problems + error.warnings).map(\.sentence)
    } catch { return [] }
  }

  @Test("the target's ferry.decimals change a class, a field's own say otherwise")
  func settable() throws {
    #expect(try value("FAuxTaxPrice", Self.divided, rules: #","decimals":{"price":4}"#) == "66.6667")
    #expect(try value("FAuxTaxPrice", Self.divided, more: #""ferry":{"decimals":8}"#) == "66.66666667")
    #expect(try value("FAuxTaxPrice", Self.divided, more: #""ferry":{"decimals":"amount"}"#) == "66.67")
    #expect(try warnings("FAuxTaxPrice", Self.divided, more: #""ferry":{"decimals":8}"#).isEmpty)
    #expect(try warnings("FAuxTaxPrice", "_function ROUND({x}/3,6)").isEmpty)
    #expect(try warnings("FAuxTaxPrice", "_function ROUND({x}/3,8)").count == 1)
  }

  @Test(
    "a field of no class is warned of where a division's decimals may be sent",
    arguments: [
      ("{x}/3", true), ("{x}/{y}", true), ("1+{x}/{y}*2", true), ("IFNULL({x}/{y},0)", true), ("AVG({{l.x}})", true),
      ("CASE WHEN {x}=1 THEN 2 ELSE {x}/7 END", true), ("CASE {x} WHEN 1 THEN {y}/3 END", true),
      ("CONCAT('a',{x}/3)", true), ("{x}/0.3", true),
      ("{x}/100", false), ("{x}/0.5/8", false), ("ROUND({x}/3,4)", false), ("TRUNCATE({x}/3,4)", false),
      ("1+ROUND({x}/3,2)", false), ("{x}*{y}", false), ("{x} DIV 3", false), ("{x}/3 DIV 1", false),
      ("POW({x},-1)", true), ("POW({x},2)", false),
      ("1+{x}/3*1", true), ("FLOOR({x}/3)", false),
      ("CASE WHEN {x}/3>1 THEN 'a' ELSE 'b' END", false), ("CASE {x}/3 WHEN 1 THEN 2 END", false),
      ("CAST({x}/3 AS DECIMAL(20,4))", false), ("IF({x}/3>1,1,2)", false), ("SUM({{l.x}})", false),
    ])
  func endless(formula: String, isWarned: Bool) throws {
    let found = try warnings("FHeadSelfS0101", "_function \(formula)")
    #expect(found.count == (isWarned ? 1 : 0), "\(found)")
    #expect(found.allSatisfy { $0.hasPrefix("the formula divides and nothing rounds what it makes") })
    #expect(try warnings("FHeadSelfS0101", "_function \(formula)", more: #""ferry":{"decimals":8}"#).isEmpty)
  }
}
