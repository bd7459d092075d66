import NIOCore
import XMLStreaming

/// The document of CompleteMultipartUpload.
struct S3CompleteRequest {
    struct Part {
        var number: Int
        var etag: String
        var checksums: [S3ChecksumAlgorithm: String]
    }

    var parts: [Part] = []

    init(_ body: ByteBuffer) throws(S3Error) {
        guard let root = try? body.withUnsafeReadableBytes({ try XMLElement.parse($0) }),
            root.name == "CompleteMultipartUpload"
        else { throw .malformedXML }
        for element in root.children("Part") {
            guard let number = element.child("PartNumber").flatMap({ Int($0.text) }),
                let etag = element.child("ETag")?.text
            else { throw .malformedXML }
            var checksums: [S3ChecksumAlgorithm: String] = [:]
            for algorithm in S3ChecksumAlgorithm.allCases {
                checksums[algorithm] = element.child(algorithm.elementName)?.text
            }
            parts.append(Part(number: number, etag: etag, checksums: checksums))
        }
        guard !parts.isEmpty, parts.count <= 10_000 else { throw .malformedXML }
    }
}
