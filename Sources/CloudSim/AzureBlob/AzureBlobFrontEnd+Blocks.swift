import Cryptography
import Digests
import NIOCore
import NIOHTTP1

extension AzureBlobFrontEnd {
    /// The attribute of a committed block that holds its id.
    private static let blockID = "id"
    private static let maximumBlockIDBytes = 64

    /// `blockid`: base64 of 1 to 64 bytes.
    private static func blockID(_ request: AzureRequest) throws(AzureError) -> String {
        guard let text = request.parameter("blockid"), let bytes = Base64.decode(text), !bytes.isEmpty else {
            throw .invalidBlockID
        }
        guard bytes.count <= maximumBlockIDBytes else {
            throw .invalidQuery("blockid", text, "Block ids have at most 64 bytes.")
        }
        return text
    }

    func startPutBlock(_ call: AzureCall) throws {
        let request = call.request
        let bucket = try container(request)
        let name = try blobName(request)
        let id = try Self.blockID(request)
        let upload = try AzureUpload(
            request, limit: Self.maximumBlock(request), md5Headers: ["content-md5"], computesMD5: false,
            storage: services.storage)
        let conditions = try AzureConditions(request)
        let scope = try AzureEncryptionScope(request)
        guard !upload.isEmpty else { throw AzureError.invalidHeader("Content-Length", "0") }
        call.exchange.streamBody(to: upload.sink) { result in
            self.complete(call) {
                _ = try result.get()
                let (body, digests) = try upload.finish()
                try self.addBlock(id, body, of: name, in: bucket, conditions)
                var response = Response(.created)
                upload.addHeaders(digests, md5: true, to: &response)
                scope?.addHeader(to: &response.headers)
                return response
            }
        }
    }

    /// - Parameter conditions: a block has none but the blob's lease.
    private func addBlock(
        _ id: String, _ body: Body, of name: ObjectName, in bucket: Bucket, _ conditions: AzureConditions
    ) throws {
        // A container may have gone while the body arrived.
        guard services.storage.bucket(bucket.name) === bucket else { throw AzureError.containerNotFound }
        try checkLease(conditions, on: name, in: bucket)
        try state(of: bucket).addBlock(id, body, of: name, now: services.clock.now)
    }

    func putBlockFromURL(_ request: AzureRequest) throws -> Response {
        let bucket = try container(request)
        let name = try blobName(request)
        let id = try Self.blockID(request)
        let source = try copySource(request, takesAccountKey: false)
        let content = try source.content(request, limit: Self.maximumBlock(request))
        let scope = try AzureEncryptionScope(request)
        try addBlock(id, content, of: name, in: bucket, try AzureConditions(request))
        var response = Response(
            .created,
            headers: [
                "x-ms-content-crc64": AzureChecksum.text(try crc64(of: content)),
                "x-ms-request-server-encrypted": "true",
            ])
        scope?.addHeader(to: &response.headers)
        return response
    }

    func startPutBlockList(_ call: AzureCall) throws {
        let request = call.request
        let bucket = try container(request)
        let name = try blobName(request)
        var attributes = try attributes(from: request, contentHeadersCount: false)
        attributes.digests.md5 = try request.header("x-ms-blob-content-md5").map { try AzureChecksum.md5($0) }
        let template = attributes
        let conditions = try AzureConditions(request)
        call.exchange.collectBody(limit: AzureBlockList.maximumBytes) { result in
            self.complete(call) {
                let body = try result.get()
                let checksum = try Self.checkDocument(body, request)
                let list = try AzureBlockList(body)
                let (content, parts) = try self.assemble(list, name, bucket)
                var attributes = template
                attributes.parts = parts
                let blob = try self.install(name, content, attributes, in: bucket, conditions)
                var response = Response(.created, headers: Self.validators(of: blob))
                response.headers.add(name: "x-ms-content-crc64", value: AzureChecksum.text(checksum))
                response.headers.add(name: "x-ms-request-server-encrypted", value: "true")
                AzureEncryptionScope(attributes)?.addHeader(to: &response.headers)
                return response
            }
        }
    }

    /// Checks the checksums of a request whose body is a document, not content.
    private static func checkDocument(_ body: ByteBuffer, _ request: AzureRequest) throws -> UInt64 {
        let computed = body.withUnsafeReadableBytes { CRC64NVME.update(0, $0) }
        if let given = try request.header("x-ms-content-crc64").map({ try AzureChecksum.crc64($0) }), given != computed
        {
            throw AzureError.crc64Mismatch(given: given, computed: computed)
        }
        if let given = try request.header("content-md5").map({ try AzureChecksum.md5($0) }) {
            let digest = body.withUnsafeReadableBytes { MD5.hash($0) }
            guard digest == given else { throw AzureError.md5Mismatch(given: given, computed: digest) }
        }
        return computed
    }

    /// The content that a block list describes; the blocks' bytes are shared, not copied.
    private func assemble(
        _ list: AzureBlockList, _ name: ObjectName, _ bucket: Bucket
    ) throws(AzureError) -> (Body, [StoredPart]) {
        let waiting = state(of: bucket).blocks(of: name, now: services.clock.now)
        let committed = bucket.object(name).map(Self.committedBlocks) ?? [:]
        var content = Body()
        var parts: [StoredPart] = []
        parts.reserveCapacity(list.entries.count)
        for (index, entry) in list.entries.enumerated() {
            let found =
                switch entry.place {
                case .committed: committed[entry.id]
                case .uncommitted: waiting?[entry.id]
                case .latest: waiting?[entry.id] ?? committed[entry.id]
                }
            guard let block = found else { throw .invalidBlockList }
            content.append(block)
            parts.append(StoredPart(number: index + 1, size: block.count, etag: "", values: [Self.blockID: entry.id]))
        }
        return (content, parts)
    }

    private static func committedBlocks(_ blob: StoredObject) -> [String: Body] {
        var blocks: [String: Body] = [:]
        var offset = 0
        for part in blob.attributes.parts {
            if let id = part.values[blockID] { blocks[id] = blob.body.slice(offset..<offset + part.size) }
            offset += part.size
        }
        return blocks
    }

    func getBlockList(_ request: AzureRequest) throws -> Response {
        let bucket = try container(request)
        let name = try blobName(request)
        let kind = request.parameter("blocklisttype")?.lowercased() ?? "committed"
        guard ["committed", "uncommitted", "all"].contains(kind) else {
            throw AzureError.invalidQuery("blocklisttype", kind, "It is committed, uncommitted or all.")
        }
        let current = request.parameter("snapshot") == nil ? bucket.object(name) : try blob(request)
        let waiting = state(of: bucket).blocks(of: name, now: services.clock.now)
        guard current != nil || waiting != nil else { throw AzureError.blobNotFound }

        var response = Response(.ok)
        if let current {
            response.headers = Self.validators(of: current)
            response.headers.add(name: "x-ms-blob-content-length", value: String(current.size))
        }
        var xml = AzureXML()
        xml.open("BlockList")
        if kind != "uncommitted" {
            let blocks = current?.attributes.parts.map { ($0.values[Self.blockID] ?? "", $0.size) } ?? []
            Self.append(blocks, called: "CommittedBlocks", to: &xml)
        }
        if kind != "committed" {
            Self.append(waiting?.ordered.map { ($0.id, $0.body.count) } ?? [], called: "UncommittedBlocks", to: &xml)
        }
        xml.close("BlockList")
        response.headers.add(name: "Content-Type", value: "application/xml")
        response.body = Body(bytes: xml.bytes)
        return response
    }

    private static func append(_ blocks: [(id: String, size: Int)], called element: String, to xml: inout AzureXML) {
        xml.open(element)
        for block in blocks {
            xml.open("Block")
            xml.element("Name", block.id)
            xml.element("Size", block.size)
            xml.close("Block")
        }
        xml.close(element)
    }
}
