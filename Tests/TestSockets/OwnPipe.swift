public import Foundation

/// A pipe of which no other child gets an end: one that had the writing end would keep the reader waiting until it ends itself.
public func ownPipe() -> Pipe {
  let pipe = Pipe()
  for end in [pipe.fileHandleForReading, pipe.fileHandleForWriting] {
    _ = fcntl(end.fileDescriptor, F_SETFD, FD_CLOEXEC)
  }
  return pipe
}
