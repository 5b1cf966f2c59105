// swift-tools-version: 6.2
import PackageDescription

// Sources/README.md tells what each room is for, and which room may import which.

let house: [SwiftSetting] =
  [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    // Rooms are modules: without the first each value that crosses a door costs a call and a reference count; mapping gains
    // a tenth. The second leaves out the check at run time that no two accesses to a class's variable overlap; debug builds,
    // and so all tests, have it.
    .unsafeFlags(
      ["-cross-module-optimization", "-enforce-exclusivity=unchecked"], .when(configuration: .release)),
  ] + (Context.environment["FERRY_WARNINGS"] == "errors" ? [.treatAllWarnings(as: .error)] : [])
/// deploy/chaos alone asks for it: roles that can end themselves at a named step.
let chaos: [SwiftSetting] = Context.environment["FERRY_CHAOS"] == "1" ? [.define("FERRY_CHAOS")] : []
let driver = house + [.strictMemorySafety()]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let nio = ["NIOCore", "NIOHTTP1", "NIOPosix"].map { Target.Dependency.product(name: $0, package: "swift-nio") }

func room(
  _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = [], settings: [SwiftSetting] = []
) -> Target {
  .target(
    name: name, dependencies: dependencies, path: "Sources/\(name)", resources: resources,
    swiftSettings: house + settings)
}
func driverRoom(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/Drivers/\(name)", swiftSettings: driver)
}
func library(_ name: String, pkgConfig: String, apt: String) -> Target {
  .systemLibrary(name: name, path: "Sources/Drivers/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}
func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
  .testTarget(
    name: name, dependencies: dependencies, path: "Tests/\(name)", resources: resources, swiftSettings: house)
}

let package = Package(
  name: "ferry",
  products: [
    .executable(name: "ferry", targets: ["ferry"]),
    .executable(name: "vendorsim", targets: ["vendorsim"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // The flow, from values to stages.
    room("JSON"),
    room("Orders", ["JSON"]),
    room("Expressions", ["JSON", "Orders", "PCRE2", "Digests"]),
    room("Mapping", ["JSON", "Orders", "Expressions"]),
    room("Pipeline", ["JSON", "Orders", "Mapping", logging, coreMetrics, lifecycle], settings: chaos),

    // The doors.
    room("OKKI", ["JSON", "Orders", "Pipeline", "Curl"]),
    room("K3", ["JSON", "Orders", "Pipeline", "Curl"]),
    room("Queue", ["JSON", "Orders", "Pipeline", "AMQP", "Curl", "Digests"]),
    room("Ledger", ["JSON", "Orders", "Pipeline", "PostgreSQL", "PCRE2", "Digests"]),
    room("Telemetry", ["JSON", logging, coreMetrics]),
    room("Workbench", ["JSON", "Orders", "Mapping", "PCRE2"]),
    room("Console", ["Telemetry", logging, lifecycle] + nio),

    // The drivers: one C library each, on threads of their own.
    .systemLibrary(name: "CMalloc", path: "Sources/Drivers/CMalloc"),
    driverRoom("DriverThread", ["CMalloc"]),
    library("CRabbitMQ", pkgConfig: "librabbitmq", apt: "librabbitmq-dev"),
    driverRoom("AMQP", ["CRabbitMQ", "DriverThread"]),
    library("CPostgreSQL", pkgConfig: "libpq", apt: "libpq-dev"),
    driverRoom("PostgreSQL", ["CPostgreSQL", "DriverThread"]),
    library("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
    library("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),
    driverRoom("Curl", ["CCurl", "CZlib", "DriverThread"]),
    // Plain functions, without a thread.
    library("CPCRE2", pkgConfig: "libpcre2-8", apt: "libpcre2-dev"),
    driverRoom("PCRE2", ["CPCRE2"]),
    library("CCrypto", pkgConfig: "libcrypto", apt: "libssl-dev"),
    driverRoom("Digests", ["CCrypto"]),

    // The programs.
    .executableTarget(
      name: "ferry",
      dependencies: [
        "JSON", "Orders", "Mapping", "Pipeline", "OKKI", "K3", "Queue", "Ledger", "Telemetry", "Console",
        "Workbench", "DriverThread", arguments, logging, coreMetrics, lifecycle, signals,
      ], path: "Sources/ferry", swiftSettings: house),
    .target(
      name: "VendorStage", dependencies: ["JSON"] + nio, path: "Sources/vendorsim/Stage", swiftSettings: house),
    .executableTarget(
      name: "vendorsim", dependencies: ["VendorStage", arguments, logging, lifecycle, signals],
      path: "Sources/vendorsim/Program", swiftSettings: house),
    // Measures parts by themselves; not shipped.
    .executableTarget(
      name: "ferrybench",
      dependencies: [
        "JSON", "Orders", "Expressions", "Mapping", "Pipeline", "OKKI", "K3", "Queue", "Ledger", "PostgreSQL", "Curl",
      ],
      path: "Sources/ferrybench", swiftSettings: house),

    // Servers on plain sockets, which do what a test says.
    .target(name: "TestSockets", dependencies: ["DriverThread"], path: "Tests/TestSockets", swiftSettings: house),
    // A broker on a plain socket, which says what a test wants.
    .target(name: "AMQPTesting", dependencies: ["DriverThread"], path: "Tests/AMQPTesting", swiftSettings: house),
    // What a page of metrics says.
    .target(
      name: "TelemetryTesting", dependencies: ["Telemetry"], path: "Tests/TelemetryTesting", swiftSettings: house),
    // Doubles of the ports and the contracts that doubles and adapters keep.
    .target(
      name: "PipelineTesting", dependencies: ["JSON", "Orders", "Pipeline", "PCRE2", "TestSockets", logging],
      path: "Tests/PipelineTesting", swiftSettings: house),

    // Seeded histories of the flow's own code; not shipped.
    .executableTarget(
      name: "ferrysim", dependencies: ["JSON", "Orders", "Mapping", "Pipeline", "PipelineTesting", logging],
      path: "Tests/Simulation", swiftSettings: house),

    // Tests, in the order of the rooms.
    tests("JSONTests", ["JSON"]),
    tests("OrdersTests", ["Orders"]),
    tests("ExpressionsTests", ["JSON", "Orders", "Expressions", "PCRE2", "DriverThread"]),
    tests("MappingTests", ["JSON", "Orders", "Mapping"]),
    tests(
      "PipelineTests",
      [
        "Pipeline", "JSON", "Orders", "Mapping", "Telemetry", "TelemetryTesting", "PipelineTesting", "TestSockets",
        logging, lifecycle,
      ]),
    tests(
      "OKKITests",
      [
        "OKKI", "JSON", "Orders", "Pipeline", "Curl", "Telemetry", "TelemetryTesting", "PipelineTesting", "TestSockets",
        "VendorStage",
      ]),
    tests(
      "K3Tests",
      [
        "K3", "JSON", "Orders", "Pipeline", "Curl", "Telemetry", "TelemetryTesting", "PipelineTesting", "VendorStage",
      ]),
    tests(
      "QueueTests",
      [
        "Queue", "AMQP", "AMQPTesting", "Curl", "JSON", "Orders", "Pipeline", "Telemetry",
        "TelemetryTesting", "PipelineTesting", "TestSockets",
      ]),
    tests("LedgerTests", ["Ledger", "Digests", "JSON", "Orders", "Pipeline", "PipelineTesting", "PostgreSQL"]),
    tests("WorkbenchTests", ["Workbench", "JSON", "Mapping", "Orders"]),
    tests("TelemetryTests", ["Telemetry", "JSON", logging, coreMetrics]),
    tests("AMQPTests", ["AMQP", "AMQPTesting", "DriverThread", "TestSockets"]),
    tests("PostgreSQLTests", ["PostgreSQL", "DriverThread", "TestSockets"]),
    tests("CurlTests", ["Curl", "CCurl", "DriverThread", "TestSockets"]),
    tests("VendorSimTests", ["VendorStage", "JSON"]),
    tests(
      "FerryTests",
      [
        "ferry", "Console", "DriverThread", "JSON", "Ledger", "Mapping", "Orders", "Pipeline", "PipelineTesting",
        "PostgreSQL", "Queue", "Telemetry", "TestSockets", lifecycle, logging, nio[1],
      ]),
    tests("ArchitectureTests", []),
    tests(
      "EndToEndTests",
      [
        "PipelineTesting", "TestSockets", "DriverThread", "AMQP", "Curl", "PostgreSQL", "JSON", "Orders", "Pipeline",
        "Queue",
      ]),
  ]
)
