import Orders

/// Gathers the notes of one bill: never more than a bill may have, and none of them without a word.
struct NoteList: Sendable {
  private var kept: [BillNote.Kind: [BillNote]] = [:]
  private var counts: [BillNote.Kind: Int] = [:]

  mutating func add(_ kind: BillNote.Kind, _ place: String, _ text: String) {
    counts[kind, default: 0] += 1
    if kept[kind, default: []].count < BillNote.most {
      kept[kind, default: []].append(BillNote(kind, place: place, text))
    }
  }

  /// Moved dates first: they change what the bill says, a residual does not.
  var notes: [BillNote] {
    let all = [BillNote.Kind.movedDate, .residual].flatMap { kept[$0] ?? [] }
    let count = counts.values.reduce(0, +)
    if count <= BillNote.most { return all }
    let shown = all.prefix(BillNote.most - 1)
    let kind: BillNote.Kind = shown.count < counts[.movedDate, default: 0] ? .movedDate : .residual
    return shown + [BillNote(kind, place: "", "\(count - shown.count) more notes are left out")]
  }
}
