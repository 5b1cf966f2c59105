internal import Orders

/// Values in `GetList` filters (vendor-apis.md A.6): K/3 builds SQL from the text, so nothing may leave its quotes.
enum K3Filter {
  /// `[field]='value'`, quotes doubled; nil when the value may not stand in a filter, or the field is no name.
  static func equals(_ field: String, _ value: String) -> String? {
    guard Bill.isFieldName(field), isUsable(value) else { return nil }
    return "[\(field)]='\(value.replacing("'", with: "''"))'"
  }

  /// Whether a text may be asked for: 1 to 255 bytes, printable ASCII, and beyond ASCII letters, digits and ordinary
  /// punctuation.
  ///
  /// Signs that a database may turn into a plain quote on its way to another character set are refused, doubled or not:
  /// the typographic and modifier apostrophes, primes and accents. So are all control and format characters, symbols
  /// and marks that combine.
  static func isUsable(_ value: String) -> Bool {
    1...255 ~= value.utf8.count && value.unicodeScalars.allSatisfy(isUsable)
  }

  private static func isUsable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return 32...126 ~= scalar.value }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .otherLetter, .decimalNumber, .letterNumber,
      .otherNumber,
      .dashPunctuation, .openPunctuation, .closePunctuation, .connectorPunctuation:
      // Low quotation marks count as opening brackets.
      return scalar.value != 0x201A && scalar.value != 0x201E && scalar.value != 0x301D && scalar.value != 0x301E
        && scalar.value != 0x301F
    case .otherPunctuation:
      // FULLWIDTH APOSTROPHE and QUOTATION MARK, the primes.
      return scalar.value != 0xFF07 && scalar.value != 0xFF02 && !(0x2032...0x2037 ~= scalar.value)
        && scalar.value != 0x2057
    default: return false
    }
  }
}
