/// A function as the parser and the documentation know it.
struct FunctionRow: Sendable {
  let function: Function
  /// The first is the one that is printed.
  let names: [String]
  let arguments: String
  /// How many arguments, counted as the tree has them.
  let arity: ClosedRange<Int>
  let meaning: String

  init(_ function: Function, _ names: String..., of arguments: String, _ arity: ClosedRange<Int>, _ meaning: String) {
    self.function = function
    self.names = names
    self.arguments = arguments
    self.arity = arity
    self.meaning = meaning
  }
}

/// Every function that an expression may call.
public enum FunctionTable {
  static let many = 64

  static let rows: [FunctionRow] = choice + texts + numbers + dates + lists

  static let byName: [String: FunctionRow] = Dictionary(
    uniqueKeysWithValues: rows.flatMap { row in row.names.map { ($0, row) } })

  static let byFunction: [Function: FunctionRow] = Dictionary(uniqueKeysWithValues: rows.map { ($0.function, $0) })

  static let choice = [
    FunctionRow(.iff, "IF", of: "condition, then, else", 3...3, "one of two values; only the chosen one is computed"),
    FunctionRow(
      .ifNull, "IFNULL", "NVL", of: "x, y", 2...2,
      "y where x is null; in strict mode also where x cannot be computed because something is missing or a divisor is 0; a condition of IF or CASE that is null is not true"
    ),
    FunctionRow(.nullIf, "NULLIF", of: "x, y", 2...2, "null where both are equal, else x"),
    FunctionRow(.isNull, "ISNULL", of: "x", 1...1, "1 where x is null, else 0; sees null as IFNULL does"),
    FunctionRow(.coalesce, "COALESCE", of: "x, …", 1...many, "the first that is not null; sees null as IFNULL does"),
    FunctionRow(
      .greatest, "GREATEST", of: "x, y, …", 2...many,
      "the largest; null where one is null; compares texts only where all are texts"),
    FunctionRow(.least, "LEAST", of: "x, y, …", 2...many, "the smallest; as GREATEST"),
    FunctionRow(
      .field, "FIELD", of: "x, a, b, …", 2...many, "the number of the first that equals x; 0 where none does"),
    FunctionRow(.elt, "ELT", of: "n, a, b, …", 2...many, "the n-th of the values behind it; null where there is none"),
  ]

  static let texts = [
    FunctionRow(.concat, "CONCAT", of: "x, …", 1...many, "all texts together; null where one is null"),
    FunctionRow(
      .concatWS, "CONCAT_WS", of: "separator, x, …", 2...many, "all texts that are not null, the separator between them"
    ),
    FunctionRow(
      .substring, "SUBSTRING", "SUBSTR", "MID", of: "x, from[, length]", 2...3,
      "characters from a place on, counted from 1, from the end when negative; also `SUBSTRING(x FROM a FOR n)`"),
    FunctionRow(
      .substringIndex, "SUBSTRING_INDEX", of: "x, separator, n", 3...3,
      "what stands before the n-th separator, behind it when n is negative; case counts"),
    FunctionRow(.left, "LEFT", of: "x, n", 2...2, "the first n characters"),
    FunctionRow(.right, "RIGHT", of: "x, n", 2...2, "the last n characters"),
    FunctionRow(
      .trim, "TRIM", of: "[LEADING|TRAILING|BOTH] [what FROM] x", 1...2, "without spaces, or another text, at its ends"),
    FunctionRow(.ltrim, "LTRIM", of: "x", 1...1, "without spaces at its start"),
    FunctionRow(.rtrim, "RTRIM", of: "x", 1...1, "without spaces at its end"),
    FunctionRow(.lpad, "LPAD", of: "x, n[, with]", 2...3, "filled up at the left to n characters, or cut to them"),
    FunctionRow(.rpad, "RPAD", of: "x, n[, with]", 2...3, "filled up at the right to n characters, or cut to them"),
    FunctionRow(.upper, "UPPER", "UCASE", of: "x", 1...1, "in capitals"),
    FunctionRow(.lower, "LOWER", "LCASE", of: "x", 1...1, "in small letters"),
    FunctionRow(.length, "LENGTH", "OCTET_LENGTH", of: "x", 1...1, "bytes in UTF-8: a Chinese character has 3"),
    FunctionRow(.charLength, "CHAR_LENGTH", "CHARACTER_LENGTH", of: "x", 1...1, "characters"),
    FunctionRow(
      .locate, "LOCATE", of: "what, x[, from]", 2...3,
      "the character at which it first stands, 0 where it does not; case does not count; also `POSITION(what IN x)`"),
    FunctionRow(.instr, "INSTR", of: "x, what", 2...2, "LOCATE with its arguments turned"),
    FunctionRow(.replace, "REPLACE", of: "x, what, with", 3...3, "each occurrence replaced; case counts"),
    FunctionRow(.repeated, "REPEAT", of: "x, n", 2...2, "n times"),
    FunctionRow(.space, "SPACE", of: "n", 1...1, "n spaces"),
    FunctionRow(.reverse, "REVERSE", of: "x", 1...1, "its characters from the last to the first"),
    FunctionRow(.strcmp, "STRCMP", of: "x, y", 2...2, "-1, 0 or 1, as texts are ordered"),
    FunctionRow(
      .findInSet, "FIND_IN_SET", of: "x, list", 2...2,
      "the place of x among texts separated by commas; 0 where it is not there"),
    FunctionRow(.insert, "INSERT", of: "x, from, length, with", 4...4, "characters replaced by another text"),
    FunctionRow(.ascii, "ASCII", of: "x", 1...1, "its first byte; 0 for an empty text"),
    FunctionRow(.hex, "HEX", of: "x", 1...1, "hexadecimal: of a number, or of a text's bytes"),
    FunctionRow(
      .regexpReplace, "REGEXP_REPLACE", of: "x, pattern, with", 3...3, "each match replaced by the text as it is"),
    FunctionRow(.regexpSubstr, "REGEXP_SUBSTR", of: "x, pattern", 2...2, "the first match; '' where there is none"),
    FunctionRow(
      .regexpInstr, "REGEXP_INSTR", of: "x, pattern", 2...2,
      "the character at which the first match begins; 0 where there is none"),
    FunctionRow(.md5, "MD5", of: "x", 1...1, "the MD5 digest of the text's bytes, 32 hexadecimal digits"),
    FunctionRow(.sha1, "SHA1", "SHA", of: "x", 1...1, "the SHA-1 digest, 40 hexadecimal digits"),
    FunctionRow(.sha2, "SHA2", of: "x, bits", 2...2, "the SHA-2 digest of 224, 256 (also 0), 384 or 512 bits"),
    FunctionRow(.uuid, "UUID", of: "", 0...0, "a new UUID at each call; the same ones when the order is mapped again"),
    FunctionRow(.format, "FORMAT", of: "x, decimals", 2...2, "rounded, with commas between thousands; a text"),
  ]

  static let numbers = [
    FunctionRow(
      .round, "ROUND", of: "x[, decimals]", 1...2, "rounded half away from zero; to tens, hundreds… when below 0"),
    FunctionRow(.truncate, "TRUNCATE", of: "x, decimals", 2...2, "cut off"),
    FunctionRow(.floor, "FLOOR", of: "x", 1...1, "the whole number at or below"),
    FunctionRow(.ceil, "CEIL", "CEILING", of: "x", 1...1, "the whole number at or above"),
    FunctionRow(.abs, "ABS", of: "x", 1...1, "without its sign"),
    FunctionRow(
      .mod, "MOD", of: "x, y", 2...2,
      "what a division to whole numbers leaves over; x's sign; also `x MOD y` and `x % y`"),
    FunctionRow(.sign, "SIGN", of: "x", 1...1, "-1, 0 or 1"),
    FunctionRow(.pow, "POW", "POWER", of: "x, n", 2...2, "x multiplied n times; n is a whole number from -64 to 64"),
  ]

  static let lists = [
    FunctionRow(
      .sum, "SUM", of: "x", 1...1,
      "the sum over all rows of the list that x reads, nulls left out; null where none is left"),
    FunctionRow(.avg, "AVG", of: "x", 1...1, "the sum divided by the number of rows that are not null"),
    FunctionRow(.min, "MIN", of: "x", 1...1, "the smallest over all rows; in the order of texts where all are texts"),
    FunctionRow(.max, "MAX", of: "x", 1...1, "the largest over all rows; in the order of texts where all are texts"),
    FunctionRow(.count, "COUNT", of: "x", 1...1, "how many rows are not null"),
    FunctionRow(
      .groupConcat, "GROUP_CONCAT", of: "x [SEPARATOR 'text']", 1...2,
      "the texts of all rows that are not null, with a comma or the separator between them"),
  ]
}
