#if canImport(Glibc)
  import Glibc
#endif

/// Addresses of the servers that `deploy/test` starts.
public enum TestServers {
  /// An address by the name of its variable.
  /// - Throws: when it is not set: a test that needs a server fails without one.
  public static func address(_ variable: String) throws -> String {
    guard let value = getenv(variable) else {
      throw TestSetupError("\(variable) is not set: run deploy/test, which starts the servers")
    }
    return String(cString: value)
  }

  /// `amqp://user:password@host:port/`
  public static func rabbit() throws -> String { try address("FERRY_TEST_RABBITMQ_URL") }
  /// `http://user:password@host:port`
  public static func rabbitManagement() throws -> String { try address("FERRY_TEST_RABBITMQ_MANAGEMENT_URL") }
  /// `postgresql://user:password@host:port/database`
  public static func postgres() throws -> String { try address("FERRY_TEST_POSTGRES_URL") }

  /// A word that no other test uses: lower-case letters and digits.
  public static func freshWord() -> String {
    String(UInt64.random(in: 0...UInt64.max), radix: 36)
  }
}
