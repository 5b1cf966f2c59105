import Pipeline

/// Something on the broker that is not as the topology wants it.
struct TopologyProblem: Sendable, Equatable {
  /// Who can mend it.
  enum Cure: Sendable, Equatable {
    /// `ferry migrate` does.
    case migrate
    /// A person: nothing that Ferry may do changes it.
    case person(String)
  }

  /// What differs: one sentence without its full stop.
  let sentence: String
  let cure: Cure
  /// See `SetupProblem.difference`.
  let difference: [String]

  init(_ sentence: String, _ cure: Cure = .migrate, difference: [String]) {
    self.sentence = sentence
    self.cure = cure
    self.difference = difference
  }

  /// Whether it would make a declaration fail, or waiting for it pointless.
  var needsPerson: Bool { cure != .migrate }

  /// For the person at the terminal.
  var shown: SetupProblem {
    switch cure {
    case .migrate: SetupProblem("\(sentence).", remedy: "Run ferry migrate.", difference: difference)
    case .person(let remedy): SetupProblem("\(sentence).", remedy: remedy, difference: difference)
    }
  }
}
