import ArgumentParser

@main
struct Ferry: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "ferry", abstract: "Sales orders from OKKI to K/3 WISE.")
}
