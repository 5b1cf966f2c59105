import Glibc

/// A real server, reached through its own command-line client: one process evaluates any number of expressions.
enum MariaDB {
  struct Failure: Error {
    let sentence: String
  }

  /// What an expression came to there.
  enum Answer: Equatable, CustomStringConvertible {
    case null
    case text(String)
    case refused

    var description: String {
      switch self {
      case .null: "NULL"
      case .text(let text): "'\(text)'"
      case .refused: "an error"
      }
    }
  }

  private static let session = """
    SET NAMES utf8mb4 COLLATE utf8mb4_general_ci, time_zone='+08:00', timestamp=1710403200, \
    sql_mode='NO_ZERO_DATE,NO_ZERO_IN_DATE';

    """

  static func answers(to expressions: [String]) throws -> [Answer] {
    guard let socket = getenv("FERRY_TEST_MARIADB_SOCKET").map({ String(cString: $0) }), !socket.isEmpty else {
      throw Failure(sentence: "run deploy/test, which starts the servers")
    }
    var script = session
    for (index, expression) in expressions.enumerated() {
      script += "SELECT CONCAT('#\(index) ', IF((\(expression)) IS NULL,'N',"
      script += "CONCAT('=',HEX(CAST((\(expression)) AS CHAR)))));\n"
    }
    let output = try run(script, socket: socket)
    var answers = [Answer](repeating: .refused, count: expressions.count)
    for line in output.split(separator: "\n") where line.hasPrefix("#") {
      let words = line.dropFirst().split(separator: " ")
      guard words.count == 2, let index = Int(words[0]), answers.indices.contains(index) else { continue }
      answers[index] = words[1] == "N" ? .null : .text(text(ofHex: words[1].dropFirst()))
    }
    return answers
  }

  private static func text(ofHex digits: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = digits
    while let byte = UInt8(rest.prefix(2), radix: 16) {
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Files instead of pipes: neither side can then wait for the other.
  private static func run(_ script: String, socket: String) throws -> String {
    let input = try temporaryFile()
    let output = try temporaryFile()
    let errors = try temporaryFile()
    defer { for file in [input, output, errors] { close(file) } }
    var script = Array(script.utf8)
    while !script.isEmpty {
      let count = write(input, script, script.count)
      guard count > 0 else { throw Failure(sentence: "the script could not be written") }
      script.removeFirst(count)
    }
    lseek(input, 0, SEEK_SET)

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (file, place) in [(input, STDIN_FILENO), (output, STDOUT_FILENO), (errors, STDERR_FILENO)] {
      posix_spawn_file_actions_adddup2(&actions, file, place)
    }
    let arguments = [
      "mariadb", "--no-defaults", "--socket=\(socket)", "--user=root", "--default-character-set=utf8mb4", "--batch",
      "--skip-column-names", "--raw", "--force", "--binary-mode",
    ]
    var words = arguments.map { strdup($0) } + [nil]
    var variables = [strdup("PATH=/usr/bin:/bin"), strdup("LANG=C.UTF-8"), nil]
    defer { for pointer in words + variables { free(pointer) } }
    var child: pid_t = 0
    guard posix_spawn(&child, "/usr/bin/mariadb", &actions, nil, &words, &variables) == 0 else {
      throw Failure(sentence: "/usr/bin/mariadb cannot be started")
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    let text = content(of: output)
    guard text.contains("#") else { throw Failure(sentence: "the server gave no answer: \(content(of: errors))") }
    return text
  }

  /// A file without a name.
  private static func temporaryFile() throws -> Int32 {
    var name = Array("/tmp/ferry-expressions-XXXXXX".utf8CString)
    let file = mkstemp(&name)
    guard file >= 0 else { throw Failure(sentence: "no temporary file can be made") }
    unlink(name)
    _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    return file
  }

  private static func content(of file: Int32) -> String {
    lseek(file, 0, SEEK_SET)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(file, &buffer, buffer.count)
      guard count > 0 else { break }
      bytes += buffer.prefix(count)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
