import CMalloc
import Glibc

/// Gives memory back that holds parts of files: programs and libraries as they lie on the disk.
///
/// Starting touches far more of them than work does: the dynamic linker reads all symbol tables, Swift's runtime all
/// conformances, libraries set themselves up. The kernel keeps those pages in the process until memory is short. Two
/// thirds of an idle worker were such pages.
public enum FilePages {
  /// Takes all pages out of the process that came from a program's or library's file and cannot have been changed. What is
  /// needed again is found where it is, in the kernel's file cache: a minor fault for 16 pages. Takes half a millisecond;
  /// may be called by any thread at any time, also while others run in those pages.
  ///
  /// Safe because only segments are given back that nobody may write to: code and constants. Data and what the linker
  /// relocates lie in writable segments, which are left alone, as is a library whose code is relocated in place.
  public static func giveBack() {
    _ = unsafe each_loaded_object({ object, _, _ in unsafe Self.giveBack(object) }, nil)
  }

  private static func giveBack(_ object: UnsafeMutablePointer<loaded_object>?) -> Int32 {
    // SAFETY: the loader's own table, which it holds still while it shows it; the headers it counts are mapped.
    guard let object = unsafe object?.pointee, let headers = unsafe object.headers else { return 0 }
    let base = UInt(unsafe object.address)
    // The kernel's own object is of no file.
    if base == getauxval(UInt(AT_SYSINFO_EHDR)) { return 0 }
    let segments = unsafe UnsafeBufferPointer(start: headers, count: Int(unsafe object.header_count))
    if unsafe segments.contains(where: { isRelocatedInPlace(base, $0) }) { return 0 }
    let page = UInt(getpagesize())
    for index in segments.indices {
      let segment = unsafe segments[index]
      guard segment.p_type == UInt32(PT_LOAD), segment.p_flags & UInt32(PF_W) == 0 else { continue }
      // Whole pages of this segment alone; the first and the last one may show bytes of its neighbours.
      let first = (base + UInt(segment.p_vaddr) + page - 1) / page * page
      let end = (base + UInt(segment.p_vaddr) + UInt(segment.p_memsz)) / page * page
      if end > first, let start = unsafe UnsafeMutableRawPointer(bitPattern: first) {
        // What the kernel refuses stays as it is.
        _ = unsafe madvise(start, Int(end - first), MADV_DONTNEED)
      }
    }
    return 0
  }

  /// Whether the linker may have written into code (DT_TEXTREL, or DF_TEXTREL among the flags).
  private static func isRelocatedInPlace(_ base: UInt, _ segment: Elf64_Phdr) -> Bool {
    guard segment.p_type == UInt32(PT_DYNAMIC),
      var entry = unsafe UnsafePointer<Elf64_Dyn>(bitPattern: base + UInt(segment.p_vaddr))
    else { return false }
    // SAFETY: the object's dynamic section, which DT_NULL ends.
    while unsafe entry.pointee.d_tag != DT_NULL {
      let (tag, value) = unsafe (entry.pointee.d_tag, entry.pointee.d_un.d_val)
      if tag == DT_TEXTREL || tag == DT_FLAGS && value & UInt64(DF_TEXTREL) != 0 { return true }
      unsafe entry += 1
    }
    return false
  }
}
