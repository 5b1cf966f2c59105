/// Base64, with padding; or the URL alphabet without.
enum Base64 {
  static func text(_ bytes: [UInt8], forURL: Bool = false) -> String {
    let letters = Array(
      (forURL
        ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").utf8)
    var result: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      var value = 0
      for offset in 0..<3 { value = value << 8 | (offset < group.count ? Int(group[start + offset]) : 0) }
      for offset in 0..<4 {
        if offset <= group.count {
          result.append(letters[value >> (18 - 6 * offset) & 63])
        } else if !forURL {
          result.append(UInt8(ascii: "="))
        }
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
