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
}
