/// A queue in an array: appending and taking are constant time, and a taken element is let go at once.
struct Fifo<Element> {
  private var items: [Element?] = []
  private var head = 0

  var count: Int { items.count - head }
  var isEmpty: Bool { head == items.count }
  var first: Element? { isEmpty ? nil : items[head] }

  /// The element `offset` places behind the first; the offset must be below `count`.
  subscript(offset: Int) -> Element {
    get {
      // The caller's own slip, as with an array.
      guard let item = items[head + offset] else { preconditionFailure("offset beyond the queue's end") }
      return item
    }
    set { items[head + offset] = newValue }
  }

  mutating func append(_ element: Element) {
    items.append(element)
  }

  mutating func popFirst() -> Element? {
    guard head < items.count else { return nil }
    let item = items[head].take()
    head += 1
    if head == items.count {
      items.removeAll(keepingCapacity: items.count <= 4_096)
      head = 0
    } else if head >= 256, head * 2 >= items.count {
      items.removeFirst(head)
      head = 0
    }
    return item
  }
}
