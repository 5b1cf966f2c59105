import FoundationEssentials
import Glibc

/// What makes an installation less safe than it could be, for `ferry check`: a sentence each, with what to do. None holds a
/// password, or more of an address than its host.
enum Trust {
  /// Of a broker's address, or its management's.
  static func ofBroker(_ name: SettingName, _ url: String, remedy: String) -> [String] {
    guard let parts = URLComponents(string: url) else { return [] }
    var warnings: [String] = []
    // As every client of AMQP has it, and the management's takes it from there.
    let isAMQP = parts.scheme?.lowercased().hasPrefix("amqp") == true
    let user = parts.user ?? (isAMQP ? "guest" : "")
    let password = parts.password ?? (isAMQP ? "guest" : "")
    if user == "guest", password == "guest" {
      warnings.append(
        "\(name.rawValue) logs in as guest with the password that everybody knows: make a user of its own (rabbitmqctl "
          + "add_user, set_permissions) and delete guest (rabbitmqctl delete_user guest)")
    }
    return warnings + ofPlaintext(name, url, remedy: remedy)
  }

  /// Of an address whose scheme says whether it is TLS.
  static func ofPlaintext(_ name: SettingName, _ url: String, remedy: String) -> [String] {
    guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(), let host = parts.host,
      ["http", "amqp"].contains(scheme), !isLoopback(host)
    else { return [] }
    return [
      "\(name.rawValue) goes to \(host) by \(scheme)://: passwords and orders cross the network in the clear, and anybody may "
        + "answer for it: \(remedy)"
    ]
  }

  /// Of the database's hosts.
  static func ofDatabase(_ route: (hosts: [String], sslMode: String)?) -> [String] {
    guard let route, route.sslMode != "verify-full" else { return [] }
    // A name that begins with / or @ is a socket in a folder.
    let far = route.hosts.filter { !isLoopback($0) && !$0.hasPrefix("/") && !$0.hasPrefix("@") }
    guard !far.isEmpty else { return [] }
    let risk =
      route.sslMode == "verify-ca"
      ? "whoever has a certificate of the same authorities, for whatever name, may answer for it"
      : "anybody on the way may answer for it, and read along unless it speaks TLS"
    return [
      "FERRY_POSTGRES_URL goes to \(far.joined(separator: ", ")) with sslmode=\(route.sslMode): \(risk): add "
        + "?sslmode=verify-full to the address, and the server's authority to FERRY_CA_FILE"
    ]
  }

  /// Of a file.
  /// - Parameters:
  ///   - isSecret: whether it must not be read by others either.
  ///   - user: who reads it here, with the groups it is in.
  static func ofFile(
    _ name: String, _ path: String, isSecret: Bool, user: uid_t = geteuid(), groups: Set<gid_t> = ownGroups()
  ) -> [String] {
    var file = stat()
    guard stat(path, &file) == 0 else { return [] }
    var warnings: [String] = []
    func warn(_ what: String, _ remedy: String) { warnings.append("\(name) \(path) \(what): \(remedy)") }
    let mode = file.st_mode
    let isReached = othersReach(path)
    if mode & S_IWOTH != 0, isReached {
      warn("can be changed by every user of this machine", "chmod o-rwx")
    } else if isSecret, mode & S_IROTH != 0, isReached {
      warn("can be read by every user of this machine", "chmod o-rwx")
    }
    // A group that we are in is how a file is handed to a service.
    if mode & S_IWGRP != 0, file.st_gid != 0 {
      warn("can be changed by its group \(file.st_gid)", "chmod g-w")
    } else if isSecret, mode & S_IRGRP != 0, file.st_gid != 0, !groups.contains(file.st_gid) {
      warn("can be read by its group \(file.st_gid), in which this user is not", "chmod g-r, or chgrp")
    }
    if file.st_uid != 0, file.st_uid != user {
      warn("belongs to another user (\(file.st_uid)), who can change it", "chown")
    }
    return warnings
  }

  /// Whether a secret's file was handed to a container by its engine: below the folder that engines use for it, on a file system
  /// that nobody in the container can write to. Its mode there says nothing: no other user is in the container, and on the
  /// machine the file lies elsewhere.
  static func isHanded(
    _ path: String, below folder: String = "/run/secrets", isReadOnly: (String) -> Bool = isOnReadOnlyFileSystem
  ) -> Bool {
    resolved(path)?.hasPrefix(folder + "/") == true && isReadOnly(path)
  }

  static func isOnReadOnlyFileSystem(_ path: String) -> Bool {
    var found = statvfs()
    return statvfs(path, &found) == 0 && found.f_flag & UInt(ST_RDONLY) != 0
  }

  /// Of the settings whose files were handed to this container.
  static func ofHanded(_ names: [String]) -> [String] {
    if names.isEmpty { return [] }
    return [
      "handed in by the container's engine: \(names.joined(separator: ", ")); who else can read a file of it is decided where "
        + "it comes from, on the machine by the folder that it lies in (deploy/README.md, TLS)"
    ]
  }

  /// A path without links; nil where there is nothing.
  private static func resolved(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// The groups of this process.
  static func ownGroups() -> Set<gid_t> {
    var groups = [gid_t](repeating: 0, count: 1024)
    let count = getgroups(Int32(groups.count), &groups)
    return Set(groups.prefix(max(0, Int(count)))).union([getegid()])
  }

  /// Whether others may enter every folder on the way.
  private static func othersReach(_ path: String) -> Bool {
    guard var folder = resolved(path) else { return true }
    while let slash = folder.lastIndex(of: "/") {
      folder = String(folder[..<slash])
      var found = stat()
      if stat(folder.isEmpty ? "/" : folder, &found) == 0, found.st_mode & S_IXOTH == 0 { return false }
    }
    return true
  }

  /// A name or address of this machine alone.
  static func isLoopback(_ host: String) -> Bool {
    let host = host.lowercased().trimmingPrefix("[").prefix { $0 != "]" && $0 != "%" }
    if host == "localhost" || host.hasSuffix(".localhost") || host == "::1" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
