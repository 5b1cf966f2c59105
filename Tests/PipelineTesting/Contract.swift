public import Testing

/// One sentence of a port's contract, to be checked on every implementation of the port.
public struct ContractCase<Subject: Sendable>: Sendable, CustomTestStringConvertible {
  /// The sentence.
  public let sentence: String
  private let body: @Sendable (Subject) async throws -> Void

  init(_ sentence: String, _ body: @escaping @Sendable (Subject) async throws -> Void) {
    self.sentence = sentence
    self.body = body
  }

  /// Checks it.
  public func check(_ subject: Subject) async throws { try await body(subject) }

  /// Shown by the test runner.
  public var testDescription: String { sentence }
}

/// Why a test cannot be run as it should be.
public struct TestSetupError: Error, CustomStringConvertible {
  /// The sentence.
  public let description: String

  /// An error.
  public init(_ description: String) { self.description = description }
}
