import CXML2

/// A parser of one document in memory that tells a handler about its elements and builds nothing.
///
/// It opens no files and no connections, knows the five entities of XML itself only, and refuses document types.
package struct XMLReader {
    /// Runs the whole document through the handler.
    ///
    /// Throws `XMLError` for a document that is malformed or beyond the limits, and whatever the handler throws; the handler
    /// may have seen a part of the document by then.
    package static func parse<Handler: XMLHandler>(
        _ bytes: UnsafeRawBufferPointer, limits: XMLLimits = .default, handler: inout Handler
    ) throws {
        _ = isLibraryPrepared
        guard bytes.count <= limits.bytes, let length = Int32(exactly: bytes.count) else {
            throw XMLError(.tooLong, "it has \(bytes.count) bytes, more than \(limits.bytes)")
        }
        guard let start = bytes.assumingMemoryBound(to: CChar.self).baseAddress, length > 0 else {
            throw XMLError(.malformed, "it is empty")
        }
        guard let context = xmlNewParserCtxt() else { preconditionFailure("no memory for an XML parser") }
        defer { xmlFreeParserCtxt(context) }

        try withUnsafeMutablePointer(to: &handler) { handler in
            let session = XMLSession(
                context: context, limits: limits,
                start: { try handler.pointee.start($0, depth: $1, attributes: $2) },
                end: { try handler.pointee.end($0, depth: $1, text: $2) })
            try session.run(start, length)
        }
    }

    package static func parse<Handler: XMLHandler>(
        _ bytes: [UInt8], limits: XMLLimits = .default, handler: inout Handler
    ) throws {
        try bytes.withUnsafeBytes { try parse($0, limits: limits, handler: &handler) }
    }

    /// Once, before several threads use the library.
    private static let isLibraryPrepared: Bool = {
        xmlInitParser()
        return true
    }()
}
