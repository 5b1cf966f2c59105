public import Pipeline
import Synchronization

/// The write side of a `MemoryBroker`, which a test can make fail.
public final class MemoryOutbox: Outbox {
  private struct State {
    var isClosed = false
    var batches: [[Destination]] = []
    var fault: (@Sendable (Parcel) -> PublishResult?)?
  }

  private let broker: MemoryBroker
  private let state = Mutex(State())

  /// An outbox.
  public init(_ broker: MemoryBroker) { self.broker = broker }

  /// Whether it is open.
  public var isReady: Bool { !state.withLock(\.isClosed) }

  /// The destinations of each batch so far.
  public var batches: [[Destination]] { state.withLock(\.batches) }

  /// Answers parcels in the broker's place from now on; nil lets a parcel through. An `.unknown` is delivered all the
  /// same: that is the worse case.
  public func fail(_ fault: (@Sendable (Parcel) -> PublishResult?)?) {
    state.withLock { $0.fault = fault }
  }

  /// Publishes a batch, as the port says.
  public func publish(_ parcels: [Parcel]) async -> [PublishResult] {
    let (isClosed, fault) = state.withLock { state in
      state.batches.append(parcels.map(\.destination))
      return (state.isClosed, state.fault)
    }
    return parcels.map { parcel in
      if isClosed { return .refused("the outbox is closed") }
      switch fault?(parcel) {
      case .refused(let text): return .refused(text)
      case .tooLarge(let text): return .tooLarge(text)
      case .headersTooLarge(let text): return .headersTooLarge(text)
      case .unknown(let text):
        broker.publish(parcel)
        return .unknown(text)
      case .confirmed, nil:
        broker.publish(parcel)
        return .confirmed
      }
    }
  }

  /// Refuses everything from now on.
  public func close() async { state.withLock { $0.isClosed = true } }
}
