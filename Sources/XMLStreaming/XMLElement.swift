/// A small document as a tree: error messages and answers of a few elements. Longer ones belong to `XMLReader`.
package struct XMLElement: Sendable, Equatable {
    /// Without prefix.
    package let name: String
    /// By local names.
    package let attributes: [String: String]
    package fileprivate(set) var children: [XMLElement] = []
    /// The whole text of an element without children; empty for one with children.
    package fileprivate(set) var text = ""

    /// The root of the document.
    package static func parse(_ bytes: UnsafeRawBufferPointer, limits: XMLLimits = .default) throws -> XMLElement {
        var builder = XMLElementBuilder()
        try XMLReader.parse(bytes, limits: limits, handler: &builder)
        guard let root = builder.root else { throw XMLError(.malformed, "it has no elements") }
        return root
    }

    package static func parse(_ bytes: [UInt8], limits: XMLLimits = .default) throws -> XMLElement {
        try bytes.withUnsafeBytes { try parse($0, limits: limits) }
    }

    /// The first element of this name below this one, at any depth, in the order of the document.
    package func first(_ name: String) -> XMLElement? {
        for child in children {
            if child.name == name { return child }
            if let found = child.first(name) { return found }
        }
        return nil
    }

    /// The first child of this name.
    package func child(_ name: String) -> XMLElement? {
        children.first { $0.name == name }
    }

    /// All children of this name.
    package func children(_ name: String) -> [XMLElement] {
        children.filter { $0.name == name }
    }
}

private struct XMLElementBuilder: XMLHandler {
    var root: XMLElement?
    /// The elements that have begun and not ended, outermost first.
    private var open: [XMLElement] = []

    mutating func start(_ name: XMLBytes, depth: Int, attributes: XMLAttributes) {
        var values: [String: String] = [:]
        for index in 0..<attributes.count {
            let (name, value) = attributes[index]
            values[name.string] = value.string
        }
        open.append(XMLElement(name: name.string, attributes: values))
    }

    mutating func end(_ name: XMLBytes, depth: Int, text: XMLBytes) {
        var element = open.removeLast()
        element.text = text.string
        if open.isEmpty {
            root = element
        } else {
            open[open.count - 1].children.append(element)
        }
    }
}
