/// Most rows of one statement.
let rowsPerStatement = 2_000

/// The positions of a batch in parts for one statement each: no key occurs twice in a part, and the occurrences of
/// one key stand in their order in successive parts.
///
/// One statement can touch a row only once. A batch without repetitions is one part, up to `limit` items.
func parts<Item, Key: Hashable>(
  of items: [Item], limit: Int = rowsPerStatement, by key: (Item) -> Key
) -> [[Int]] {
  var rounds: [[Int]] = []
  var seen: [Key: Int] = [:]
  seen.reserveCapacity(items.count)
  for (position, item) in items.enumerated() {
    let round = seen[key(item), default: 0]
    seen[key(item)] = round + 1
    if round == rounds.count { rounds.append([]) }
    rounds[round].append(position)
  }
  return rounds.flatMap { round in
    stride(from: 0, to: round.count, by: limit).map { Array(round[$0..<min($0 + limit, round.count)]) }
  }
}

/// A text that PostgreSQL can hold: it has no NUL in texts.
func storable(_ text: String) -> String {
  text.utf8.contains(0) ? text.replacing("\0", with: "\u{FFFD}") : text
}
