import Foundation
import Testing

@testable import Curl

@Suite("what goes before a request's body")
struct RequestHeadTests {
  private static func head(_ request: HTTPRequest) -> (text: String, origin: String, isTLS: Bool)? {
    var head = RequestHead(userAgent: "ferry")
    var bytes: [UInt8] = []
    return head.write(request, to: &bytes).map { (String(decoding: bytes, as: UTF8.self), $0.origin, $0.isTLS) }
  }

  @Test(
    "URLs are taken apart",
    arguments: [
      ("http://a.test/b?c=/../d", "/b?c=/../d", "a.test", "http://a.test:80/"),
      ("HTTP://A.Test", "/", "A.Test", "http://a.test:80/"),
      ("https://a.test:443/x", "/x", "a.test", "https://a.test:443/"),
      ("https://a.test:80/x", "/x", "a.test:80", "https://a.test:80/"),
      ("http://127.0.0.1:8080?q=1", "/?q=1", "127.0.0.1:8080", "http://127.0.0.1:8080/"),
      ("http://a.test/b#c", "/b", "a.test", "http://a.test:80/"),
      ("http://a.test/a/../b/./c", "/b/c", "a.test", "http://a.test:80/"),
      ("http://[::1]:8080/x", "/x", "[::1]:8080", "http://[::1]:8080/"),
      ("http://[FE80::1%25Lo]/x", "/x", "[fe80::1]", "http://[fe80::1%25Lo]:80/"),
      ("http://who:p%40ss@a.test:81/x", "/x", "a.test:81", "http://a.test:81/"),
      ("http:///a.test/x", "/x", "a.test", "http://a.test:80/"),
      ("http://a.test/.well-known", "/.well-known", "a.test", "http://a.test:80/"),
      ("http://a.test/a%2e%2e/b.c", "/a%2e%2e/b.c", "a.test", "http://a.test:80/"),
    ])
  func urls(url: String, target: String, host: String, origin: String) throws {
    let head = try #require(Self.head(HTTPRequest(.get, url)))
    #expect(head.origin == origin)
    #expect(head.isTLS == url.lowercased().hasPrefix("https"))
    let lines = head.text.components(separatedBy: "\r\n")
    #expect(lines[0] == "GET \(target) HTTP/1.1")
    #expect(lines[1].lowercased() == "host: \(host)".lowercased())
    #expect(lines.contains("Authorization: Basic d2hvOnBAc3M=") == url.contains("@"))
    #expect(lines.suffix(5) == ["User-Agent: ferry", "Accept: */*", "Accept-Encoding: gzip", "", ""])
  }

  @Test(
    "what is no URL is refused",
    arguments: [
      "http://", "http://:80/", "http://a.test:99999/", "http://a.test:x/", "http://a%0d%0ab/", "http://[::1/",
    ])
  func refused(url: String) { #expect(Self.head(HTTPRequest(.get, url)) == nil) }

  @Test("a head is the same whatever was written before it")
  func kept() {
    let headers = [[], [HTTPHeader("X-One", "1")], [HTTPHeader("Accept", "a"), HTTPHeader("X-Empty", " ")]]
    let urls = [
      "http://a.test/x", "http://a.test", "http://a.test?y", "http://a.test:80/x", "http://a.testing/x",
      "http://b.test/x",
      "https://a.test/x", "http://a.test/x/../y", "http://who@a.test/x", "http://a.test/x#y", "http://[::1]/x",
    ]
    let requests = urls.flatMap { url in
      headers.flatMap { headers in
        [HTTPRequest(.get, url, headers: headers), HTTPRequest(.post, url, headers: headers, body: [1, 2])]
      }
    }
    var kept = RequestHead(userAgent: "ferry")
    var random = Seeded(5)
    for _ in 0..<4 {
      for request in requests.shuffled(using: &random) {
        var bytes: [UInt8] = []
        let whom = kept.write(request, to: &bytes)
        let fresh = Self.head(request)
        #expect(String(decoding: bytes, as: UTF8.self) == fresh?.text)
        #expect(whom?.origin == fresh?.origin && whom?.isTLS == fresh?.isTLS)
      }
    }
  }

  @Test("the caller's own fields take the place of the client's")
  func own() throws {
    let headers = ["host", "USER-AGENT", "Accept", "authorization"].map { HTTPHeader($0, "mine") }
    let text = try #require(Self.head(HTTPRequest(.post, "http://who:pass@a.test/", headers: headers))).text
    #expect(
      text == "POST / HTTP/1.1\r\nAccept-Encoding: gzip\r\nhost: mine\r\nUSER-AGENT: mine\r\nAccept: mine\r\n"
        + "authorization: mine\r\nContent-Length: 0\r\n\r\n")
  }

  @Test(
    "base 64",
    arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("\u{7f}?>", "fz8+")])
  func base64Vectors(text: String, code: String) { #expect(base64(Array(text.utf8)) == code) }
}
