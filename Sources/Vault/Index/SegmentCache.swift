import Cryptography
import Digests

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Decrypted index segments on this machine's disk, one file each, named for the segment's id; readable for its owner only.
///
/// A cache: a file that is missing or fails its check is fetched again. Files appear by renaming, so that several processes share the
/// directory; one that is mapped stays readable after its name is gone.
struct SegmentCache: Sendable {
    /// Files of segments that a root does not name any more are removed a day after they were written: others may be about to commit them.
    static let grace = 86_400

    let directory: String
    private let key: [UInt8]

    /// nil when the machine keeps segments in memory.
    init?(_ local: any VaultLocalState, keys: KeyRing) {
        guard let directory = local.cacheDirectory else { return nil }
        self.directory = directory
        key = HKDFSHA256.derive(
            BLAKE3.keyLength, from: keys.chunkIDKey, salt: keys.repository, info: "lockstep index cache".utf8
        ).withBytes { Array($0) }
    }

    /// The segment's file, mapped; nil when there is none that passes its check.
    func image(of segment: SegmentReference) throws(VaultError) -> SegmentImage? {
        let path = path(segment.id)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure(path, "cannot be read")
        }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw failure(path, "cannot be read") }
        let length = Int(facts.st_size)
        guard length > 0 else { return nil }
        guard let address = mmap(nil, length, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw failure(path, "cannot be mapped into memory")
        }
        return SegmentImage(
            mapped: UnsafeRawBufferPointer(start: address, count: length), name: segment.name, key: key)
    }

    /// Writes the segment's file and maps it.
    func keep(_ image: SegmentImage, of segment: SegmentReference) throws(VaultError) -> SegmentImage {
        if mkdir(directory, 0o700) != 0, errno != EEXIST { throw failure(directory, "cannot be made") }
        let path = path(segment.id)
        var template = Array((path + ".XXXXXX").utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw failure(path, "cannot be written") }
        let temporary = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        let isWritten = image.withFile(name: segment.name, key: key) { header, rest in
            header.withUnsafeBytes { Self.write($0, to: descriptor) } && Self.write(rest, to: descriptor)
        }
        let cause = errno
        guard close(descriptor) == 0, isWritten, rename(temporary, path) == 0 else {
            let error = failure(path, "cannot be written", isWritten ? errno : cause)
            unlink(temporary)
            throw error
        }
        guard let mapped = try self.image(of: segment) else {
            throw VaultError(
                .local, "\(path) does not read back as it was written; check that disk, or name another cache directory"
            )
        }
        return mapped
    }

    /// Removes files that belong to none of the segments and are old, temporary ones of crashed processes among them.
    /// - Parameter now: seconds since 1970.
    func prune(keeping segments: [SegmentReference], now: Int) throws(VaultError) {
        guard let stream = opendir(directory) else {
            if errno == ENOENT { return }
            throw failure(directory, "cannot be read")
        }
        defer { closedir(stream) }
        let kept = Set(segments.map(\.id))
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            // Ours are 32 hex digits, and while they are written seven bytes more.
            guard name.utf8.count == 32 || name.utf8.count == 39, Hex.decode(String(name.prefix(32))) != nil,
                !kept.contains(name)
            else { continue }
            var facts = stat()
            guard stat(path(name), &facts) == 0 else { continue }
            if Int(facts.st_mtim.tv_sec) + Self.grace < now { unlink(path(name)) }
        }
    }

    private func path(_ name: String) -> String { "\(directory)/\(name)" }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            #if canImport(Glibc)
                let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            #else
                let count = Darwin.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            #endif
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private func failure(_ path: String, _ what: String, _ cause: Int32 = errno) -> VaultError {
        VaultError(
            .local,
            "\(path) \(what): \(String(cString: strerror(cause))). It caches the vault's index: free some room, or name another cache directory"
        )
    }
}
