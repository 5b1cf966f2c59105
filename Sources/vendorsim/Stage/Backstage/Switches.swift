import JSON

/// One setting of a simulated server: readable, changeable while it runs, and strict about its value.
struct Switch<Settings> {
  var name: String
  /// What it decides; for an assumption of the vendor reference its number first (`A-3: …`).
  var note: String
  var show: (Settings, inout JSONWriter) -> Void
  /// Puts a value in; answers what is wrong with it, or nil.
  var put: (inout Settings, JSONValue) -> String?

  static func flag(_ name: String, _ path: WritableKeyPath<Settings, Bool>, _ note: String) -> Switch {
    Switch(name: name, note: note, show: { $1.bool($0[keyPath: path]) }) { settings, value in
      guard let flag = value.bool else { return "true or false is wanted" }
      settings[keyPath: path] = flag
      return nil
    }
  }

  static func whole(
    _ name: String, _ path: WritableKeyPath<Settings, Int>, _ range: ClosedRange<Int>, _ note: String
  ) -> Switch {
    Switch(name: name, note: note, show: { $1.integer(Int64($0[keyPath: path])) }) { settings, value in
      guard let number = value.int64, let whole = Int(exactly: number), range.contains(whole) else {
        return "a whole number of \(range.lowerBound) to \(range.upperBound) is wanted"
      }
      settings[keyPath: path] = whole
      return nil
    }
  }

  static func text(_ name: String, _ path: WritableKeyPath<Settings, String>, _ note: String) -> Switch {
    Switch(name: name, note: note, show: { $1.string($0[keyPath: path]) }) { settings, value in
      guard let text = value.string else { return "a text is wanted" }
      settings[keyPath: path] = text
      return nil
    }
  }

  static func names(_ name: String, _ path: WritableKeyPath<Settings, [String]>, _ note: String) -> Switch {
    Switch(
      name: name, note: note,
      show: { settings, writer in
        writer.beginArray()
        for item in settings[keyPath: path] { writer.string(item) }
        writer.endArray()
      },
      put: { settings, value in
        let items = value.elements.map(\.string)
        guard value.kind == .array, !items.contains(nil) else { return "an array of texts is wanted" }
        settings[keyPath: path] = items.compactMap { $0 }
        return nil
      })
  }

  static func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ name: String, _ path: WritableKeyPath<Settings, Choice>, _ note: String
  ) -> Switch {
    Switch(name: name, note: note, show: { $1.string($0[keyPath: path].rawValue) }) { settings, value in
      guard let choice = value.string.flatMap({ Choice(rawValue: $0) }) else {
        return "one of \(Choice.allCases.map(\.rawValue).joined(separator: ", ")) is wanted"
      }
      settings[keyPath: path] = choice
      return nil
    }
  }
}

/// All settings of a server by name.
struct Switchboard<Settings> {
  var switches: [Switch<Settings>]

  /// Shows every setting with its value and note.
  func show(_ settings: Settings) -> Reply {
    Reply(
      jsonObject(reserving: 4_096) { writer in
        for one in switches {
          writer.key(one.name)
          one.show(settings, &writer)
        }
        writer.member(
          "notes",
          object: { notes in
            for one in switches { notes.member(one.name, one.note) }
          })
      })
  }

  /// Changes what the object names: all of it, or nothing and a list of every problem.
  func change(_ settings: inout Settings, _ object: JSONValue) -> [String] {
    guard object.kind == .object else { return ["a JSON object is wanted"] }
    var changed = settings
    var problems: [String] = []
    for (name, value) in object.members {
      if let one = switches.first(where: { $0.name == name }) {
        if let problem = one.put(&changed, value) { problems.append("\(name): \(problem)") }
      } else {
        problems.append("\(name): no such name; known are \(switches.map(\.name).joined(separator: ", "))")
      }
    }
    if problems.isEmpty { settings = changed }
    return problems
  }
}

/// Refuses an admin request with everything that is wrong with it.
func refused(_ problems: [String]) -> Reply {
  Reply(
    jsonObject { writer in
      writer.member("problems", array: { list in for problem in problems { list.string(problem) } })
    }, status: 400)
}
