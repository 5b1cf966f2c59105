internal import CPCRE2

/// Why a pattern cannot be used.
public struct PatternError: Error, Sendable, Equatable {
  /// The library's words.
  public let message: String
  /// Where in the pattern, in bytes.
  public let offset: Int
}

/// What a search came to.
public enum PatternMatch: Sendable, Equatable {
  /// The pattern does not occur.
  case none
  /// The first place where it occurs, in bytes.
  case found(Range<Int>)
  /// The search was given up at one of the limits.
  case limit
}

/// A regular expression over UTF-8 texts, compiled once.
///
/// Searching is bounded: at most 200,000 steps, 1,000 levels and 1 MiB of memory, whatever the pattern.
@safe public final class Pattern: @unchecked Sendable {
  // No lock: the library only reads a compiled pattern, and each search has memory of its own.
  private let code: OpaquePointer

  /// Patterns beyond this many bytes are refused.
  public static let maxBytes = 8192

  /// Compiles a pattern in which `\w`, `\d` and their like go by Unicode.
  /// - Throws: `PatternError` when it is no pattern, or a longer one than `maxBytes`.
  public init(_ pattern: String, ignoresCase: Bool) throws(PatternError) {
    guard pattern.utf8.count <= Self.maxBytes else {
      throw PatternError(message: "the pattern is longer than \(Self.maxBytes) bytes", offset: Self.maxBytes)
    }
    var failure: Int32 = 0
    var offset = 0
    var text = pattern
    let options = ferry_pcre2_utf | ferry_pcre2_ucp | (ignoresCase ? ferry_pcre2_caseless : 0)
    // SAFETY: the library reads `count` bytes of the pattern, which outlives the call; the result is freed in deinit.
    let code = text.withUTF8 { bytes in
      unsafe pcre2_compile_8(Self.start(bytes), bytes.count, options, &failure, &offset, nil)
    }
    guard let code = unsafe code else { throw PatternError(message: Self.message(failure), offset: offset) }
    unsafe self.code = code
  }

  deinit {
    // SAFETY: nobody searches any more, since searching keeps the object.
    unsafe pcre2_code_free_8(code)
  }

  /// An empty buffer may have no address, which the library would take for a mistake.
  private static func start(_ bytes: UnsafeBufferPointer<UInt8>) -> UnsafePointer<UInt8>? {
    unsafe bytes.baseAddress ?? UnsafePointer(bitPattern: 1)
  }

  private static func message(_ code: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 160)
    // SAFETY: the library writes at most `count` bytes.
    let size = unsafe buffer.withUnsafeMutableBufferPointer { target in
      unsafe pcre2_get_error_message_8(code, target.baseAddress, target.count)
    }
    return String(decoding: buffer.prefix(max(Int(size), 0)), as: UTF8.self)
  }

  /// Looks for the pattern in a text that is valid UTF-8, from a byte on that begins a character.
  public func firstMatch(in text: UnsafeBufferPointer<UInt8>, from: Int = 0) -> PatternMatch {
    // SAFETY: both are freed below; the text outlives the call, of which `count` bytes are read.
    guard let context = unsafe pcre2_match_context_create_8(nil), let data = unsafe pcre2_match_data_create_8(1, nil)
    else { return .limit }
    defer {
      unsafe pcre2_match_context_free_8(context)
      unsafe pcre2_match_data_free_8(data)
    }
    unsafe pcre2_set_match_limit_8(context, 200_000)
    unsafe pcre2_set_depth_limit_8(context, 1000)
    unsafe pcre2_set_heap_limit_8(context, 1024)
    let result = unsafe pcre2_match_8(code, Self.start(text), text.count, from, 0, data, context)
    if result == PCRE2_ERROR_NOMATCH { return .none }
    guard result >= 0, let places = unsafe pcre2_get_ovector_pointer_8(data) else { return .limit }
    // SAFETY: the vector holds one pair.
    let (start, end) = unsafe (places[0], places[1])
    // `\K` can put the end before the start.
    return .found(min(start, end)..<max(start, end))
  }
}
