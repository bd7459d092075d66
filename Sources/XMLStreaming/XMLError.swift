/// A document that cannot be used.
package struct XMLError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case malformed
        /// It declares a document type. No store sends one, and entities would grow without bounds.
        case documentTypeRefused
        case tooLong
        case tooDeep
        case tooManyElements
    }

    package let code: Code
    /// The line where it was noticed, from 1, if any.
    package let line: Int?
    private let reason: String

    init(_ code: Code, line: Int? = nil, _ reason: String) {
        self.code = code
        self.line = line
        // The parser quotes the document, which may have been sent by anybody.
        self.reason = String(reason.prefix(200))
    }

    package var description: String {
        let place = line.map { " in line \($0)" } ?? ""
        return "the XML document cannot be used\(place): \(reason)"
    }
}
