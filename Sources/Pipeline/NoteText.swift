import JSON
public import Orders

/// A bill's notes as one JSON text, as messages carry and the ledger keeps them:
/// `[{"kind":"moved_date","place":"Page1.Fdate","text":"…"}]`.
public enum NoteText {
  /// Longest text in bytes; notes that would exceed it are left out, the last ones first.
  public static let maxBytes = 32_768

  /// The text; nil for no notes.
  public static func json(_ notes: [BillNote]) -> String? {
    if notes.isEmpty { return nil }
    var writer = JSONWriter(reserving: 128 * notes.count)
    writer.beginArray()
    for note in notes {
      let before = writer
      writer.beginObject()
      for (key, text) in [("kind", note.kind.rawValue), ("place", note.place), ("text", note.text)] {
        writer.key(key)
        writer.string(text)
      }
      writer.endObject()
      guard writer.bytes.count < maxBytes else {
        writer = before
        break
      }
    }
    writer.endArray()
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// The notes of a text. One of a kind that only a newer program knows is passed over; nil when it is no such text.
  public static func notes(_ text: String) -> [BillNote]? {
    guard let root = (try? JSONDocument(Array(text.utf8)))?.root, root.kind == .array else { return nil }
    var notes: [BillNote] = []
    for note in root.elements {
      guard let kind = note["kind"]?.string, let place = note["place"]?.string, let text = note["text"]?.string else {
        return nil
      }
      if let kind = BillNote.Kind(rawValue: kind) { notes.append(BillNote(kind, place: place, text)) }
    }
    return notes
  }
}
