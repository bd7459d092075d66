/// The checksum that a multipart upload was created with, or the one the service chooses itself.
struct S3UploadChecksum {
    private static let algorithmKey = "upload-checksum-algorithm"
    private static let typeKey = "upload-checksum-type"

    var algorithm: S3ChecksumAlgorithm
    var type: S3ChecksumType
    /// False when nobody asked: parts need not carry it and answers do not show it.
    var isDeclared: Bool

    init(_ upload: PendingUpload) {
        let extras = upload.attributes.extras
        let name = extras[Self.algorithmKey].flatMap(S3ChecksumAlgorithm.init)
        algorithm = name ?? .crc64nvme
        type = extras[Self.typeKey].flatMap(S3ChecksumType.init) ?? .fullObject
        isDeclared = name != nil
    }

    /// From the headers of CreateMultipartUpload.
    init(_ request: Request) throws(S3Error) {
        let typeName = request.header("x-amz-checksum-type")
        guard let name = request.header("x-amz-checksum-algorithm") else {
            guard typeName == nil else {
                throw .invalidRequest(
                    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
            }
            algorithm = .crc64nvme
            type = .fullObject
            isDeclared = false
            return
        }
        algorithm = try .named(name)
        isDeclared = true
        guard let typeName else {
            type = algorithm == .crc64nvme ? .fullObject : .composite
            return
        }
        guard let type = S3ChecksumType(rawValue: typeName.uppercased()) else {
            throw .invalidRequest("Value for x-amz-checksum-type header is invalid.")
        }
        let isPossible =
            switch algorithm {
            case .crc64nvme: type == .fullObject
            case .crc32, .crc32c: true
            case .sha1, .sha256: type == .composite
            }
        guard isPossible else {
            throw .invalidRequest(
                "The \(type.rawValue) checksum type cannot be used with the "
                    + "\(algorithm.rawValue.lowercased()) checksum algorithm."
            )
        }
        self.type = type
    }

    func write(to attributes: inout ObjectAttributes) {
        guard isDeclared else { return }
        attributes.extras[Self.algorithmKey] = algorithm.rawValue
        attributes.extras[Self.typeKey] = type.rawValue
    }

    static func remove(from attributes: inout ObjectAttributes) {
        attributes.extras[algorithmKey] = nil
        attributes.extras[typeKey] = nil
    }
}
