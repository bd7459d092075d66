import Digests
import Foundation
import ReplicationModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// An unfinished upload: the directory `.lockstep/uploads/ID` with the file that becomes the object, a table of the parts in it, and
/// what the upload is for. Any process can continue it.
struct FileUpload {
    static let maxParts = 100_000

    private static let data = Array("data".utf8)
    private static let parts = Array("parts".utf8)
    private static let description = Array("upload.json".utf8)

    /// What the upload is for, as it is kept next to the data.
    struct Description: Codable {
        var key: ObjectKey
        var size: Int64
        var partSize: Int64
        /// Nanoseconds since 1970.
        var initiated: Int64
    }

    let id: String
    let description: Description
    let directory: FileDescriptor
    private let tree: FileTree

    private init(id: String, description: Description, directory: FileDescriptor, tree: FileTree) {
        self.id = id
        self.description = description
        self.directory = directory
        self.tree = tree
    }

    // MARK: Beginning and ending

    /// Makes the upload out of sight, whole, and then shows it. The disk must have room for the object.
    static func begin(_ request: UploadRequest, in tree: FileTree) throws(FileFailure) -> String {
        let scratch = try tree.scratch()
        let id = newID()
        let temporary = scratch.newName()
        do throws(FileFailure) {
            let text = try encode(
                Description(
                    key: request.key, size: request.size, partSize: request.partSize, initiated: SystemTime().now()))
            do throws(Errno) {
                let uploads = try FileScratch.make(FileScratch.uploads, in: tree.directory)
                try scratch.directory.makeDirectory(temporary)
                let directory = try scratch.directory.openDirectory(temporary)
                let data = try directory.open(Self.data, O_RDWR | O_CREAT | O_EXCL, mode: 0o666)
                try data.preallocate(request.size)
                _ = try directory.open(Self.parts, O_RDWR | O_CREAT | O_EXCL, mode: 0o666)
                let description = try directory.open(Self.description, O_RDWR | O_CREAT | O_EXCL, mode: 0o666)
                try description.write(text, at: 0)
                try scratch.directory.rename(temporary, to: uploads, Array(id.utf8))
            } catch {
                throw FileFailure(
                    error, "making room for", tree.text(FileNames.path(of: request.key)), bytesNeeded: request.size)
            }
        } catch {
            _ = Errno.of { () throws(Errno) in try FileScratch.removeFlat(temporary, in: scratch.directory) }
            throw error
        }
        return id
    }

    /// The upload of a session; throws `.missingUpload` when it is gone or another one.
    static func open(_ session: UploadSession, in tree: FileTree) throws(FileFailure) -> FileUpload {
        guard let upload = try open(session.handle, in: tree), upload.description.key == session.key,
            upload.description.size == session.size, upload.description.partSize == session.partSize
        else { throw FileFailure(.missingUpload, "the upload is gone; start it again") }
        return upload
    }

    /// nil when there is no such upload, or half of one.
    private static func open(_ id: String, in tree: FileTree) throws(FileFailure) -> FileUpload? {
        guard isID(id) else { return nil }
        let path = FileScratch.uploads + [UInt8(ascii: "/")] + Array(id.utf8)
        do throws(Errno) {
            let directory = try tree.directory.openDirectory(path)
            let text = try directory.open(Self.description, O_RDONLY).contents(limit: 1 << 20)
            guard let description = decode(text) else { return nil }
            return FileUpload(id: id, description: description, directory: directory, tree: tree)
        } catch {
            if error == .absent || error == .notDirectory { return nil }
            throw FileFailure(error, "opening the upload", tree.text(path))
        }
    }

    /// All uploads.
    static func all(in tree: FileTree) throws(FileFailure) -> [FileUpload] {
        var uploads: [FileUpload] = []
        let names: [DirectoryReader.Entry]
        do throws(Errno) {
            names = try DirectoryReader.read(try tree.directory.openDirectory(FileScratch.uploads))
        } catch {
            if error == .absent { return [] }
            throw FileFailure(error, "listing", tree.text(FileScratch.uploads))
        }
        for name in names {
            if let upload = try open(String(decoding: name.name, as: UTF8.self), in: tree) { uploads.append(upload) }
        }
        return uploads
    }

    /// Removes an upload; one that is gone is not an error. It leaves in one step for where what a crash interrupts is swept.
    static func remove(_ id: String, in tree: FileTree) throws(FileFailure) {
        guard isID(id) else { return }
        let name = Array(id.utf8)
        do throws(Errno) {
            let uploads = try tree.directory.openDirectory(FileScratch.uploads)
            guard try uploads.facts(of: name) != nil else { return }
        } catch {
            guard error != .absent else { return }
            throw FileFailure(error, "removing the upload", tree.text(FileScratch.uploads))
        }
        let scratch = try tree.scratch()
        let temporary = scratch.newName()
        do throws(Errno) {
            let uploads = try tree.directory.openDirectory(FileScratch.uploads)
            try uploads.rename(name, to: scratch.directory, temporary)
            try FileScratch.removeFlat(temporary, in: scratch.directory)
        } catch {
            guard error != .absent else { return }
            throw FileFailure(error, "removing the upload", tree.text(FileScratch.uploads))
        }
    }

    // MARK: Parts

    /// Checks that the part has its place, lets `fill` write it there and return its digest, and notes it.
    func write(
        _ number: Int, at offset: Int64, count: Int64, writer: UInt64,
        _ fill: (FileDescriptor, _ path: String) throws(FileFailure) -> ContentDigest
    ) throws(FileFailure) -> ContentDigest {
        let isLast = offset + count == description.size
        guard (1...Self.maxParts).contains(number), offset == Int64(number - 1) * description.partSize,
            isLast || count == description.partSize, offset + count <= description.size
        else {
            throw FileFailure(
                .invalidRequest,
                "part \(number) of \(count) bytes at \(offset) is none of an upload of \(description.size) in parts of \(description.partSize)"
            )
        }
        let path = tree.text(FileNames.path(of: description.key))
        let data = try file(Self.data)
        let parts = try file(Self.parts)
        do throws(Errno) {
            try parts.write([UInt8](repeating: 0, count: PartTable.recordLength), at: PartTable.offset(of: number))
        } catch { throw FileFailure(error, "writing", path, bytesNeeded: count) }
        let digest = try fill(data, path)
        data.startWriteback(offset, count)
        do throws(Errno) {
            let record = PartTable.Record(number: number, digest: digest, writer: writer)
            try parts.write(PartTable.encode(record), at: PartTable.offset(of: number))
        } catch { throw FileFailure(error, "writing", path, bytesNeeded: count) }
        return digest
    }

    func table() throws(FileFailure) -> PartTable {
        do throws(Errno) {
            // A process that ended right after it had installed the object left the table without the data.
            guard try directory.facts(of: Self.data) != nil else { throw Errno.absent }
            return PartTable(
                try directory.open(Self.parts, O_RDONLY).contents(limit: Self.maxParts * PartTable.recordLength))
        } catch { throw missing(error) }
    }

    /// The file with all parts, proven to hold them: the digest of the whole object.
    func assemble(
        _ request: CompleteRequest, writer: UInt64, _ cancellation: FileThreads.Cancellation
    ) throws(FileFailure) -> (file: FileDescriptor, digest: ContentDigest) {
        let table = try table()
        let data = try file(Self.data)
        let path = tree.text(FileNames.path(of: description.key))
        var whole = ContentDigest()
        for (index, receipt) in request.parts.enumerated() {
            guard receipt.number == index + 1, let record = table.records[receipt.number],
                record.digest.length == receipt.size,
                receipt.digest == nil || receipt.digest == record.digest
            else {
                throw FileFailure(.invalidRequest, "part \(index + 1) is not the one that was stored; send it again")
            }
            // After a crash the table may be on the disk and the bytes not: what another process wrote is read.
            if record.writer != writer {
                let range = ByteRange(offset: whole.length, length: record.digest.length)
                guard try FileStore.digest(range, of: data, path, cancellation) == record.digest else {
                    throw FileFailure(
                        .checksumMismatch,
                        "the bytes of part \(receipt.number) are not on the disk; start the upload again")
                }
            }
            whole = whole.appending(record.digest)
        }
        guard whole.length == description.size else {
            throw FileFailure(
                .invalidRequest, "the parts have \(whole.length) bytes together, and the object \(description.size)")
        }
        if let digest = request.digest, digest != whole {
            throw FileFailure(.checksumMismatch, "the parts do not have the checksum of the whole object together")
        }
        return (data, whole)
    }

    /// Puts the assembled file in its place.
    func install(_ file: FileDescriptor, under condition: WriteCondition) throws(FileFailure) -> FileFacts {
        try tree.install(Self.data, in: directory, file, at: FileNames.path(of: description.key), under: condition)
    }

    // MARK: Inside

    /// The data, for writes around the page cache; nil where the file system has none.
    ///
    /// Nobody reads large parts back at once, and to fill the cache with them takes several times the processor time of the disk's transfer.
    func openDirect() -> FileDescriptor? {
        var direct: FileDescriptor?
        _ = Errno.of { () throws(Errno) in direct = try directory.openDirect(Self.data) }
        return direct
    }

    private func file(_ name: [UInt8]) throws(FileFailure) -> FileDescriptor {
        do throws(Errno) { return try directory.open(name, O_RDWR) } catch { throw missing(error) }
    }

    /// Without its files the upload was completed or aborted by another.
    private func missing(_ error: Errno) -> FileFailure {
        error == .absent
            ? FileFailure(.missingUpload, "the upload is gone; start it again")
            : FileFailure(error, "opening the upload of", tree.text(FileNames.path(of: description.key)))
    }

    private static func newID() -> String {
        Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255) })
    }

    /// A handle comes from a ledger: it must not be able to name anything else.
    private static func isID(_ text: String) -> Bool { text.utf8.count == 32 && Hex.decode(text) != nil }

    private static func encode(_ description: Description) throws(FileFailure) -> [UInt8] {
        do { return Array(try JSONEncoder().encode(description)) } catch {
            throw FileFailure(.invalidRequest, "the upload cannot be described: \(error)")
        }
    }

    private static func decode(_ text: [UInt8]) -> Description? {
        do { return try JSONDecoder().decode(Description.self, from: Data(text)) } catch { return nil }
    }
}
