import Buffers
import Digests
import ReplicationModel

extension FileStore {
    package func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        let path = FileNames.path(of: request.key)
        return try await perform(.put, request.key) { tree, cancellation throws(FileFailure) in
            let facts = try Self.writeFile(in: tree, path, request.condition, size: request.digest.length) {
                file, text throws(FileFailure) in
                let found = try Self.write(request.body, to: file, at: 0, text, cancellation)
                guard found == request.digest else {
                    throw FileFailure(.checksumMismatch, "the bytes do not have the checksum sent with them")
                }
                try FileAttributes.write(request.attributes, to: file, text)
            }
            return WriteReceipt(version: facts.version, checksums: ObjectChecksums(request.digest), bytesVerified: true)
        }
    }

    /// Makes a new file out of sight, lets `fill` write it, and puts it in its place. On failure nothing is left of it.
    static func writeFile(
        in tree: FileTree, _ path: DiskPath, _ condition: WriteCondition, size: Int64,
        _ fill: (FileDescriptor, _ path: String) throws(FileFailure) -> Void
    ) throws(FileFailure) -> FileFacts {
        let scratch = try tree.scratch()
        let text = tree.text(path)
        let made: (name: [UInt8], file: FileDescriptor)
        do throws(Errno) { made = try scratch.makeFile() } catch {
            throw FileFailure(error, "writing", text, bytesNeeded: size)
        }
        do throws(FileFailure) {
            try fill(made.file, text)
            return try tree.install(made.name, in: scratch.directory, made.file, at: path, under: condition)
        } catch {
            scratch.discard(made.name)
            throw error
        }
    }

    /// Writes a body step by step, and digests each step while it is in the cache.
    static func write(
        _ body: BufferSlice?, to file: FileDescriptor, around direct: FileDescriptor? = nil, at offset: Int64,
        _ path: String, _ cancellation: FileThreads.Cancellation
    ) throws(FileFailure) -> ContentDigest {
        var digest = ContentDigest()
        var direct = direct
        guard let body else { return digest }
        let result: Result<Void, FileFailure> = body.withUnsafeBytes { bytes in
            do throws(FileFailure) {
                var done = 0
                while done < bytes.count {
                    try cancellation.check()
                    // The disk is waited for each time: then by larger steps.
                    let count = min(direct == nil ? step : directStep, bytes.count - done)
                    let region = UnsafeRawBufferPointer(rebasing: bytes[done..<done + count])
                    digest.update(region)
                    do throws(Errno) {
                        let place = offset + Int64(done)
                        if try direct?.writeDirectly(region, at: place) != true {
                            direct = nil
                            try file.write(region, at: place)
                        }
                    } catch {
                        throw FileFailure(error, "writing", path, bytesNeeded: Int64(bytes.count))
                    }
                    done += region.count
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
        return digest
    }
}
