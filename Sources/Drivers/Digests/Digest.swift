internal import CCrypto

/// A digest of bytes, as the text of its hexadecimal digits.
public enum Digest: Sendable {
  /// 128 bits; not for secrets.
  case md5
  /// 160 bits; not for secrets.
  case sha1
  /// SHA-2 of 224 bits.
  case sha224
  /// SHA-2 of 256 bits.
  case sha256
  /// SHA-2 of 384 bits.
  case sha384
  /// SHA-2 of 512 bits.
  case sha512

  /// The digest itself; nil where the library's configuration forbids it.
  public func bytes(_ bytes: [UInt8]) -> [UInt8]? {
    // SAFETY: the buffer is used only inside the closure.
    unsafe bytes.withUnsafeBufferPointer { unsafe digest(of: $0) }
  }

  /// Lower-case hexadecimal digits; nil where the library's configuration forbids this digest.
  public func hexadecimal(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
    guard let digest = unsafe digest(of: bytes) else { return nil }
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(2 * digest.count)
    for byte in digest {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  private func digest(of bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var size: UInt32 = 0
    // SAFETY: the library reads `count` bytes of `bytes`, which outlives the call, and writes at most EVP_MAX_MD_SIZE.
    let done = unsafe digest.withUnsafeMutableBufferPointer { target in
      unsafe EVP_Digest(bytes.baseAddress, bytes.count, target.baseAddress, &size, algorithm, nil)
    }
    return done == 1 ? Array(digest.prefix(Int(size))) : nil
  }

  private var algorithm: OpaquePointer? {
    // SAFETY: the library's own constants, which are never freed.
    switch self {
    case .md5: unsafe EVP_md5()
    case .sha1: unsafe EVP_sha1()
    case .sha224: unsafe EVP_sha224()
    case .sha256: unsafe EVP_sha256()
    case .sha384: unsafe EVP_sha384()
    case .sha512: unsafe EVP_sha512()
    }
  }
}
