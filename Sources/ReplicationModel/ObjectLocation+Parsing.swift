/// A location that cannot be used, and how to write it.
package struct LocationError: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}

extension ObjectLocation {
    /// What a location's path names.
    package enum Kind: Sendable {
        /// Everything below it: a slash is added where it is missing.
        case folder
        /// One object.
        case object
    }

    /// What the text of a location inside a vault begins with. A directory whose own name begins so is written `./vault+…`: a plain copy
    /// where a sealed one was meant must not happen by a slip.
    static let vaultMark = "vault+"

    /// Reads `s3://bucket/prefix`, `gs://bucket/prefix`, `az://account/container/prefix`, `file:///dir` or a plain path, and each of them
    /// behind `vault+`.
    ///
    /// For `.object` the key is in `prefix`, and a file's directory in `bucket`.
    /// - Parameter directory: what a relative path starts from; absolute.
    package init(parsing text: String, as kind: Kind = .folder, directory: String) throws(LocationError) {
        guard !text.isEmpty else { throw LocationError("an empty location; write s3://bucket/prefix or a directory") }
        if text.lowercased().hasPrefix(Self.vaultMark) {
            let rest = String(text.dropFirst(Self.vaultMark.count))
            guard !rest.lowercased().hasPrefix(Self.vaultMark) else {
                throw LocationError("\(text): a vault lies in a plain location; write vault+s3://bucket/prefix")
            }
            try self.init(parsing: rest, as: kind, directory: directory)
            isVault = true
            return
        }
        guard let separator = text.firstRange(of: "://") else {
            try self.init(path: text, as: kind, directory: directory)
            return
        }
        let scheme = text[..<separator.lowerBound].lowercased()
        let rest = text[separator.upperBound...]
        switch scheme {
        case "s3", "gs", "gcs":
            let (bucket, path) = Self.split(rest)
            guard !bucket.isEmpty else {
                throw LocationError("\(text) names no bucket; write \(scheme)://bucket/prefix")
            }
            self.init(
                service: scheme == "s3" ? .s3 : .gs, bucket: bucket, prefix: try Self.prefix(path, as: kind, of: text))
        case "az", "azure":
            let (account, containerAndPath) = Self.split(rest)
            let (container, path) = Self.split(containerAndPath)
            guard !account.isEmpty, !container.isEmpty else {
                throw LocationError("\(text) names no container; write az://account/container/prefix")
            }
            self.init(
                service: .az, account: account, bucket: container, prefix: try Self.prefix(path, as: kind, of: text))
        case "file":
            guard rest.hasPrefix("/") else {
                throw LocationError("\(text) is not absolute; write file:///dir or a plain path")
            }
            try self.init(path: String(rest), as: kind, directory: directory)
        default:
            throw LocationError(
                "\(text): unknown kind of location '\(scheme)'; known are s3, gs, az, file and plain paths, and vault+ before them"
            )
        }
    }

    private init(path: String, as kind: Kind, directory: String) throws(LocationError) {
        let absolute = Self.normalise(path.hasPrefix("/") ? path : directory + "/" + path)
        switch kind {
        case .folder: self.init(service: .file, bucket: absolute)
        case .object:
            let slash = absolute.lastIndex(of: "/")!
            let name = absolute[absolute.index(after: slash)...]
            guard !name.isEmpty, !path.hasSuffix("/") else { throw LocationError("\(path) names no file") }
            self.init(
                service: .file, bucket: slash == absolute.startIndex ? "/" : String(absolute[..<slash]),
                prefix: ObjectKey(String(name)))
        }
    }

    private static func split(_ text: Substring) -> (String, Substring) {
        guard let slash = text.firstIndex(of: "/") else { return (String(text), "") }
        return (String(text[..<slash]), text[text.index(after: slash)...])
    }

    private static func prefix(_ path: Substring, as kind: Kind, of text: String) throws(LocationError) -> ObjectKey {
        switch kind {
        case .folder:
            guard !path.split(separator: "/").contains(where: { $0 == "." || $0 == ".." }) else {
                throw LocationError(
                    "\(text) has . or .. between its slashes, which keys of a cloud take literally; write the folder itself"
                )
            }
            return ObjectKey(path.isEmpty || path.hasSuffix("/") ? String(path) : path + "/")
        case .object:
            guard !path.isEmpty else { throw LocationError("\(text) names no object; write its key behind the bucket") }
            return ObjectKey(String(path))
        }
    }

    /// Removes `.`, `..` and doubled slashes by name alone; symbolic links are not looked at.
    private static func normalise(_ path: String) -> String {
        var components: [Substring] = []
        for component in path.split(separator: "/") where component != "." {
            if component == ".." { _ = components.popLast() } else { components.append(component) }
        }
        return "/" + components.joined(separator: "/")
    }

    /// Whether objects of one location can also be objects of the other, given that both are served by the same endpoint. A location in
    /// a vault counts as what lies at its path: keys inside continue the path, so this holds for two folders of one vault too.
    package func overlaps(_ other: ObjectLocation) -> Bool {
        guard service == other.service, account == other.account else { return false }
        if service == .file {
            let a = bucket == "/" ? "/" : bucket + "/"
            let b = other.bucket == "/" ? "/" : other.bucket + "/"
            return a.hasPrefix(b) || b.hasPrefix(a)
        }
        return bucket == other.bucket && (prefix.hasPrefix(other.prefix) || other.prefix.hasPrefix(prefix))
    }
}
