import Cryptography
import Digests
import HTTPTransport
package import ObjectStores
import ReplicationModel
import XMLStreaming

extension S3Store {
    package func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        var results = [Result<Void, StoreError>?](repeating: nil, count: requests.count)
        let batch = requests.indices.filter { goesInBatch(requests[$0]) }
        if batch.count > 1, knownFacts.deletesBatches {
            for start in stride(from: 0, to: batch.count, by: 1000) {
                let slice = batch[start..<min(start + 1000, batch.count)]
                guard let answers = await deleteBatch(slice.map { requests[$0] }) else { break }
                for (index, answer) in zip(slice, answers) { results[index] = answer }
            }
        }
        let single = requests.indices.filter { results[$0] == nil }
        for (index, result) in await deleteEach(single, of: requests) { results[index] = result }
        return results.map { $0! }
    }

    /// A document cannot carry control characters; such keys go in the path of their own request. So do conditional
    /// deletions to clones: some heed the condition of a single deletion and overlook it in a batch.
    private func goesInBatch(_ request: DeleteRequest) -> Bool {
        (configuration.isAWS || request.version == nil) && Self.fitsDocument(request.key)
    }

    /// Requests under way at the same time when deletions go one by one.
    private static let parallelDeletions = 16

    private func deleteEach(_ indices: [Int], of requests: [DeleteRequest]) async -> [(Int, Result<Void, StoreError>)] {
        await withTaskGroup(of: (Int, Result<Void, StoreError>).self) { group in
            var results: [(Int, Result<Void, StoreError>)] = []
            results.reserveCapacity(indices.count)
            for (position, index) in indices.enumerated() {
                if position >= Self.parallelDeletions, let result = await group.next() { results.append(result) }
                group.addTask { (index, await self.deleteOne(requests[index])) }
            }
            for await result in group { results.append(result) }
            return results
        }
    }

    private func deleteOne(_ request: DeleteRequest) async -> Result<Void, StoreError> {
        var delete = S3Request(.delete, .delete, key: request.key)
        if let version = request.version { delete.headers.append("if-match", version.quoted) }
        do throws(StoreError) {
            _ = try await send(delete)
            return .success(())
        } catch {
            return error.code == .notFound ? .success(()) : .failure(error)
        }
    }

    /// One `DeleteObjects` call; nil when the server does not know it.
    private func deleteBatch(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>]? {
        var post = S3Request(.delete, .post, key: nil)
        post.query.append("delete")
        let document = Self.deletion(requests)
        if configuration.isAWS, let algorithm = knownFacts.checksum {
            post.headers.appendChecksum(algorithm, of: document.withUnsafeBytes { ContentDigest(of: $0) })
        } else {
            // The one integrity header that every clone understands here.
            post.headers.append("content-md5", Base64.encode(MD5.hash(document)))
        }
        post.setDocument(document)
        let answer: S3DeleteResult
        do throws(StoreError) {
            let root = try self.document(try await send(post), post, named: "DeleteResult")
            do throws(S3DocumentError) {
                answer = try S3DeleteResult(root)
            } catch {
                throw invalid(.delete, nil, "the reply to a deletion cannot be used: \(error)")
            }
        } catch {
            if error.code == .unsupportedOperation || (error.status == 400 && error.serviceCode == "MalformedXML") {
                learn { $0.learnNoBatchDeletes() }
                return nil
            }
            return requests.map { request in
                var error = error
                error.key = request.key
                return .failure(error)
            }
        }
        return requests.map { request in
            if let problem = answer.failed[request.key] { return refusal(problem, request.key) }
            if answer.deleted.contains(request.key) { return .success(()) }
            return .failure(invalid(.delete, request.key, "the server says nothing about this key"))
        }
    }

    private func refusal(_ problem: S3ErrorDocument, _ key: ObjectKey) -> Result<Void, StoreError> {
        if problem.code == "NoSuchKey" { return .success(()) }
        return .failure(
            failure(S3Failure(document: problem, status: 200, headers: [:]), S3Request(.delete, .delete, key: key)))
    }

    private static func deletion(_ requests: [DeleteRequest]) -> [UInt8] {
        var writer = XMLWriter(declaration: false)
        writer.element("Delete", attributes: ["xmlns": "http://s3.amazonaws.com/doc/2006-03-01/"]) { writer in
            for request in requests {
                writer.element("Object") { writer in
                    writer.start("Key")
                    writer.text(utf8: request.key.bytes)
                    writer.end("Key")
                    if let version = request.version { writer.element("ETag", text: version.quoted) }
                }
            }
            // Every key is answered, so that none is taken for deleted because the reply is short.
            writer.element("Quiet", text: "false")
        }
        return writer.bytes
    }

    /// Whether the key comes through an XML 1.0 document unchanged.
    private static func fitsDocument(_ key: ObjectKey) -> Bool {
        guard let text = key.utf8 else { return false }
        return text.unicodeScalars.allSatisfy {
            $0.value >= 0x20 && $0.value != 0xFFFE && $0.value != 0xFFFF && $0.value != 0x7F
        }
    }
}
