/// A vendor's token that the processes of an installation share.
public struct StoredToken: Sendable, Equatable {
  /// Counts up with each token.
  public let generation: Int64
  /// The token.
  public let text: String
  /// Seconds for which it may still be used.
  public let seconds: Int64

  /// A token.
  public init(generation: Int64, text: String, seconds: Int64) {
    self.generation = generation
    self.text = text
    self.seconds = seconds
  }
}

/// What a process that needs a token does.
public enum TokenAnswer: Sendable, Equatable {
  /// Take this one.
  case token(StoredToken)
  /// Get a new one from the vendor, then `keep` it under this permit, or `giveUp`; nobody else may meanwhile.
  case fetch(permit: Int64)
  /// Another process gets one: ask again in so many milliseconds.
  case wait(milliseconds: Int64)
}

/// The vendors' tokens of an installation: one process at a time asks the vendor for a new one, and all use it.
///
/// A permit is good for 20 seconds, so that a process that dies with one holds nobody up for longer.
public protocol TokenStore: Sendable {
  /// A token that may be used now, or what to do instead.
  /// - Parameters:
  ///   - name: vendor, address and login in one.
  ///   - refused: the newest generation that the vendor has refused; nil when it has refused none.
  func token(_ name: String, insteadOf refused: Int64?) async throws(LedgerFailure) -> TokenAnswer
  /// Keeps a token for all.
  /// - Parameter seconds: for how long it may be used.
  /// - Returns: its generation; nil when the permit was no longer the newest, and nothing was kept.
  func keep(_ name: String, _ text: String, seconds: Int64, permit: Int64) async throws(LedgerFailure) -> Int64?
  /// The vendor gave none: another process may try at once.
  func giveUp(_ name: String, permit: Int64) async throws(LedgerFailure)
}

/// A token as a vendor has just given it.
public struct GivenToken: Sendable {
  /// The token.
  public let text: String
  /// Seconds for which it may be used.
  public let seconds: Int64
  /// Its generation in the installation's store; nil: it is not there.
  public let generation: Int64?

  /// A token.
  public init(text: String, seconds: Int64, generation: Int64? = nil) {
    self.text = text
    self.seconds = seconds
    self.generation = generation
  }
}

extension TokenStore {
  /// The installation's newest token; asks the vendor when there is none and no other process does.
  ///
  /// Without the store each process asks for itself, as if it were alone.
  /// - Parameters:
  ///   - refused: the token that the vendor has just refused, or that is used up.
  ///   - sleep: waits; may end early when the task is cancelled.
  ///   - ask: asks the vendor.
  public nonisolated(nonsending) func newest<Failure: Error>(
    _ name: String, insteadOf refused: GivenToken?, sleep: @Sendable (Duration) async -> Void,
    ask: () async throws(Failure) -> GivenToken
  ) async throws(Failure) -> GivenToken {
    var generation = refused?.generation
    while !Task.isCancelled {
      let answer: TokenAnswer
      do throws(LedgerFailure) { answer = try await token(name, insteadOf: generation) } catch { break }
      switch answer {
      case .token(let stored):
        // Got while the store was away, and put there by nobody: it is known by its text only.
        guard stored.text != refused?.text else {
          generation = stored.generation
          continue
        }
        return GivenToken(text: stored.text, seconds: stored.seconds, generation: stored.generation)
      case .wait(let milliseconds): await sleep(.milliseconds(milliseconds))
      case .fetch(let permit):
        let given: GivenToken
        do throws(Failure) { given = try await ask() } catch {
          // Who waits goes on when the permit is over, at the latest.
          try? await giveUp(name, permit: permit)
          throw error
        }
        let kept = try? await keep(name, given.text, seconds: given.seconds, permit: permit)
        return GivenToken(text: given.text, seconds: given.seconds, generation: kept ?? nil)
      }
    }
    return try await ask()
  }
}
