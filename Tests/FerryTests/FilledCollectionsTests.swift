import Testing

@testable import ferry

@Suite("Collections that strategies look in")
struct FilledCollectionsTests {
  @Test("one that nobody filled is told with its remedy and what may be meant; the poller fills customers")
  func warnings() {
    func told(_ asked: Set<String>, _ filled: [String] = []) -> [String] {
      FilledCollections.warnings(asked: asked, filled: filled)
    }
    let nothing = "holds no record, so its lookups find nothing"
    #expect(told([]).isEmpty && told(["customers"]).isEmpty && told(["units", "customers"], ["units"]).isEmpty)
    #expect(told(["units"]) == ["The collection «units» \(nothing). Fill it: ferry collection put units FILE."])
    #expect(
      told(["materail", "customer"], ["material"]) == [
        "The collection «customer» \(nothing); is «customers» meant? Fill it: ferry collection put customer FILE.",
        "The collection «materail» \(nothing); is «material» meant? Fill it: ferry collection put materail FILE.",
      ])
    #expect(
      told(["单位"]) == ["The collection «单位» \(nothing). No collection can have that name: correct the strategy."])
  }

  @Test(
    "a collection's name has letters, digits and - _ . alone",
    arguments: [
      ("customers", true), ("9f1f2c6e-0d2a-3a51-8f5e-1a2b3c4d5e6f", true), ("A_b.1", true), ("", false), ("a b", false),
      ("名", false), ("a/b", false), ("é", false),
    ])
  func names(name: String, isGood: Bool) {
    #expect(CollectionName.isValid(name) == isGood)
    #expect(CollectionName.isValid(String(repeating: "a", count: 100)))
    #expect(!CollectionName.isValid(String(repeating: "a", count: 101)))
  }
}
