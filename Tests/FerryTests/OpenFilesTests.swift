import Testing

@testable import ferry

@Suite("The limit of open descriptors")
struct OpenFilesTests {
  @Test("it is raised as far as needed and allowed, and never lowered")
  func raised() {
    #expect(OpenFiles.raised(1_024, hard: 524_288) == 65_536)
    #expect(OpenFiles.raised(1_024, hard: 4_096) == 4_096)
    #expect(OpenFiles.raised(1_000_000, hard: .max) == 1_000_000)
  }
}
