internal import CZlib

/// Unpacks gzip. Lives on one thread.
// SAFETY of @safe, and of every call with `stream`: made in init, freed in deinit, used by one thread; zlib keeps the
// pointers to the bytes only during a call.
@safe final class Inflater {
  private let stream: UnsafeMutablePointer<z_stream>
  private var scratch = [UInt8](repeating: 0, count: 16 << 10)

  /// Nil: out of memory.
  init?() {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    guard unsafe ferry_gunzip_init(stream) == Z_OK else {
      unsafe stream.deallocate()
      return nil
    }
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Unpacks one or more members, one after another.
  /// - Parameter limit: the most bytes that may come of them.
  func unpack(_ packed: [UInt8], limit: Int) throws(AnswerDefect) -> [UInt8] {
    var whole: [UInt8] = []
    var taken = 0
    unsafe inflateReset(stream)
    while true {
      let (code, used, made) = step(packed, from: taken)
      taken += used
      guard made <= limit - whole.count else { throw .tooLarge }
      whole.append(contentsOf: scratch[..<made])
      if code == Z_STREAM_END {
        if taken == packed.count { return whole }
        unsafe inflateReset(stream)
      } else if code != Z_OK || taken == packed.count && made < scratch.count {
        throw AnswerDefect("the answer's gzip is damaged or not whole")
      }
    }
  }

  /// Fills the scratch buffer as far as it goes.
  private func step(_ packed: [UInt8], from start: Int) -> (code: Int32, used: Int, made: Int) {
    // SAFETY: both buffers outlive the call; zlib does not write to its input.
    unsafe packed.withUnsafeBufferPointer { input in
      unsafe scratch.withUnsafeMutableBufferPointer { output in
        let given = min(input.count - start, 1 << 30)
        unsafe stream.pointee.next_in = unsafe UnsafeMutablePointer(
          mutating: input.baseAddress.map { unsafe $0 + start })
        unsafe stream.pointee.avail_in = UInt32(given)
        unsafe stream.pointee.next_out = output.baseAddress
        unsafe stream.pointee.avail_out = UInt32(output.count)
        let code = unsafe inflate(stream, Z_NO_FLUSH)
        return unsafe (code, given - Int(stream.pointee.avail_in), output.count - Int(stream.pointee.avail_out))
      }
    }
  }
}
