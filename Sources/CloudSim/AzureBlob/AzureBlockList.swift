import NIOCore
import XMLStreaming

/// The body of a Put Block List: block ids in order, each with the place it is looked for in.
struct AzureBlockList: XMLHandler {
    enum Place {
        case committed
        case uncommitted
        /// Uncommitted if there is such a block, else committed.
        case latest
    }

    static let maximumCount = 50_000
    /// 50,000 ids of 64 bytes in base64 with their tags take less than 6 MiB.
    static let maximumBytes = 16 << 20

    private(set) var entries: [(place: Place, id: String)] = []

    init(_ body: ByteBuffer) throws {
        do {
            let limits = XMLLimits(bytes: Self.maximumBytes, depth: 4, elements: Self.maximumCount + 2)
            try body.withUnsafeReadableBytes { bytes in
                try XMLReader.parse(bytes, limits: limits, handler: &self)
            }
        } catch let error as XMLError {
            throw error.code == .tooManyElements ? AzureError.blockListTooLong : AzureError.invalidXML
        }
        guard entries.count <= Self.maximumCount else { throw AzureError.blockListTooLong }
    }

    mutating func start(_ name: XMLBytes, depth: Int, attributes: XMLAttributes) throws {
        if depth == 0 && name != "BlockList" { throw AzureError.invalidXML }
    }

    mutating func end(_ name: XMLBytes, depth: Int, text: XMLBytes) throws {
        guard depth == 1 else { return }
        let place: Place
        switch name {
        case "Committed": place = .committed
        case "Uncommitted": place = .uncommitted
        case "Latest": place = .latest
        default: throw AzureError.invalidXML
        }
        entries.append((place, text.string))
    }
}
