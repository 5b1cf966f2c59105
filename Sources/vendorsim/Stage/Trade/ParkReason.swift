/// Why an order cannot become a bill: the codes that Ferry counts its parked orders by, and the simulator plants.
enum ParkReason: String, CaseIterable {
  /// The company is in no list, or has no customer number.
  case customerUnmapped = "customer_unmapped"
  /// A line with quantity 0 has no price.
  case divisionByZero = "division_by_zero"
  /// A line without product number.
  case materialMissing = "material_missing"
  /// The order's amount is not the sum of its lines.
  case amountMismatch = "amount_mismatch"
}

/// What is wrong with an order that was made wrong on purpose.
enum Defect: CaseIterable {
  case unknownCompany
  case emptyCustomerNumber
  case zeroCount
  case noProductNumber
  case additionalCost

  var reason: ParkReason {
    switch self {
    case .unknownCompany, .emptyCustomerNumber: .customerUnmapped
    case .zeroCount: .divisionByZero
    case .noProductNumber: .materialMissing
    case .additionalCost: .amountMismatch
    }
  }
}
