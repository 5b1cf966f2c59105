import Testing

@testable import PostgreSQL

@Suite("Where to connect")
struct TargetTests {
  @Test("no Kerberos ticket is looked for unless the URL asks for it: what stands behind wins")
  func kerberos() {
    let url = "postgresql://u:p@127.0.0.1/d?gssencmode=prefer"
    let parameters = ConnectionTarget(PostgresOptions(url: url)).parameters
    let own = parameters.firstIndex { $0 == ("gssencmode", "disable") }
    let urls = parameters.firstIndex { $0 == ("dbname", url) }
    #expect((own ?? .max) < (urls ?? .min), "\(parameters)")
  }

  @Test(
    "TLS 1.2 is the least whatever the URL says, but for more; authorities are given where they are asked, behind the URL"
  )
  func trust() {
    func behind(_ query: String) -> [String] {
      let url = "postgresql://u:p@127.0.0.1/d?\(query)"
      var options = PostgresOptions(url: url)
      options.certificateAuthorityFile = "/ca.pem"
      let parameters = ConnectionTarget(options).parameters
      return parameters.drop { $0 != ("dbname", url) }.map { "\($0.keyword)=\($0.value)" }
    }
    let least = "ssl_min_protocol_version=TLSv1.2"
    #expect(behind("sslmode=require&ssl_min_protocol_version=TLSv1").contains(least))
    #expect(behind("sslmode=require").contains(least))
    #expect(!behind("ssl_min_protocol_version=TLSv1.3").contains(least))
    #expect(behind("sslmode=verify-full").contains("sslrootcert=/ca.pem"))
    #expect(behind("sslmode=verify-ca").contains("sslrootcert=/ca.pem"))
    for query in ["sslmode=require", "sslmode=prefer", "", "sslmode=verify-full&sslrootcert=/own.pem"] {
      #expect(!behind(query).contains("sslrootcert=/ca.pem"), "\(query)")
    }
  }

  private func target(
    _ query: String, _ environment: [String: String] = [:], _ authorities: String? = nil
  ) -> ConnectionTarget {
    var options = PostgresOptions(url: "postgresql://\(query)")
    options.certificateAuthorityFile = authorities
    return ConnectionTarget(options) { environment[$0] }
  }

  @Test(
    "the system's authorities are asked where the name is checked as well, and never by verify-ca, which is refused")
  func publicAuthorities() throws {
    let full = target("u:canary@pg.example/d?sslmode=verify-full").parameters
    #expect(full.contains { $0 == ("sslrootcert", "/etc/ssl/certs/ca-certificates.crt") })
    for refused in [
      target("u:canary@pg.example/d?sslmode=verify-ca"),
      target("u:canary@pg.example/d", ["PGSSLMODE": "verify-ca"]),
    ] {
      guard case .invalid(let why)? = refused.defect else {
        Issue.record("\(String(describing: refused.defect))")
        continue
      }
      #expect(why.contains("verify-full") && why.contains("sslrootcert") && !why.contains("canary"), "\(why)")
      #expect(!refused.parameters.contains { $0.keyword == "sslrootcert" })
    }
    for named in [
      target("pg.example/d?sslmode=verify-ca&sslrootcert=/own.pem"),
      target("pg.example/d?sslmode=verify-ca", [:], "/ca.pem"),
      target("pg.example/d?sslmode=verify-ca", ["PGSSLROOTCERT": "/own.pem"]),
      target("pg.example/d?sslmode=require"),
    ] { #expect(named.defect == nil) }
  }

  @Test(
    "the hosts are those that libpq goes to: an address before its name, the URL before the environment, each of several",
    arguments: [
      ("127.0.0.1/d?hostaddr=10.0.0.7", [:], ["10.0.0.7"]),
      ("a.example,b.example:5433/d?hostaddr=,10.0.0.8", [:], ["a.example", "10.0.0.8"]),
      ("a.example,127.0.0.1/d", ["PGHOST": "c.example"], ["a.example", "127.0.0.1"]),
      ("/d", ["PGHOST": "c.example,/run/pg"], ["c.example", "/run/pg"]),
      ("localhost/d", ["PGHOSTADDR": "10.0.0.9"], ["10.0.0.9"]), ("/d?host=e.example", [:], ["e.example"]),
      ("/d", [:], []), ("%2Frun%2Fpg/d", [:], ["/run/pg"]),
    ] as [(String, [String: String], [String])])
  func hosts(url: String, environment: [String: String], hosts: [String]) {
    #expect(target(url, environment).hosts == hosts)
  }
}
