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
}
