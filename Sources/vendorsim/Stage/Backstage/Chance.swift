/// Numbers that look random and are the same for the same seed: SplitMix64.
struct Chance {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// A stream of its own for one thing, so that making one order never shifts the numbers of the next.
  init(seed: UInt64, stream: String, index: Int = 0) {
    state = Chance.mix(Chance.hash(stream, seed: seed) &+ UInt64(bitPattern: Int64(index)) &* 0x9E37_79B9_7F4A_7C15)
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Chance.mix(state)
  }

  /// A number of 0 ..< bound.
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

  mutating func among<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

  /// True once in so many times.
  mutating func once(in count: Int) -> Bool { below(count) == 0 }

  static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// FNV-1a over the text, seeded and mixed: stable over runs and machines, unlike `Hashable`.
  static func hash(_ text: String, seed: UInt64) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ mix(seed)
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return mix(hash)
  }

  /// A hash as a number of 0 ..< 1.
  static func unit(_ hash: UInt64) -> Double { Double(hash >> 11) * 0x1p-53 }
}

/// A whole number as decimal digits, filled up with zeros on the left.
func padded(_ value: Int, _ width: Int) -> String {
  let digits = String(value)
  return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}
