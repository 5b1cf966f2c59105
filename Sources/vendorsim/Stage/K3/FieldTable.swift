/// One field of a bill page.
struct Field {
  enum Kind: Equatable {
    case text
    case decimal
    case whole
    case flag
    case date
    /// `{FNumber, FName}`; with a base-data object its value must exist there.
    case reference(String?)
    /// Whatever was sent is taken and forgotten: the server's own, or shown only on read.
    case system
  }

  var name: String
  var kind: Kind

  init(_ name: String, _ kind: Kind) {
    self.name = name
    self.kind = kind
  }
}

/// The fields of one page of a bill (A.8), found by name in any case.
struct FieldTable {
  let fields: [Field]
  private let exact: [String: Int]
  private let folded: [String: Int]

  init(_ fields: [Field]) {
    self.fields = fields
    exact = Dictionary(uniqueKeysWithValues: fields.enumerated().map { ($1.name, $0) })
    folded = Dictionary(fields.enumerated().map { ($1.name.lowercased(), $0) }, uniquingKeysWith: { first, _ in first })
  }

  subscript(_ position: Int) -> Field { fields[position] }

  func position(_ name: String, anyCase: Bool) -> Int? {
    exact[name] ?? (anyCase ? folded[name.lowercased()] : nil)
  }

  /// The position of a field that the table is known to have.
  func position(of name: String) -> Int {
    // The names are written in this program, as the table is.
    guard let position = exact[name] else { preconditionFailure("the field table has no \(name)") }
    return position
  }

  /// The header of a sales order.
  static func header() -> FieldTable {
    FieldTable(
      [
        Field("Fdate", .date), Field("FBillNo", .text), Field("FCustID", .reference("Customer")),
        Field("FCurrencyID", .reference("Currency")), Field("FExchangeRate", .decimal),
        Field("FExchangeRateType", .reference(nil)), Field("FAreaPS", .reference(nil)),
        Field("FSaleStyle", .reference(nil)),
        Field("FSettleID", .reference(nil)), Field("FSettleDate", .date), Field("FDeptID", .reference("Department")),
        Field("FEmpID", .reference("Employee")), Field("FMangerID", .reference("Employee")),
        Field("FBillerID", .reference(nil)),
        Field("FPlanCategory", .reference(nil)), Field("FTranType", .whole), Field("FSelTranType", .reference(nil)),
        Field("FSelBillNo", .text), Field("FFetchStyle", .reference(nil)), Field("FFetchAdd", .text),
        Field("FExplanation", .text), Field("FPOOrdBillNo", .text), Field("FTransitAheadTime", .decimal),
        Field("FBrID", .reference(nil)), Field("FRelateBrID", .reference(nil)), Field("FCustAddress", .reference(nil)),
        Field("FConsignee", .reference(nil)), Field("FCancellation", .flag), Field("FHeadSelfS0143", .text),
      ]
        + system([
          "FStatus", "FMultiCheckStatus", "FCheckerID", "FCheckDate", "FClassTypeID", "FEnterpriseID", "FSendStatus",
          "FImport",
          "FSysStatus", "FValidaterName", "FManageType", "FVersionNo", "FChangeDate", "FChangeUser", "FChangeCauses",
          "FChangeMark", "FInterID",
        ]))
  }

  /// The lines of a sales order.
  static func lines() -> FieldTable {
    FieldTable(
      [
        Field("FEntryID2", .whole), Field("FItemID", .reference("Material")), Field("FItemName", .text),
        Field("FItemModel", .text), Field("FMapNumber", .reference(nil)), Field("FMapName", .text),
        Field("FAuxPropID", .reference(nil)), Field("FUnitID", .reference("MeasureUnit")), Field("FBaseUnit", .text),
        Field("Fauxqty", .decimal), Field("FQty", .decimal), Field("FSecUnitID", .reference(nil)),
        Field("FSecCoefficient", .decimal), Field("FSecQty", .decimal), Field("Fauxprice", .decimal),
        Field("FAuxTaxPrice", .decimal), Field("FCess", .decimal), Field("FTaxRate", .decimal),
        Field("FUniDiscount", .decimal),
        Field("FTaxAmount", .decimal), Field("FAuxPriceDiscount", .decimal), Field("Famount", .decimal),
        Field("FTaxAmt", .decimal), Field("FAllAmount", .decimal), Field("FAllStdAmount", .decimal),
        Field("FDate1", .date),
        Field("FAdviceConsignDate", .date), Field("FTranLeadTime", .decimal), Field("Fnote", .text),
        Field("FPlanMode", .reference(nil)), Field("FMTONo", .text), Field("FBOMCategory", .reference(nil)),
        Field("FBomInterID", .reference(nil)), Field("FCostObjectID", .reference(nil)),
        Field("FOrderBOMStatus", .reference(nil)),
        Field("FInForecast", .reference(nil)), Field("FATPDeduct", .reference(nil)), Field("FSourceBillNo", .text),
        Field("FContractBillNo", .text), Field("FOrderBillNo", .text), Field("FOrderEntryID", .text),
        Field("FEntrySelfS0155", .text),
      ]
        + system([
          "FOrderBOMInterID", "FLockFlag", "FMrpLockFlag", "FHaveMrp", "FSourceTranType", "FSourceInterId",
          "FSourceEntryID",
          "FContractInterID", "FContractEntryID", "FOutSourceInterID", "FOutSourceEntryID", "FOutSourceTranType",
          "FCommitQty",
          "FAuxCommitQty", "FSecCommitQty", "FStockQty", "FAuxStockQty", "FSecStockQty", "FQtyInvoice",
          "FAuxQtyInvoice",
          "FSecInvoiceQty", "FCommitInstall", "FAuxCommitInstall", "FSecCommitInstall", "FReceiveAmountFor_Commit",
          "FAuxPropCls", "FDetailID2", "FInterID2",
        ]))
  }

  private static func system(_ names: [String]) -> [Field] { names.map { Field($0, .system) } }
}
