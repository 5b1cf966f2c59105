/// How K/3's refusals are told apart.
///
/// Public material knows hardly any of K/3's texts (vendor-apis.md A.14), and sites differ: so the kind of a refusal is
/// found by words in its message, to which a site adds its own (`init(adding:)`). Case does not count. Values that K/3 quotes in brackets
/// (`客户[…]不存在`) are not looked at: they are the bill's own data.
public struct K3Messages: Sendable {
  /// The token may have expired: get a new one, and ask once more.
  public var token = ["token", "令牌", "授权"]
  /// We are not let in, also with a fresh token.
  public var unauthorized = ["token", "令牌", "授权"]
  /// Not about our rights, though the words above stand in them: they are taken out before those are looked for.
  public var unrelated = ["授权额度", "额度授权", "授权金额", "信用授权", "授权经销", "授权代理"]
  /// A message with one of these is about a field of the bill, whatever other words it has.
  public var aboutField = ["字段"]
  /// Passes by itself, or gives no reason at all: worth another try later.
  public var busy = ["系统繁忙", "稍后再试", "正在使用", "超时", "死锁", "deadlock", "timeout", "操作不成功"]
  /// K/3 gave up waiting for its own work: nobody knows whether that was done all the same.
  public var unsettled = ["超时", "timeout"]
  /// K/3 has more to do than it can: fewer requests at a time. Not the words about one bill, such as 正在使用.
  public var overloaded = ["系统繁忙", "稍后再试", "超时", "死锁", "deadlock", "timeout"]
  /// A bill with this number is there already: all words of one entry must occur.
  public var duplicate = [["编号", "已存在"], ["单据号", "已存在"], ["编号", "重复"], ["单据号", "重复"]]
  /// A bill that is not changed or deleted any more: audited, closed, void.
  public var unchangeable = ["已审核", "已审批", "已关闭", "已作废"]
  /// A bill that is not there.
  public var gone = ["单据不存在"]
  /// Words that stand where the legacy dialect has the bill's number (A.5.2).
  public var generic = ["successful", "success", "succeed", "ok", "faild", "failed"]

  /// The words above.
  public init() {}

  /// The kinds of refusal.
  enum Kind { case token, unauthorized, busy, duplicate, other }

  /// What a refusal is about.
  /// - Parameter isFresh: the token was got for this very call, so it cannot have expired.
  func kind(of message: String, isFresh: Bool) -> Kind {
    let words = Self.withoutValues(message).lowercased()
    func has(_ list: [String], in words: String) -> Bool { list.contains { words.contains($0.lowercased()) } }
    if !has(aboutField, in: words) {
      let rights = unrelated.reduce(words) { $0.replacing($1.lowercased(), with: " ") }
      if !isFresh, has(token, in: rights) { return .token }
      if has(unauthorized, in: rights) { return .unauthorized }
    }
    if duplicate.contains(where: { $0.allSatisfy { words.contains($0.lowercased()) } }) { return .duplicate }
    return has(busy, in: words) ? .busy : .other
  }

  /// Whether K/3 refuses because it has too much to do.
  func isOverload(_ message: String) -> Bool {
    let words = Self.withoutValues(message).lowercased()
    return overloaded.contains { words.contains($0.lowercased()) }
  }

  /// Whether a refused write may have been done all the same.
  func isUnsettled(_ message: String) -> Bool {
    let words = Self.withoutValues(message).lowercased()
    return unsettled.contains { words.contains($0.lowercased()) }
  }

  /// Whether a refusal says that the bill can no longer be changed.
  func isUnchangeable(_ message: String) -> Bool {
    let words = Self.withoutValues(message).lowercased()
    return unchangeable.contains { words.contains($0.lowercased()) } || isGone(message)
  }

  /// Whether a message is a word of success, not a bill's number.
  func isGeneric(_ message: String) -> Bool { generic.contains { $0.lowercased() == message.lowercased() } }

  /// Whether a refusal says that the bill is not there.
  func isGone(_ message: String) -> Bool {
    let words = Self.withoutValues(message).lowercased()
    return gone.contains { words.contains($0.lowercased()) }
  }

  /// The message without what stands between brackets: `客户[…]不存在`. Groups refusals, and shows none of the bill's
  /// data. A bracket that is not closed hides the rest.
  static func withoutValues(_ message: String) -> String {
    var result = ""
    var depth = 0
    for character in message {
      switch character {
      case "[", "【", "［":
        if depth == 0 { result.append("[…") }
        depth += 1
      case "]", "】", "］":
        if depth > 0 {
          depth -= 1
          if depth == 0 { result.append("]") }
        }
      default: if depth == 0 { result.append(character) }
      }
    }
    return result
  }
}
