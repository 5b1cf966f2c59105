public import Orders

/// How a window of a list is read, decided without asking anybody: told how many orders a slice has, it says what comes
/// next. The live streams and the sweeps run on it.
///
/// Slices come in order of time and leave no second out, so that a watermark may follow each of them. A slice with too many
/// orders is halved; one whose count changed while it was read is read again, a bounded number of times.
///
/// Of orders of the same second OKKI promises no order: one page may show again what another one has shown, and neither what
/// should stand there. So several pages must show as many orders as were counted; where they do not, the slice is halved,
/// since one page has no such gap, and a single second is read again.
public struct WindowPlan: Sendable, Equatable {
  /// What is to be done next.
  public enum Step: Sendable, Equatable {
    /// Count the orders of the slice, then `counted`.
    case count(TimeWindow)
    /// Read all pages of the slice, which has so many orders, from the last to the first, then `hasRead`.
    case read(TimeWindow, total: Int)
    /// The slice has been read: count again, then `counted`.
    case recount(TimeWindow)
    /// Everything of the slice is read, and what lies before it is empty. Where `moves`, the watermark may move to its end; then `concluded`.
    case conclude(TimeWindow, moves: Bool)
    /// The slice changed in every pass.
    case giveUp(TimeWindow)
    /// The whole window is read.
    case finished
  }

  /// What is to be done next.
  public private(set) var step: Step
  /// How often the slice has been read already.
  public private(set) var passes = 0
  private let sliceSize: Int
  private let pageSize: Int
  private let maxPasses: Int
  /// Everything up to here was safe before.
  private let safe: BeijingTime?
  /// Slices still to be counted, the earliest one last.
  private var pending: [Pending] = []
  /// What the slice that is counted has together with the half behind it.
  private var ofBoth: Int?
  private var total = 0
  /// Everything before is concluded.
  private var open: BeijingTime
  /// What the passes over the slice have shown since its count last changed.
  private var shown: Set<OrderID> = []
  /// The most rows of which nobody knows the order that one of those passes has shown.
  private var unknown = 0
  /// Some page of the last pass was put together from smaller ones.
  private var isOfPieces = false

  /// A plan for a window.
  /// - Parameters:
  ///   - safe: everything up to here was read before: slices that end by it move nothing.
  ///   - sliceSize: a slice with more orders is halved, as long as it has more than one second.
  ///   - pageSize: orders a page. Of a slice with more of them `hasRead` must tell which orders were shown.
  ///   - maxPasses: how often a slice is read at most while its count changes; at least 1.
  public init(
    _ window: TimeWindow, safe: BeijingTime? = nil, sliceSize: Int, pageSize: Int = .max, maxPasses: Int
  ) {
    step = .count(window)
    open = window.from
    self.safe = safe
    self.sliceSize = sliceSize
    self.pageSize = pageSize
    self.maxPasses = max(maxPasses, 1)
  }

  /// A live stream's plan: from the watermark less the overlap, or from `since` before there is one, to `end`.
  /// - Parameter isBack: the watermark was farther and is to go back, so that every slice moves it.
  /// - Returns: nil where that ends before it begins.
  public init?(
    watermark: BeijingTime?, isBack: Bool = false, overlapSeconds: Int, since: BeijingTime, end: BeijingTime,
    sliceSize: Int, pageSize: Int = .max, maxPasses: Int
  ) {
    let start = watermark?.advanced(bySeconds: -Int64(overlapSeconds)) ?? since
    guard let window = TimeWindow(from: start, to: end) else { return nil }
    self.init(window, safe: isBack ? nil : watermark, sliceSize: sliceSize, pageSize: pageSize, maxPasses: maxPasses)
  }

  /// The slice has so many orders, as was to be counted. Without effect at any other step.
  public mutating func counted(_ count: Int) {
    switch step {
    case .count(let slice):
      if let ofBoth, let late = pending.indices.last { pending[late].estimate = ofBoth - count }
      ofBoth = nil
      if count > sliceSize, let halves = slice.halves {
        halve(halves, of: count)
      } else {
        passes = 0
        shown = []
        unknown = 0
        begin(slice, count)
      }
    case .recount(let slice):
      passes += 1
      if count == total, count <= pageSize && !isOfPieces || shown.count + unknown >= count {
        step = conclusion(of: slice)
      } else if count == total, let halves = slice.halves {
        halve(halves, of: count)
      } else if passes >= maxPasses {
        step = .giveUp(slice)
      } else {
        if count != total { (shown, unknown) = ([], 0) }
        begin(slice, count)
      }
    case .read, .conclude, .giveUp, .finished: break
    }
  }

  /// All pages of the slice have been read, and have shown these orders, and so many rows that cannot be read. Without effect at any other step.
  /// - Parameter inPieces: some page had to be put together from smaller ones, so that also a single page may have a gap.
  public mutating func hasRead(
    showing orders: Set<OrderID> = [], unreadable rows: Int = 0, inPieces: Bool = false
  ) {
    guard case .read(let slice, _) = step else { return }
    isOfPieces = inPieces
    shown.formUnion(orders)
    unknown = max(unknown, rows)
    step = .recount(slice)
  }

  /// The watermark follows. Without effect at any other step.
  public mutating func concluded() {
    guard case .conclude(let slice, _) = step else { return }
    open = slice.to.advanced(bySeconds: 1)
    goOn()
  }

  private mutating func goOn() {
    guard let next = pending.popLast() else {
      step = .finished
      return
    }
    // An estimate is a reason to halve and no more: by now orders may have left the slice.
    if let estimate = next.estimate, estimate > sliceSize, let halves = next.window.halves {
      halve(halves, of: estimate)
    } else {
      step = .count(next.window)
    }
  }

  private mutating func halve(_ halves: (early: TimeWindow, late: TimeWindow), of count: Int) {
    pending.append(Pending(window: halves.late))
    ofBoth = count
    step = .count(halves.early)
  }

  private mutating func begin(_ slice: TimeWindow, _ count: Int) {
    total = count
    if count == 0, !pending.isEmpty { return goOn() }
    step = count == 0 ? conclusion(of: slice) : .read(slice, total: count)
  }

  private func conclusion(of slice: TimeWindow) -> Step {
    .conclude(TimeWindow(from: open, to: slice.to) ?? slice, moves: safe.map { $0 < slice.to } ?? true)
  }

  private struct Pending: Sendable, Equatable {
    let window: TimeWindow
    /// What it should have by what was counted before; nil where that is not known.
    var estimate: Int?
  }
}
