import CXML2

/// One run of libxml2's SAX parser: counts, collects text, and keeps what was thrown until C has returned.
final class XMLSession {
    private let context: xmlParserCtxtPtr
    private let limits: XMLLimits
    private let start: (XMLBytes, Int, XMLAttributes) throws -> Void
    private let end: (XMLBytes, Int, XMLBytes) throws -> Void

    /// Elements that have begun and not ended.
    private var depth = 0
    private var elements = 0
    /// Whether the element that ends next had no children, so that `text` is its own.
    private var isLeaf = false
    /// Reused for every element.
    private var text: [UInt8] = []
    private var failure: (any Error)?

    /// The closures are called during `run` only, on its thread.
    init(
        context: xmlParserCtxtPtr, limits: XMLLimits,
        start: @escaping (XMLBytes, Int, XMLAttributes) throws -> Void,
        end: @escaping (XMLBytes, Int, XMLBytes) throws -> Void
    ) {
        self.context = context
        self.limits = limits
        self.start = start
        self.end = end
        text.reserveCapacity(4096)
    }

    func run(_ document: UnsafePointer<CChar>, _ length: Int32) throws {
        var events = xmlSAXHandler()
        events.initialized = XML_SAX2_MAGIC
        events.internalSubset = documentTypeFound
        events.startElementNs = elementStarted
        events.endElementNs = elementEnded
        events.characters = charactersFound
        events.cdataBlock = charactersFound
        context.pointee.sax.pointee = events

        // Borrowed by the callbacks during the call below only, while this method holds it.
        context.pointee.userData = Unmanaged.passUnretained(self).toOpaque()

        // Entities are replaced, which without a document type are characters, so that attributes come out resolved; no
        // network; and what is wrong is asked for afterwards instead of printed.
        let options =
            XML_PARSE_NOENT.rawValue | XML_PARSE_NONET.rawValue | XML_PARSE_NOERROR.rawValue
            | XML_PARSE_NOWARNING.rawValue
        // Without events that build one there is no tree to be returned.
        _ = xmlCtxtReadMemory(context, document, length, nil, nil, Int32(bitPattern: options))
        if let failure { throw failure }
        guard context.pointee.wellFormed != 0 else { throw malformed() }
    }

    fileprivate func started(_ name: UnsafePointer<xmlChar>, _ attributes: XMLAttributes) {
        attempt {
            elements += 1
            guard elements <= limits.elements else {
                throw XMLError(.tooManyElements, "it has more than \(limits.elements) elements")
            }
            guard depth < limits.depth else {
                throw XMLError(.tooDeep, "its elements are more than \(limits.depth) deep")
            }
            text.removeAll(keepingCapacity: true)
            isLeaf = true
            depth += 1
            try start(XMLBytes(terminated: name), depth - 1, attributes)
        }
    }

    fileprivate func ended(_ name: UnsafePointer<xmlChar>) {
        attempt {
            depth -= 1
            if isLeaf {
                isLeaf = false
                try text.withUnsafeBytes { try end(XMLBytes(terminated: name), depth, XMLBytes($0)) }
            } else {
                try end(XMLBytes(terminated: name), depth, "")
            }
        }
    }

    fileprivate func found(_ characters: UnsafeBufferPointer<xmlChar>) {
        if isLeaf, failure == nil { text.append(contentsOf: characters) }
    }

    fileprivate func foundDocumentType() {
        attempt { throw XMLError(.documentTypeRefused, "it declares a document type") }
    }

    /// Nothing is thrown through C, and nothing is told after a failure.
    private func attempt(_ body: () throws -> Void) {
        guard failure == nil else { return }
        do {
            try body()
        } catch {
            failure = error
            xmlStopParser(context)
        }
    }

    private func malformed() -> XMLError {
        guard let last = xmlCtxtGetLastError(context)?.pointee, let message = last.message else {
            return XMLError(.malformed, "it is not well-formed")
        }
        let text = String(cString: message)
        return XMLError(.malformed, line: Int(last.line), text.hasSuffix("\n") ? String(text.dropLast()) : text)
    }
}

extension XMLBytes {
    init(terminated start: UnsafePointer<xmlChar>) {
        self.init(UnsafeRawBufferPointer(start: start, count: Int(xmlStrlen(start))))
    }

    init(from start: UnsafePointer<xmlChar>?, to end: UnsafePointer<xmlChar>?) {
        guard let start, let end else {
            self = ""
            return
        }
        self.init(UnsafeRawBufferPointer(start: start, count: end - start))
    }
}

private func withSession(_ pointer: UnsafeMutableRawPointer?, _ body: (XMLSession) -> Void) {
    guard let pointer else { return }
    Unmanaged<XMLSession>.fromOpaque(pointer)._withUnsafeGuaranteedRef(body)
}

private func documentTypeFound(
    session: UnsafeMutableRawPointer?, _: UnsafePointer<xmlChar>?, _: UnsafePointer<xmlChar>?,
    _: UnsafePointer<xmlChar>?
) {
    withSession(session) { $0.foundDocumentType() }
}

private func elementStarted(
    session: UnsafeMutableRawPointer?, name: UnsafePointer<xmlChar>?, _: UnsafePointer<xmlChar>?,
    _: UnsafePointer<xmlChar>?, _: Int32, _: UnsafeMutablePointer<UnsafePointer<xmlChar>?>?, attributeCount: Int32,
    _: Int32, attributes: UnsafeMutablePointer<UnsafePointer<xmlChar>?>?
) {
    guard let name else { return }
    withSession(session) { $0.started(name, XMLAttributes(fields: attributes, count: Int(attributeCount))) }
}

private func elementEnded(
    session: UnsafeMutableRawPointer?, name: UnsafePointer<xmlChar>?, _: UnsafePointer<xmlChar>?,
    _: UnsafePointer<xmlChar>?
) {
    guard let name else { return }
    withSession(session) { $0.ended(name) }
}

private func charactersFound(session: UnsafeMutableRawPointer?, start: UnsafePointer<xmlChar>?, count: Int32) {
    withSession(session) { $0.found(UnsafeBufferPointer(start: start, count: Int(count))) }
}
