/// Tells which known word a misspelt one was meant to be.
public enum Spelling {
  /// Longer words are not compared: nobody types them by hand.
  private static let longest = 100

  /// The known word that is really near, or nil. Near is one slip in every four letters, at most three; a slip is a
  /// letter too many, too few, another one, or two that changed places. Upper and lower case count as the same.
  public static func nearest(to word: String, among known: some Sequence<String>) -> String? {
    guard word.utf8.count <= longest else { return nil }
    let letters = Array(word.lowercased().utf8)
    let allowed = min(3, letters.count / 4)
    var best: (slips: Int, word: String)?
    for candidate in known where abs(candidate.utf8.count - letters.count) <= allowed {
      let slips = slips(Array(candidate.lowercased().utf8), letters)
      if slips <= allowed, slips < best?.slips ?? .max { best = (slips, candidate) }
    }
    return best?.word
  }

  /// Optimal string alignment: how many slips turn one word into the other.
  static func slips(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var before: [Int] = []
    var row = Array(0...right.count)
    for (i, letter) in left.enumerated() {
      var next = [i + 1]
      for (j, other) in right.enumerated() {
        var best = min(row[j + 1] + 1, next[j] + 1, row[j] + (letter == other ? 0 : 1))
        if i > 0, j > 0, letter == right[j - 1], left[i - 1] == other { best = min(best, before[j - 1] + 1) }
        next.append(best)
      }
      before = row
      row = next
    }
    return row[right.count]
  }
}
