import Digests
import NIOCore

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The files of one cloud below the data directory: `blobs/ID` hold bytes, `buckets/NAME/ID.json` describe objects.
///
/// A blob that no description names is removed when the store is opened.
final class DiskStore {
    private let directory: String
    private var random = SystemRandomNumberGenerator()

    init(directory: String) throws {
        self.directory = directory
        try FileSystem.makeDirectories(directory + "/blobs")
        try FileSystem.makeDirectories(directory + "/buckets")
    }

    func makeBlob() throws -> BlobFile {
        try BlobFile(directory: directory + "/blobs", name: String(random.next() as UInt64, radix: 16))
    }

    func bucket(_ name: String) throws -> DiskBucket {
        let path = directory + "/buckets/" + PercentCoding.encode(name.utf8)
        try FileSystem.makeDirectories(path)
        return DiskBucket(path: path, store: self)
    }

    /// All buckets with their objects, as the last run left them.
    func load() throws -> [Bucket] {
        var blobs: [String: FileBlob] = [:]
        func blob(_ name: String) -> FileBlob {
            if let known = blobs[name] { return known }
            let opened = FileBlob(path: directory + "/blobs/" + name, name: name)
            blobs[name] = opened
            return opened
        }
        var buckets: [Bucket] = []
        for folder in try FileSystem.entries(directory + "/buckets") {
            let name = String(decoding: PercentCoding.decode(folder.utf8), as: UTF8.self)
            buckets.append(try bucket(name).load(name: name, blob: blob))
        }
        for file in try FileSystem.entries(directory + "/blobs") where blobs[file] == nil {
            unlink(directory + "/blobs/" + file)
        }
        return buckets
    }

    func close(_ buckets: some Sequence<Bucket>) {
        for bucket in buckets {
            for object in bucket.allVersions {
                for case .file(let blob, _, _) in object.body.segments { blob.keep() }
            }
        }
    }
}

/// The description files of one bucket.
final class DiskBucket {
    private let path: String
    private let store: DiskStore
    /// The description file of each object version that is on disk.
    private var files: [ObjectIdentifier: String] = [:]
    private var nextFile: UInt64

    fileprivate init(path: String, store: DiskStore) {
        self.path = path
        self.store = store
        nextFile = 0
    }

    private struct Record: Codable {
        struct Piece: Codable {
            var blob: String
            var offset: Int
            var length: Int
        }
        var key: String
        var order: UInt64
        var attributes: ObjectAttributes
        var pieces: [Piece]
    }

    func save(_ properties: BucketProperties) throws {
        try write(JSONEncoder().encode(properties), to: "bucket.json")
    }

    func save(_ object: StoredObject) throws {
        var pieces: [Record.Piece] = []
        for segment in object.body.segments {
            switch segment {
            case .file(let blob, let offset, let length):
                pieces.append(.init(blob: blob.name, offset: offset, length: length))
            case .memory(let buffer):
                let file = try store.makeBlob()
                try buffer.withUnsafeReadableBytes { try file.write($0) }
                let blob = try file.commit()
                blob.keep()
                pieces.append(.init(blob: blob.name, offset: 0, length: buffer.readableBytes))
            }
        }
        nextFile += 1
        let record = Record(
            key: Base64.encode(object.name.bytes), order: nextFile, attributes: object.attributes, pieces: pieces)
        let file = String(nextFile, radix: 16) + ".json"
        try write(JSONEncoder().encode(record), to: file)
        files[ObjectIdentifier(object)] = file
    }

    func remove(_ object: StoredObject) {
        if let file = files.removeValue(forKey: ObjectIdentifier(object)) { unlink(path + "/" + file) }
    }

    func erase() {
        for file in files.values { unlink(path + "/" + file) }
        unlink(path + "/bucket.json")
        rmdir(path)
    }

    fileprivate func load(name: String, blob: (String) -> FileBlob) throws -> Bucket {
        let decoder = JSONDecoder()
        var properties = BucketProperties(created: SimTime(seconds: 0), region: "")
        var records: [(file: String, record: Record)] = []
        for file in try FileSystem.entries(path) {
            let full = path + "/" + file
            if file.hasSuffix(".tmp") {
                unlink(full)
                continue
            }
            do {
                let data = try Data(contentsOf: URL(filePath: full))
                if file == "bucket.json" {
                    properties = try decoder.decode(BucketProperties.self, from: data)
                } else {
                    records.append((file, try decoder.decode(Record.self, from: data)))
                }
            } catch {
                throw StorageError.corruptMetadata(path: full, reason: "\(error)")
            }
        }
        records.sort { $0.record.order < $1.record.order }
        nextFile = records.last?.record.order ?? 0
        let objects = records.map { entry in
            var body = Body()
            for piece in entry.record.pieces {
                body.append(.file(blob(piece.blob), offset: piece.offset, length: piece.length))
            }
            let object = StoredObject(
                name: ObjectName(Base64.decode(entry.record.key) ?? []), body: body, attributes: entry.record.attributes
            )
            files[ObjectIdentifier(object)] = entry.file
            return object
        }
        return Bucket(name: name, properties: properties, disk: self, records: objects)
    }

    /// Under a temporary name first; not by Foundation, which syncs every file.
    private func write(_ data: Data, to file: String) throws {
        let target = try BlobFile(directory: path, name: file)
        try data.withUnsafeBytes { try target.write($0) }
        try target.commit().keep()
    }
}

/// The few directory calls the disk store needs.
enum FileSystem {
    static func makeDirectories(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw StorageError.file(operation: "create directory", path: path, errno: errno)
        }
    }

    static func entries(_ path: String) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw StorageError.file(operation: "list", path: path, errno: errno)
        }
    }
}
