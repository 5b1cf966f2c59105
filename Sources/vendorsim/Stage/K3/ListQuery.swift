import JSON

/// What a GetList asks for.
struct ListQuery {
  var top = 0
  var pageSize = 10
  var index = 1
  /// Which page joins the header: 1 none, else the lines.
  var page = 2
  /// Empty: all fields.
  var fields: [String] = []
  var filter: String?
  var order: [(name: String, descending: Bool)] = []
  var showsForbidden = false
  /// The paging keys stood beside `Data` instead of in it: a real server then answered a null page.
  var misplaced = false

  init() {}

  init(_ root: JSONValue, settings: K3Settings) throws(Refusal) {
    let data = BillReader.member(root, "Data", settings)
    guard root.kind == .object, let data, data.kind == .object else { throw .badParameters }
    let text = { (name: String) in BillReader.member(data, name, settings).flatMap { $0.text } }
    let paging = ["PageSize", "PageIndex", "Top"]
    misplaced =
      paging.allSatisfy { text($0) == nil } && paging.contains { BillReader.member(root, $0, settings) != nil }
    top = try Self.whole(text("Top"), or: 0)
    pageSize = try Self.whole(text("PageSize"), or: 10)
    index = max(1, try Self.whole(text("PageIndex"), or: 1))
    page = try Self.whole(text("SelectPage"), or: 2)
    let names = text("Fields") ?? ""
    if names != "*" { fields = names.split(separator: ",").map { Self.bare($0) }.filter { !$0.isEmpty } }
    filter = text("Filter").flatMap { $0.allSatisfy(\.isWhitespace) ? nil : $0 }
    showsForbidden =
      ["true", "1"].contains(text("ShowForbidden")) || BillReader.member(data, "ShowForbidden", settings)?.bool == true
    for part in (text("OrderBy") ?? "").split(separator: ",") {
      let words = part.split(separator: " ")
      guard let name = words.first, words.count <= 2 else { throw .badParameters }
      order.append((Self.bare(name), words.count == 2 && words[1].lowercased() == "desc"))
    }
  }

  func size(cap: Int) -> Int { min(pageSize <= 0 ? cap : pageSize, cap) }

  func part<Element>(_ all: [Element], cap: Int) -> [Element] {
    let size = size(cap: cap)
    let (start, overflow) = (index - 1).multipliedReportingOverflow(by: size)
    guard !overflow, start < all.count else { return [] }
    return Array(all[start..<min(start + size, all.count)])
  }

  private static func bare(_ name: some StringProtocol) -> String {
    String(name.filter { $0 != "[" && $0 != "]" && $0 != " " })
  }

  private static func whole(_ text: String?, or missing: Int) throws(Refusal) -> Int {
    guard let text, !text.isEmpty else { return missing }
    guard let number = Int(text) else { throw .badParameters }
    return number
  }
}
