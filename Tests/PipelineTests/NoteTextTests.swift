import Orders
import Pipeline
import Testing

@Suite("Notes as text")
struct NoteTextTests {
  @Test("notes come back as they went; none are no text")
  func roundTrip() {
    let notes = [
      BillNote(.movedDate, place: "Page1.Fdate", "2024-01-31 → 2024-02-01: \"closed\""),
      BillNote(.residual, place: "", "and 7 more"),
    ]
    #expect(NoteText.json(notes).flatMap(NoteText.notes) == notes)
    #expect(NoteText.json([]) == nil)
    #expect(NoteText.notes("[]") == [])
  }

  @Test("what is no list of notes is refused, and a kind that only a newer program knows passed over")
  func foreign() {
    for text in ["", "{}", "[1]", #"[{"kind":"residual","place":"x"}]"#] { #expect(NoteText.notes(text) == nil) }
    #expect(NoteText.notes(#"[{"kind":"renamed","place":"x","text":"y"}]"#) == [])
  }

  @Test("the text is bounded, and whole notes are left out")
  func bounded() throws {
    let notes = (0..<100).map { BillNote(.residual, place: "Page2[\($0)]", String(repeating: "长", count: 300)) }
    let text = try #require(NoteText.json(notes))
    #expect(text.utf8.count <= NoteText.maxBytes + 1)
    let kept = try #require(NoteText.notes(text))
    #expect(kept == Array(notes.prefix(kept.count)) && kept.count > 20)
  }
}
