import Console
import Foundation
import K3
import Ledger
import Logging
import Mapping
import OKKI
import Pipeline
import Queue
import Telemetry

/// Puts the parts together: the only file that names all adapters.
final class Wiring: Sendable {
  let settings: Settings
  let logger: Logger
  let registry: MetricsRegistry

  init(settings: Settings, logger: Logger, registry: MetricsRegistry) {
    self.settings = settings
    self.logger = logger
    self.registry = registry
  }

  let clock = PipelineClock(
    now: { ContinuousClock.now },
    epochMilliseconds: { Int64(Date().timeIntervalSince1970 * 1000) },
    sleep: { try? await Task.sleep(for: $0) })
}
