import Foundation
import JSON
import Testing

@testable import Workbench

@Suite("The report on metadata files")
struct StrategyReportTests {
  private static let document = #"{"effect":"EXECUTE","request":[{"field":"A","value":"{a}"}]}"#

  @Test("a file, a wrapped one and a strategy's folder can be used")
  func usable() throws {
    let files = strategyFiles(#"{"field":"FNote","value":"1"}"#).merging([
      "a.json": Self.document, "b.json": #"{"title":"x","metadata":\#(Self.document)}"#,
    ]) { $1 }
    try withFolder(files) { folder in
      let report = StrategyReport(paths: [folder])
      #expect(report.findings == [])
      #expect(report.isUsable)
      #expect(report.usable == ["\(folder)/a.json", "\(folder)/b.json", "\(folder)/s"])
      #expect(report.targets.map(\.object) == ["SO"])
    }
  }

  @Test("a target for K/3 with rules of Ferry's own is held to them, also without its folder")
  func rulesOfAFile() throws {
    let text = #"""
      {"api":"SO/Save","effect":"EXECUTE","ferry":{"key":"N","residaul":[],"amounts":{"nonsense":1}},
       "request":[{"field":"N","value":"{no}"}]}
      """#
    try withFolder(["a.json": text, "b.json": text.replacing("SO/Save", with: "other")]) { folder in
      let report = StrategyReport(paths: ["\(folder)/a.json"])
      #expect(!report.isUsable)
      #expect(report.findings.contains { $0.path == "ferry" && $0.line == 1 && $0.sentence.contains("«residaul»") })
      #expect(report.findings.contains { $0.path == "ferry.amounts" })
      #expect(StrategyReport(paths: ["\(folder)/b.json"]).isUsable)
    }
  }

  @Test(
    "a target of the platform's, without rules of Ferry's, is warned of what `ferry map` would refuse, with its place")
  func platformsOwn() throws {
    let text = #"""
      {"api":"/SO/Save","effect":"EXECUTE",
       "request":[{"field":"N","value":"{no}"}]}
      """#
    let sentence =
      "the bill's number is Page1.FBillNo where ferry.key names no other field, and the request has no such field with a "
      + "value: add it, or name another one in ferry.key"
    try withFolder([
      "a.json": text, "b.json": text.replacing(#""request""#, with: #""ferry":{"decimals":{}},"request""#),
    ]) {
      folder in
      let report = StrategyReport(paths: ["\(folder)/a.json"])
      let place = "\(folder)/a.json:2:12"
      #expect(report.text == "\(place): warning: ferry.key: \(sentence)\n\(folder)/a.json: usable")
      // With rules of Ferry's it was written for Ferry.
      let own = StrategyReport(paths: ["\(folder)/b.json"])
      #expect(!own.isUsable)
      #expect(own.text.hasSuffix("error: ferry.key: \(sentence)"))
    }
  }

  @Test("a bill's number that has no value is told, since each order would be parked for it")
  func numberWithoutValue() throws {
    let text = #"""
      {"api":"/SO/Save","request":[{"field":"Page1","type":"array","children":[{"field":"FBillNo"VALUE}]}]}
      """#
    for (value, isTold) in [("", true), (#","value":"""#, true), (#","value":"{no}""#, false)] {
      try withFolder(["a.json": text.replacing("VALUE", with: value)]) { folder in
        let report = StrategyReport(paths: ["\(folder)/a.json"])
        #expect(report.text.contains("the bill's number is Page1.FBillNo") == isTold, "\(report.text)")
      }
    }
  }

  @Test("strategies of a folder that cannot stand side by side are told")
  func clash() throws {
    var files = strategyFiles(#"{"field":"FNote","value":"1"}"#)
    files.merge(strategyFiles(#"{"field":"FNote","value":"1"}"#, in: "t")) { $1 }
    try withFolder(files) { folder in
      let report = StrategyReport(paths: [folder])
      #expect(!report.isUsable)
      #expect(report.text.contains("both take every order into the stream SO"))
    }
    // Two exclusive ones clash whatever they write.
    for name in ["s", "t"] {
      let own = #""ferry":{"exclusive":true,"stream":"\#(name)","#
      files["\(name)/target.json"] = files["\(name)/target.json"]?.replacing(#""ferry":{"#, with: own)
    }
    try withFolder(files) { folder in
      #expect(StrategyReport(paths: [folder]).text.contains("are both exclusive and both take every order"))
    }
  }

  @Test("a file may begin with the mark that some editors write")
  func byteOrderMark() throws {
    try withFolder(["a.json": "\u{FEFF}" + Self.document]) { folder in
      #expect(StrategyReport(paths: ["\(folder)/a.json"]).isUsable)
    }
  }

  @Test("a strategy's calendar is read with it, and its problems stand in its file")
  func calendar() throws {
    var files = strategyFiles(#"{"field":"Fdate","value":"{day}"}"#)
    files["s/calendar.json"] = #"{"date":"Page1.Fdate","closedThrough":"2024-01-31"}"#
    try withFolder(files) { folder in #expect(StrategyReport(paths: [folder]).findings == []) }
    files["s/calendar.json"] = "{\n  \"date\": \"Page1.FDate\",\n  \"closedThrough\": \"2024-01-31\"}"
    try withFolder(files) { folder in
      let sentence = "names no field of the request that has a value"
      #expect(StrategyReport(paths: [folder]).text == "\(folder)/s/calendar.json:2:11: error: date: \(sentence)")
    }
  }

  @Test("problems and warnings have file, line and column, in text and in JSON")
  func problems() throws {
    let broken = "{\"effect\":\"EXECUTE\",\"weather\":1,\n \"request\":[{\"field\":\"编\",\"value\":\"{x\"}]}"
    try withFolder(["a.json": broken]) { folder in
      let report = StrategyReport(paths: ["\(folder)/a.json", "\(folder)/none.json"])
      #expect(!report.isUsable)
      #expect(
        report.text.split(separator: "\n").map { $0.replacing(folder, with: "…") } == [
          "…/a.json:2:34: error: request.编: a placeholder is not closed",
          "…/a.json:1:31: warning: weather: the key is unknown and has no effect",
          "…/none.json: error: cannot be read",
        ])
      let json = try parsed(report.json)
      #expect(json["usable"]?.bool == false)
      #expect(json["findings"]?[0]?["line"]?.int64 == 2)
      #expect(json["findings"]?[0]?["severity"]?.string == "error")
      #expect(json["findings"]?[1]?["severity"]?.string == "warning")
      #expect(json["findings"]?[2]?["line"] == nil)
    }
  }

  @Test("what is no metadata is told, not called usable", arguments: ["{}", "[]", "x", #"{"order_id":1}"#])
  func noMetadata(text: String) throws {
    try withFolder(["a.json": text]) { folder in
      #expect(!StrategyReport(paths: ["\(folder)/a.json"]).isUsable)
    }
    try withFolder(["a.txt": text]) { folder in #expect(!StrategyReport(paths: [folder]).isUsable) }
  }

  @Test("an error in one folder takes no other one's word that it can be used, in text and in JSON")
  func neighbours() throws {
    var files = strategyFiles(#"{"field":"FNote","value":"1"}"#, in: "return")
    files.merge(strategyFiles(#"{"field":"FNote","value":"{x"}"#, in: "return-red")) { $1 }
    try withFolder(files) { folder in
      let report = StrategyReport(paths: ["\(folder)/return", "\(folder)/return-red"])
      #expect(report.text.hasSuffix("\n\(folder)/return: usable"))
      let json = try parsed(report.json)
      #expect(json["usable"]?.bool == false)
      #expect(json["files"]?.elements.map(\.string) == ["\(folder)/return"])
    }
  }

  @Test("a single target for K/3 and a wrapped one are compared with its template, too")
  func templateOfAFile() throws {
    let text =
      #"{"api":"SO/Save","effect":"EXECUTE","request":[{"field":"Page1","type":"array","#
      + "\n" + #""children":[{"field":"FBillNo","value":"{no}"},{"field":"FROB","value":"1"}]}]}"#
    try withFolder(["a.json": text, "b.json": #"{"metadata":\#(text)}"#, "c.json": Self.document]) { folder in
      var report = StrategyReport(paths: ["\(folder)/a.json", "\(folder)/b.json", "\(folder)/c.json"])
      #expect(report.targets.map(\.object) == ["SO", "SO"])
      for target in report.targets { report.compare(target, with: ["Page1": ["FBillNo"]]) }
      #expect(report.findings.map(\.sentence) == Array(repeating: "K/3's template has no «FROB»", count: 2))
      #expect(report.findings.allSatisfy { $0.isError && $0.line == 2 && $0.column == 57 })
      #expect(report.usable == ["\(folder)/c.json"])
    }
  }

  @Test("all thirty published files can be used")
  func published() throws {
    let report = StrategyReport(paths: ["\(checkout)/Tests/PublishedStrategies"])
    #expect(report.findings.filter(\.isError) == [])
    #expect(report.usable.count == 30)
  }

  @Test("a field that K/3's template does not have is told, a wrong spelling with the right one")
  func template() throws {
    let fields = [
      #"{"field":"FManagerID","type":"object","children":[{"field":"FNumber","value":"1"}]}"#,
      #"{"field":"fdate","value":"1"}"#,
      #"{"field":"FCustID","type":"object","children":[{"field":"FNumbr","value":"1"}]}"#,
      #"{"field":"FROB","value":"1"}"#,
    ]
    let template = [
      "Page1": ["FBillNo", "Fdate", "FMangerID", "FMangerID.FNumber", "FCustID", "FCustID.FNumber", "FCustID.FName"]
    ]
    try withFolder(strategyFiles(fields.joined(separator: ","))) { folder in
      var report = StrategyReport(paths: [folder])
      let target = try #require(report.targets.first)
      report.compare(target, with: template)
      #expect(
        report.findings.map(\.sentence) == [
          "K/3's template has no «FManagerID»; is «FMangerID» meant?",
          "K/3's template has no «FCustID.FNumbr»; is «FCustID.FNumber» meant?", "K/3's template has no «FROB»",
        ])
      #expect(report.findings.first?.path == "request.Page1.FManagerID")
      #expect(report.findings.allSatisfy { $0.isError && $0.line == 1 && $0.file.hasSuffix("s/target.json") })
      #expect(!report.isUsable && !report.text.contains(": usable"))
      report.compare(target, with: ["Page9": []])
      #expect(report.findings.last?.sentence == "K/3's template has no page «Page1»")
    }
  }
}
