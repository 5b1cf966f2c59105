import ArgumentParser

struct PollCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "poll", abstract: "Reads OKKI and publishes new revisions of orders.")

  @Flag(
    help: "One cycle, then end: exit 0 when everything up to OKKI's now is published, 75 when another process polls.")
  var once = false

  func run() async throws {
    let wiring = try Startup.wiring(for: [.poll])
    if once {
      try await Startup.exiting {
        guard try await wiring.pollOnce() else {
          Startup.complain("Another process polls; nothing was read.")
          throw Startup.laterExit
        }
      }
    } else {
      try await Startup.serve(wiring, roles: [.poll])
    }
  }
}

struct TransformCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transform", abstract: "Maps orders to bills. Run as many as needed.")

  func run() async throws {
    try await Startup.serve(try Startup.wiring(for: [.transform]), roles: [.transform])
  }
}

struct LoadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load", abstract: "Writes bills to K/3, each once. Run as many as needed.")

  func run() async throws {
    try await Startup.serve(try Startup.wiring(for: [.load]), roles: [.load])
  }
}

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Poller, transformer and loader in one process, for small sites.")

  func run() async throws {
    let roles: Set<Role> = [.poll, .transform, .load]
    try await Startup.serve(try Startup.wiring(for: roles), roles: [.load, .transform, .poll])
  }
}
