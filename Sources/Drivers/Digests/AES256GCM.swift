internal import CCrypto

/// AES-256 in Galois/counter mode: what is sealed can be neither read nor changed without the key.
///
/// Sealed: 12 bytes that are never used twice with a key, 16 bytes that show a change, then as many bytes as were given.
public enum AES256GCM {
  /// Bytes of a key.
  public static let keySize = 32
  private static let nonceSize = 12
  private static let tagSize = 16

  /// Seals; nil where the library fails or the key has not 32 bytes.
  /// - Parameter context: what must be the same when it is opened; not part of the result.
  public static func seal(_ plain: [UInt8], key: [UInt8], context: [UInt8] = []) -> [UInt8]? {
    // The system's generator is a cryptographic one.
    let nonce = (0..<nonceSize).map { _ in UInt8.random(in: 0...255) }
    guard key.count == keySize, let machine = Machine(encrypts: true, key: key, nonce: nonce),
      machine.read(context), let sealed = machine.turn(plain), machine.finish(), let tag = machine.tag(tagSize)
    else { return nil }
    return nonce + tag + sealed
  }

  /// Opens; nil when key, context or a single bit is another.
  public static func open(_ sealed: [UInt8], key: [UInt8], context: [UInt8] = []) -> [UInt8]? {
    let start = nonceSize + tagSize
    guard key.count == keySize, sealed.count >= start,
      let machine = Machine(encrypts: false, key: key, nonce: Array(sealed[..<nonceSize])),
      machine.expect(tag: Array(sealed[nonceSize..<start])), machine.read(context),
      let plain = machine.turn(Array(sealed[start...])), machine.finish()
    else { return nil }
    return plain
  }

  /// One run of the library's cipher.
  // SAFETY of @safe: the pointer is made in init, used by this object alone and freed in deinit.
  @safe private final class Machine {
    private let context: OpaquePointer

    init?(encrypts: Bool, key: [UInt8], nonce: [UInt8]) {
      guard let made = unsafe EVP_CIPHER_CTX_new() else { return nil }
      unsafe context = unsafe made
      // SAFETY: 32 bytes of key and 12 of nonce, as this cipher reads by default; both outlive the call.
      guard unsafe EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce, encrypts ? 1 : 0) == 1 else {
        return nil
      }
    }

    deinit { unsafe EVP_CIPHER_CTX_free(context) }

    /// Takes bytes that are only authenticated.
    func read(_ bytes: [UInt8]) -> Bool {
      var count: Int32 = 0
      // SAFETY: `bytes` outlives the call; without a target nothing is written.
      return unsafe bytes.isEmpty || EVP_CipherUpdate(context, nil, &count, bytes, Int32(bytes.count)) == 1
    }

    /// Encrypts or decrypts.
    func turn(_ bytes: [UInt8]) -> [UInt8]? {
      var result = [UInt8](repeating: 0, count: bytes.count)
      var count: Int32 = 0
      // SAFETY: this mode writes as many bytes as it reads.
      guard unsafe bytes.isEmpty || EVP_CipherUpdate(context, &result, &count, bytes, Int32(bytes.count)) == 1 else {
        return nil
      }
      return result
    }

    /// Ends; false when the tag that was expected is not the one that came out.
    func finish() -> Bool {
      var rest = [UInt8](repeating: 0, count: 16)
      var count: Int32 = 0
      // SAFETY: at most a block is written.
      return unsafe EVP_CipherFinal_ex(context, &rest, &count) == 1
    }

    func tag(_ size: Int) -> [UInt8]? {
      var tag = [UInt8](repeating: 0, count: size)
      // SAFETY: `size` bytes are written.
      return unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(size), &tag) == 1 ? tag : nil
    }

    func expect(tag: [UInt8]) -> Bool {
      var tag = tag
      // SAFETY: `tag.count` bytes are read.
      return unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tag.count), &tag) == 1
    }
  }
}
