package import Buffers
import Digests
package import ReplicationModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension FileStore {
    package func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        let path = FileNames.path(of: key)
        do throws(StoreError) {
            return try await perform(.head, key) { tree, _ throws(FileFailure) in
                let file = try tree.openFile(path)
                return try Self.describe(key, file, tree.text(path)).description
            }
        } catch {
            throw isAwaited(error) ? StoreError(.notFound, .head, key: key, message: "there is no object yet") : error
        }
    }

    /// None: a file system keeps no checksums of files.
    package func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        guard try await head(key).object.version == version else {
            throw StoreError(.versionChanged, .head, key: key, message: "the file was replaced or written to")
        }
        return ObjectChecksums()
    }

    package func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        precondition(request.range.length <= Int64(buffer.capacity), "the range does not fit the buffer")
        let path = FileNames.path(of: request.key)
        do throws(StoreError) {
            return try await perform(.read, request.key) { tree, cancellation throws(FileFailure) in
                let file = try tree.openFile(path)
                let text = tree.text(path)
                let (description, facts) = try Self.describe(request.key, file, text)
                if let version = request.version, version != facts.version {
                    throw FileFailure(.versionChanged, "the file was replaced or written to")
                }
                if let size = request.objectSize, size != facts.size {
                    throw FileFailure(.versionChanged, "the file has \(facts.size) bytes and not \(size)")
                }
                guard request.range.end <= facts.size else {
                    throw FileFailure(.invalidRequest, "the range ends after the file, which has \(facts.size) bytes")
                }
                let digest = try Self.read(request.range, of: file, into: buffer.base, text, cancellation)
                // What a program writes into the file while it is read belongs to no version.
                try Self.checkUnchanged(file, facts, text)
                return ReadReply(description: description, digest: digest)
            }
        } catch {
            throw isAwaited(error)
                ? StoreError(.notFound, .read, key: request.key, message: "there is no object yet") : error
        }
    }

    static func describe(
        _ key: ObjectKey, _ file: FileDescriptor, _ path: String
    ) throws(FileFailure) -> (description: ObjectDescription, facts: FileFacts) {
        let facts: FileFacts
        do throws(Errno) { facts = try file.facts() } catch { throw FileFailure(error, "looking at", path) }
        let attributes = try FileAttributes.read(file, path)
        return (ObjectDescription(object: listed(key, facts), attributes: attributes), facts)
    }

    static func checkUnchanged(_ file: FileDescriptor, _ before: FileFacts, _ path: String) throws(FileFailure) {
        let now: FileFacts
        do throws(Errno) { now = try file.facts() } catch { throw FileFailure(error, "looking at", path) }
        // Unlinking the name or replacing it changes the time of the inode, and not the bytes of this one.
        guard now.size == before.size, now.modified == before.modified else {
            throw FileFailure(.versionChanged, "a program wrote to the file while it was read")
        }
    }

    /// Reads straight into the buffer, and digests each step while it is in the cache.
    private static func read(
        _ range: ByteRange, of file: FileDescriptor, into base: UnsafeMutableRawPointer, _ path: String,
        _ cancellation: FileThreads.Cancellation
    ) throws(FileFailure) -> ContentDigest {
        var digest = ContentDigest()
        #if canImport(Glibc)
            if range.length > Int64(step) {
                posix_fadvise(file.number, off_t(range.offset), off_t(range.length), POSIX_FADV_WILLNEED)
            }
        #endif
        while digest.length < range.length {
            try cancellation.check()
            let count = Int(min(Int64(step), range.length - digest.length))
            let region = UnsafeMutableRawBufferPointer(start: base + Int(digest.length), count: count)
            let arrived: Int
            do throws(Errno) {
                arrived = try file.read(into: region, at: range.offset + digest.length)
            } catch {
                throw FileFailure(error, "reading", path)
            }
            guard arrived == count else {
                throw FileFailure(.versionChanged, "the file became shorter while it was read")
            }
            digest.update(UnsafeRawBufferPointer(region))
        }
        return digest
    }
}
