import JSON

// Functions, among them those with words of their own between the arguments.
extension Parser {
  /// Behind the opening parenthesis.
  mutating func call(_ name: String, _ upper: String, from start: Int) throws(ExpressionSyntaxError) -> Int32 {
    switch upper {
    case "CAST", "CONVERT": return try cast(upper, from: start)
    case "TRIM": return try trim(from: start)
    case "POSITION":
      let what = try sum()
      try need(word: "IN")
      let places = [what, try expression()]
      try need(.close)
      return try node(.call, from: start, places, index: Function.locate.rawValue)
    case "TIMESTAMPADD":
      let unit = try unit(isSingle: true)
      try need(.comma)
      let places = try list()
      guard places.count == 2 else { throw failure("TIMESTAMPADD takes a unit and 2 arguments", at: start) }
      return try node(
        .call, from: start, [places[1], places[0]], option: unit.rawValue, index: Function.dateAdd.rawValue)
    default: break
    }
    guard let row = FunctionTable.byName[upper] else {
      throw failure("the function «\(name.prefix(40))» is unknown", at: start)
    }
    var option: UInt8 = 0
    let places = row.function.isAggregate ? try aggregate(row, &option) : try arguments(row, &option)
    if places.count > row.arity.upperBound, row.arity.upperBound == FunctionTable.many {
      throw failure(
        "\(upper) takes at most \(FunctionTable.many) arguments; put some of them together first", at: start)
    }
    guard row.arity.contains(places.count) else {
      throw failure("\(upper) is written \(upper)(\(row.arguments))", at: start)
    }
    return try node(
      .call, from: start, places, option: option, index: row.function.rawValue)
  }

  private mutating func arguments(_ row: FunctionRow, _ option: inout UInt8) throws(ExpressionSyntaxError) -> [Int32] {
    switch row.function {
    case .dateAdd, .dateSub:
      let date = try expression()
      try need(.comma)
      option = TimeUnit.day.rawValue
      if isInterval {
        let (amount, unit) = try amount()
        option = unit.rawValue
        try need(.close)
        return [date, amount]
      }
      return [date] + (try list())
    case .timestampDiff:
      option = try unit(isSingle: true).rawValue
      try need(.comma)
      return try list()
    case .extract:
      option = try unit().rawValue
      try need(word: "FROM")
      return try list()
    case .substring:
      var places = [try expression()]
      if take(word: "FROM") {
        places.append(try expression())
        if take(word: "FOR") { places.append(try expression()) }
        try need(.close)
        return places
      }
      guard take(.comma) else { throw unexpected(wanted: "a comma") }
      places += try list()
      return places
    default: return take(.close) ? [] : try list()
    }
  }

  private mutating func aggregate(_ row: FunctionRow, _ option: inout UInt8) throws(ExpressionSyntaxError) -> [Int32] {
    let start = tokens[at - 2].start
    guard !isInAggregate else { throw failure("a list function cannot stand in another one", at: start) }
    if current == .symbol(.times) {
      throw failure("a list function takes one value here, such as \(row.names[0])({{list.field}})")
    }
    if take(word: "DISTINCT") { option = Function.distinct }
    isInAggregate = true
    defer { isInAggregate = false }
    let first = at
    let argument = try expression()
    // It would be asked once, for the present row, and its answer taken for all rows.
    if let place = (first..<at).first(where: lookups.contains) {
      throw failure("a look-up cannot stand in a list function, which reads all rows", at: tokens[place].start)
    }
    guard readsOperand(argument) else {
      throw failure("\(row.names[0]) needs a field of a list in its argument", at: start)
    }
    var places = [argument]
    if row.function == .groupConcat, take(word: "SEPARATOR") {
      guard case .text = current else { throw unexpected(wanted: "a text in quotes") }
      places.append(try primary())
    }
    try need(.close)
    return places
  }

  private func readsOperand(_ place: Int32) -> Bool {
    var open = [place]
    while let next = open.popLast() {
      let node = builder.nodes[Int(next)]
      if node.kind == .operand || node.kind == .quoted { return true }
      let isChain = node.kind == .arithmetic || node.kind == .comparison
      for index in stride(from: 0, to: Int(node.count), by: isChain ? 2 : 1) {
        open.append(builder.links[Int(node.first) + index])
      }
    }
    return false
  }

  private mutating func trim(from start: Int) throws(ExpressionSyntaxError) -> Int32 {
    var side: UInt8 = 0
    if take(word: "BOTH") {
    } else if take(word: "LEADING") {
      side = 1
    } else if take(word: "TRAILING") {
      side = 2
    }
    // `TRIM(LEADING FROM x)`
    var places: [Int32] = []
    if !isWord("FROM") { places.append(try expression()) }
    if take(word: "FROM") { places.insert(try expression(), at: 0) }
    try need(.close)
    return try node(.call, from: start, places, option: side, index: Function.trim.rawValue)
  }

  // MARK: CAST

  private mutating func cast(_ upper: String, from start: Int) throws(ExpressionSyntaxError) -> Int32 {
    let value = try expression()
    let type: CastType
    if upper == "CONVERT", take(word: "USING") {
      guard case .name = current else { throw unexpected(wanted: "a character set") }
      at += 1
      type = .char(nil)
    } else {
      if upper == "CAST" { try need(word: "AS") } else { try need(.comma) }
      type = try castType()
    }
    try need(.close)
    builder.types.append(type)
    return try node(.cast, from: start, [value], index: Int32(builder.types.count - 1))
  }

  private mutating func castType() throws(ExpressionSyntaxError) -> CastType {
    guard case .name(_, let upper) = current else { throw unexpected(wanted: "a type") }
    let place = start
    at += 1
    switch upper {
    case "SIGNED", "UNSIGNED":
      if !take(word: "INTEGER") { _ = take(word: "INT") }
      return upper == "SIGNED" ? .signed : .unsigned
    case "INTEGER", "INT", "BIGINT": return .signed
    case "DECIMAL", "DEC", "NUMERIC":
      let sizes = try sizes(most: 2)
      let digits = sizes.first ?? 10
      let decimals = sizes.count > 1 ? sizes[1] : 0
      guard (1...38).contains(digits), decimals <= digits else {
        throw failure("DECIMAL(digits, decimals) has 1 to 38 digits and no more decimals than digits", at: place)
      }
      return .decimal(digits: digits, decimals: decimals)
    case "CHAR", "VARCHAR", "NCHAR", "CHARACTER": return .char(try sizes(most: 1).first)
    case "DATE": return .date
    case "DATETIME", "TIME":
      let digits = try sizes(most: 1).first ?? 0
      guard digits <= 6 else { throw failure("a time has at most 6 decimals", at: place) }
      return upper == "TIME" ? .time(digits) : .dateTime(digits)
    case "DOUBLE", "FLOAT", "REAL":
      throw failure("\(upper) would not be exact; DECIMAL(digits, decimals) is", at: place)
    default: throw failure("CAST does not know the type «\(upper.prefix(40))»", at: place)
    }
  }

  private mutating func sizes(most: Int) throws(ExpressionSyntaxError) -> [Int] {
    guard take(.open) else { return [] }
    var sizes: [Int] = []
    repeat {
      guard case .number(let number) = current, let size = number.wholeNumber, (0...1_000_000).contains(size),
        sizes.count < most
      else { throw unexpected(wanted: "a size") }
      at += 1
      sizes.append(Int(size))
    } while take(.comma)
    try need(.close)
    return sizes
  }
}
