import CKernels
import Digests
import ReplicationModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension FileStore {
    /// Shares the blocks where the file system can, else copies inside the kernel. The checksums of the receipt are those of the new file.
    package func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        let (source, target) = (FileNames.path(of: request.source), FileNames.path(of: request.destination))
        return try await perform(.copy, request.destination) { tree, cancellation throws(FileFailure) in
            let from = try tree.openFile(source)
            let (description, facts) = try Self.describe(request.source, from, tree.text(source))
            guard facts.version == request.sourceVersion else {
                throw FileFailure(.versionChanged, "the file to be copied was replaced or written to")
            }
            var digest = ContentDigest()
            let made = try Self.writeFile(in: tree, target, request.condition, size: facts.size) {
                file, text throws(FileFailure) in
                if lockstep_clone_file(from.number, file.number) < 0 {
                    let range = ByteRange(offset: 0, length: facts.size)
                    try Self.copy(range, of: from, to: file, at: 0, text, cancellation)
                }
                digest = try Self.digest(ByteRange(offset: 0, length: facts.size), of: file, text, cancellation)
                try Self.checkUnchanged(from, facts, tree.text(source))
                try FileAttributes.write(description.attributes, to: file, text)
            }
            return WriteReceipt(version: made.version, checksums: ObjectChecksums(digest), bytesVerified: true)
        }
    }

    /// Copies a range inside the kernel, or through memory where the file system cannot.
    static func copy(
        _ range: ByteRange, of from: FileDescriptor, to file: FileDescriptor, at offset: Int64, _ path: String,
        _ cancellation: FileThreads.Cancellation
    ) throws(FileFailure) {
        var done: Int64 = 0
        var usesKernel = true
        while done < range.length {
            try cancellation.check()
            do throws(Errno) {
                let rest = range.length - done
                var copied = 0
                if usesKernel {
                    let chunk = Int(min(rest, 16 << 20))
                    copied = lockstep_copy_range(from.number, range.offset + done, file.number, offset + done, chunk)
                    usesKernel = copied > 0
                }
                if !usesKernel {
                    copied = try copyThroughMemory(
                        min(rest, Int64(step)), from, range.offset + done, file, offset + done)
                }
                guard copied > 0 else { throw Errno.absent }
                done += Int64(copied)
            } catch {
                if error == .absent {
                    throw FileFailure(.versionChanged, "the file became shorter while it was copied")
                }
                throw FileFailure(error, "copying to", path, bytesNeeded: range.length)
            }
        }
    }

    private static func copyThroughMemory(
        _ count: Int64, _ from: FileDescriptor, _ fromOffset: Int64, _ file: FileDescriptor, _ offset: Int64
    ) throws(Errno) -> Int {
        let region = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(count), alignment: 4096)
        defer { region.deallocate() }
        let arrived = try from.read(into: region, at: fromOffset)
        try file.write(UnsafeRawBufferPointer(rebasing: region[..<arrived]), at: offset)
        return arrived
    }

    /// The digest of what a file holds now.
    static func digest(
        _ range: ByteRange, of file: FileDescriptor, _ path: String, _ cancellation: FileThreads.Cancellation
    ) throws(FileFailure) -> ContentDigest {
        var digest = ContentDigest()
        let region = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(min(range.length, Int64(step))), alignment: 4096)
        defer { region.deallocate() }
        while digest.length < range.length {
            try cancellation.check()
            let part = UnsafeMutableRawBufferPointer(
                rebasing: region[..<Int(min(Int64(region.count), range.length - digest.length))])
            let arrived: Int
            do throws(Errno) { arrived = try file.read(into: part, at: range.offset + digest.length) } catch {
                throw FileFailure(error, "reading", path)
            }
            guard arrived == part.count else {
                throw FileFailure(.local, "\(ObjectKey(path)) is shorter than what was written to it")
            }
            digest.update(UnsafeRawBufferPointer(part))
        }
        return digest
    }
}
