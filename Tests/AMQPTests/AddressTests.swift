import AMQP
import Testing

@Suite(.timeLimit(.minutes(1))) struct AddressTests {
  @Test("an address is read with all its parts")
  func whole() throws {
    let address = try AMQPAddress("amqps://us%40er:p%3Ass%2F@rabbit.example:5700/orders%2Fv1")
    #expect(address.usesTLS)
    #expect(address.host == "rabbit.example")
    #expect(address.port == 5700)
    #expect(address.user == "us@er")
    #expect(address.password == "p:ss/")
    #expect(address.virtualHost == "orders/v1")
  }

  @Test("what an address leaves out has AMQP's defaults")
  func defaults() throws {
    let plain = try AMQPAddress("amqp://localhost")
    #expect((plain.port, plain.user, plain.password, plain.virtualHost) == (5672, "guest", "guest", "/"))
    #expect(try AMQPAddress("amqps://localhost/").port == 5671)
    #expect(try AMQPAddress("amqp://a@localhost/").user == "a")
    #expect(try AMQPAddress("amqp://localhost/").virtualHost == "/")
    #expect(try AMQPAddress("amqp://localhost/%2F").virtualHost == "/")
  }

  @Test("an IPv6 address stands in brackets")
  func bracketed() throws {
    let address = try AMQPAddress("amqp://u:p@[::1]:5673/")
    #expect((address.host, address.port) == ("::1", 5673))
  }

  @Test(
    "what is no address is refused without quoting it",
    arguments: [
      "", "http://secret@h/", "amqp://", "amqp://u:secret@/", "amqp://u:secret@h:0/", "amqp://u:secret@h:65536/",
      "amqp://u:secret@h:+5/", "amqp://u:secret@h:x/", "amqp://u:secret%zz@h/", "amqp://u:secret%4",
      "amqp://u:secret%00@h/", "amqp://u:secret%ff@h/", "amqp://u:secret@h/a/b", "amqp://u:secret@h/?heartbeat=1",
      "amqp://u:secret@::1/",
      "amqp://u:secret@[::1/", "amqp://u:secret@[::1]x/",
    ])
  func refused(_ text: String) {
    let error = #expect(throws: AMQPAddressError.self) { try AMQPAddress(text) }
    #expect(error.map { !"\($0)".contains("secret") } == true)
  }

  @Test("a printed address hides its password")
  func description() throws {
    let text = "\(try AMQPAddress("amqp://u:secret@h/"))"
    #expect(text == "amqp://u:***@h:5672 virtual host /")
  }

  @Test("options out of range are refused before anything is opened")
  func options() async throws {
    let good = AMQPOptions(address: try AMQPAddress("amqp://127.0.0.1:1/"), connectionName: "AMQPTests")
    let bad: [(inout AMQPOptions) -> Void] = [
      { $0.heartbeatSeconds = 0 }, { $0.connectTimeoutSeconds = 0 }, { $0.rpcTimeoutSeconds = 601 },
      { $0.stallTimeoutSeconds = 0 }, { $0.frameMax = 4_095 }, { $0.maxMessageBytes = 0 },
      { $0.connectionName = String(repeating: "n", count: 201) },
    ]
    for change in bad {
      var options = good
      change(&options)
      let failure = await #expect(throws: AMQPFailure.self) { try await AMQPConnection.open(options) }
      guard case .invalid = failure else {
        Issue.record("\(String(describing: failure))")
        continue
      }
    }
  }
}
