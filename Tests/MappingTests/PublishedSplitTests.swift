import Foundation
import JSON
import Mapping
import Orders
import Testing

/// Published targets that read flattened and regrouped records. Their sources were not published: what stands here as a
/// source is what the targets' own keys say of it.
@Suite("Published strategies that flatten and regroup (§5.2, §8)")
struct PublishedSplitTests {
  /// A published target with more top-level members, read with a source.
  private func target(_ name: String, _ more: String = "", source: String) throws -> StrategyDocument {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "PublishedStrategies/\(name).json")
    let metadata = try #require(try JSONDocument(Array(Data(contentsOf: file))).root["metadata"])
    let inner = String(decoding: metadata.rawBytes.dropFirst(), as: UTF8.self)
    return try StrategyDocument(
      file: name, text: Array("{\(more)\(more.isEmpty ? "" : ",")\(inner)".utf8),
      source: document(#""effect":"QUERY",\#(source)"#))
  }

  /// The bodies of an order; every lookup finds this record.
  private func bodies(_ target: StrategyDocument, _ order: String, found: String = "{}") throws -> [JSONValue] {
    guard case .changed(let documents) = try target.selection(of: parsed(order)) else { return [] }
    let records = documents.map(\.root)
    var answers: [LookupKey: JSONDocument] = [:]
    for key in records.flatMap({ target.lookups(of: $0) }) { answers[key] = try record(found) }
    let inputs = MappingInputs(randomSeed: 1)
    return try target.bodies(of: records, lookups: LookupTable(answers), inputs: inputs).map {
      try JSONDocument($0).root
    }
  }

  private func rows(_ body: JSONValue, _ array: String, _ fields: String...) -> [String] {
    (body[array].map { Array($0.elements) } ?? []).map { row in
      fields.map { row[$0]?.text ?? "–" }.joined(separator: " ")
    }
  }

  @Test("T:eb0be164: details and their batches, flattened and regrouped below details")
  func batches() throws {
    let group = #"""
      "groupCalculate":{"headerGroup":["code","receive_date","shop_code","warehousein_code"],"bodyName":"details",
        "bodyGroup":["details_item_code","details_amount_after_price","details_detail_batch_batchNumber",
          "details_detail_batch_productionTime"],"calculate":{"details_detail_batch_qty":"$sum"}}
      """#
    let target = try target(
      "strategy-gy-k3cloud-return1", group, source: #""id":"code","beatFlat":["details","details.detail_batch"]"#)
    let order = #"""
      {"code":"R1","receive_date":"2024-01-29","shop_code":"S7","warehousein_code":"W1","details":[
        {"item_code":"A","amount_after_price":"9.5","detail_batch":[
          {"qty":2,"batchNumber":"B1","productionTime":"2023-05-01"},{"qty":"1","batchNumber":"B2","productionTime":"2023-06-01"},
          {"qty":4,"batchNumber":"B1","productionTime":"2023-05-01"}]},
        {"item_code":"C","amount_after_price":"3"}]}
      """#
    let found = try bodies(target, order, found: #"{"FPurchaseUnitId_FNumber":"Pcs","FIsKFPeriod":true}"#)
    let body = try #require(found.first)
    #expect(found.count == 1)
    #expect(body["FRetcustId"]?.text == "S7")
    #expect(
      rows(body, "FEntity", "FMaterialId", "FUnitID", "FRealQty", "FTaxPrice", "FLot", "FStockId", "FProduceDate") == [
        "A Pcs 6 9.5 B1 W1 2023-05-01", "A Pcs 1 9.5 B2 W1 2023-06-01", "C Pcs – 3 – W1 –",
      ])
  }

  @Test("T:914364a4: the same by merge")
  func merged() throws {
    let merge = #"""
      "operation":{"method":"merge","field":"code","bodyName":"details","header":["enter_time","shop_code","warehouse_code"],
        "body":["details_goods_code","details_amount_after_price","details_batchs_batch"],"bodySum":["details_batchs_qty"]}
      """#
    let target = try target(
      "strategy-gy-k3cloud-return2", merge, source: #""id":"code","beatFlat":["details","batchs"]"#)
    let order = #"""
      {"code":"R1","enter_time":"2024-01-29","shop_code":"S7","warehouse_code":"W1","details":[{"goods_code":"A",
        "amount_after_price":2,"batchs":[{"qty":"0.5","batch":"B1"},{"qty":"0.25","batch":"B1"}]}]}
      """#
    let found = try bodies(target, order, found: #"{"FPurchaseUnitId_FNumber":"Pcs","FIsKFPeriod":false}"#)
    #expect(found.map { $0["FDate"]?.text } == ["2024-01-29"])
    #expect(found.map { rows($0, "FEntity", "FMaterialId", "FRealQty", "FLot", "FStockId") } == [["A 0.75 B1 W1"]])
  }

  @Test("T:67192143: a document per item, whose one row reads the flattened keys")
  func items() throws {
    let target = try target(
      "strategy-jst-k3cloud-return", source: #""id":"as_id","number":"as_id","beatFlat":["items"]"#)
    let order = #"""
      {"as_id":77,"shop_id":3,"wms_co_id":"12926523","o_id":5,"items":[
        {"sku_id":"A","r_qty":"4","amount":"10","receive_date":"2024-01-29"},
        {"sku_id":"B","r_qty":"2","amount":"3","receive_date":"2024-01-30"}]}
      """#
    let found = try bodies(target, order, found: #"{"F_XC_Base_Fnumber":"100","so_id":"SO1"}"#)
    #expect(found.map { $0["FBillNo"]?.text } == ["77-1", "77-2"])
    #expect(found.map { $0["FDate"]?.text } == ["2024-01-29", "2024-01-30"])
    #expect(
      found.map { rows($0, "FEntity", "FMaterialId", "FRealQty", "FTaxPrice", "FLot") } == [
        ["A 4 2.5 230605"], ["B 2 1.5 230605"],
      ])
  }

  @Test("B11519: flattened keys of the head are read in the rows of a list that stays")
  func besideAList() throws {
    let target = try target(
      "bbs-11519-wdt-yonbip-saleorder", source: #""id":"order_no","number":"order_no","beatFlat":["batch_details"]"#)
    let order = #"""
      {"order_no":"O1","consign_time_new":"2024-01-29","shop_no":"S","warehouse_no":"W","details_list":[{"a":1},{"a":2}],
       "batch_details":[{"spec_no":"X","share_amount":"7"}]}
      """#
    let found = try bodies(target, order, found: #"{"mapping_sale_org":"org","mapping_customer":"cust"}"#)
    #expect(found.count == 1)
    #expect(
      found.map { rows($0, "orderDetails", "productId", "stockId", "orderDetailPrices!natSum") } == [
        ["X W 7", "X W 7"]
      ])
    #expect(found.map { $0["code"]?.text } == ["O1-1"])
  }

  @Test("T:e067199f: a list flattened and regrouped under its own name is read without its prefix")
  func withoutPrefix() throws {
    let group = #"""
      "groupCalculate":{"headerGroup":["order_no","check_time","warehouse_no","src_order_no"],"bodyName":"batch_details"}
      """#
    let target = try target(
      "strategy-yonbip-purinrecord", group, source: #""number":"order_no","beatFlat":["batch_details"]"#)
    let order = #"""
      {"order_no":"O1","check_time":"2024-01-29 10:00:00","warehouse_no":"W","src_order_no":"P1",
       "batch_details":[{"goods_no":"A"},{"goods_no":"B"}]}
      """#
    guard case .changed(let documents) = try target.selection(of: parsed(order)) else {
      Issue.record("whole")
      return
    }
    #expect(documents.count == 1)
    let asked = try target.lookups(of: #require(documents.first).root).filter { $0.conditions.count == 2 }
    #expect(Set(asked.map { $0.conditions.map(\.value) }) == [["P1", "A"], ["P1", "B"]])
    let found = try bodies(target, order, found: #"{"new_id":"1","new_purchaseOrders_id":"2"}"#)
    #expect(found.map { rows($0, "purInRecords", "sourceid", "sourceautoid") } == [["1 2", "1 2"]])
    #expect(found.map { $0["vouchdate"]?.text } == ["2024-01-29"])
  }

  @Test("the case study's rows carry their list's name, because the list was flattened and regrouped")
  func caseStudy() throws {
    let group = #"""
      "groupCalculate":{"headerGroup":["order_id","account_date","exchange_rate","new_customerid"],
        "bodyGroup":["product_list_product_no"],"bodyName":"product_list","targetBodyName":"Page2",
        "calculate":{"product_list_count":"$sum","product_list_cost_amount":"$sum"}}
      """#
    let target = try target(
      "case-study-okki-k3wise-target", group, source: #""id":"order_id","beatFlat":["product_list"]"#)
    #expect(target.splits)
    let order = #"""
      {"order_id":1,"account_date":"2024-01-29","exchange_rate":725,"new_customerid":7,"product_list":[
        {"product_no":"A","count":3,"cost_amount":"10"},{"product_no":"B","count":1,"cost_amount":"2"},
        {"product_no":"A","count":"1","cost_amount":"0.4"}]}
      """#
    let found = try bodies(target, order, found: #"{"serial_id":"C7"}"#)
    #expect(found.map { $0["Page1"]?[0]?["FCustID"]?["FNumber"]?.text } == ["C7"])
    #expect(
      found.map {
        $0["Page2"]?.elements.map {
          "\($0["FItemID"]?["FNumber"]?.text ?? "") \($0["FAuxQty"]?.text ?? "") \($0["FAuxTaxPrice"]?.text ?? "")"
        }
      }
        == [["A 4 2.6", "B 1 2"]])
  }

  @Test(
    "rows hold flattened keys beside copied fields of the head",
    arguments: [
      // T:6c84bec9
      (
        #"["goodsDetail","goodsDelivery"]"#, "details",
        "{{details.goodsDetail_goodsNo}} {{details.goodsDetail_goodsDelivery_sendCount}}",
        #"{"no":1,"goodsDetail":[{"goodsNo":"G","goodsDelivery":[{"sendCount":3},{"sendCount":4}]}]}"#, ["G 3", "G 4"]
      ),
      // T:07129843
      (
        #"["details","details_detail_batch"]"#, "details",
        "{{details.details_item_code}} {{details.details_detail_batch_qty}}",
        #"{"no":1,"details":[{"item_code":"I","detail_batch":[{"qty":5}]}]}"#, ["I 5"]
      ),
      // T:5356826a
      (
        #"["batchs"]"#, "reftables", "{{reftables.batchs_sku_id}} {{reftables.so_id}} {{no}}",
        #"{"no":1,"so_id":"S","batchs":[{"sku_id":"K"},{"sku_id":"L"}]}"#, ["K S 1", "L S 1"]
      ),
      // P:8a70c94d
      (
        #"["stockAllocateDetailViews","batchList"]"#, "stockAllocateDetailViews",
        "{{stockAllocateDetailViews.stockAllocateDetailViews_goodsNo}} {{stockAllocateDetailViews.stockAllocateDetailViews_batchList_quantity}}",
        #"{"no":1,"stockAllocateDetailViews":[{"goodsNo":"G","batchList":[{"quantity":"2"}]}]}"#, ["G 2"]
      ),
    ] as [(String, String, String, String, [String])])
  func rowKeys(lists: String, body: String, value: String, order: String, expected: [String]) throws {
    let source = try document(#""effect":"QUERY","id":"no","beatFlat":\#(lists)"#)
    let mapped = try document(
      #""effect":"EXECUTE","groupCalculate":{"headerGroup":["no"],"bodyName":"\#(body)"},"request":[\#(array("R", body, field(value)))]"#,
      source: source)
    #expect(mapped.warnings.isEmpty)
    let found = try bodies(mapped, order)
    #expect(found.map { rows($0, "R", "X") } == [expected])
  }
}
