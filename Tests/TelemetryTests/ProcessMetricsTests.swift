import Foundation
import Glibc
import Telemetry
import Testing

@testable import Telemetry

@Suite("What Linux tells about the process")
struct ProcessMetricsTests {
  @Test("the series have the names that all exporters use, each with its kind and a sentence")
  func names() {
    let registry = MetricsRegistry()
    ProcessMetrics.observe(in: registry)
    let text = registry.prometheusText()
    for name in ["resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds"] {
      #expect(text.contains("# TYPE process_\(name) gauge\nprocess_\(name) "), "\(text)")
      #expect(text.contains("# HELP process_\(name) "))
    }
    #expect(text.contains("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total "))
  }

  @Test("processor time grows by what is worked")
  func processor() throws {
    let before = try #require(ProcessMetrics.cpuSeconds())
    var last = before
    while last < before + 0.02 { last = try #require(ProcessMetrics.cpuSeconds()) }
    #expect(last > 0)
  }

  @Test("memory is what Linux counts as resident")
  func memory() throws {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
    let kilobytes = try #require(line.split(separator: " ").dropLast().last.flatMap { Double($0) })
    let bytes = try #require(ProcessMetrics.residentBytes())
    // Other tests take and give back memory meanwhile.
    #expect(bytes > kilobytes * 512 && bytes < kilobytes * 2_048, "\(bytes) against \(kilobytes) KiB")
  }

  @Test("an open file counts, and the most are what the process may have")
  func files() throws {
    // Others open and close files meanwhile; a hundred are seen all the same.
    let before = try #require(ProcessMetrics.openFiles())
    let files = (0..<100).map { _ in open("/dev/null", O_RDONLY) }
    let during = try #require(ProcessMetrics.openFiles())
    for file in files { close(file) }
    #expect(during - before > 50 && during - before < 150, "\(before), then \(during)")
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    #expect(ProcessMetrics.mostFiles() == Double(limit.rlim_cur))
  }

  @Test("the start lies before now, and after the machine's")
  func start() throws {
    let start = try #require(ProcessMetrics.startSeconds())
    let uptime = try String(contentsOfFile: "/proc/uptime", encoding: .utf8)
    let up = try #require(uptime.split(separator: " ").first.flatMap { Double($0) })
    let now = Date().timeIntervalSince1970
    // Linux tells the machine's start in whole seconds.
    #expect(start <= now + 1 && start >= now - up - 2, "\(start) of \(now), up for \(up)")
  }
}
