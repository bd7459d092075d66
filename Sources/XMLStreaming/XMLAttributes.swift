/// The attributes of one element by their local names, borrowed from the parser during one call.
package struct XMLAttributes {
    /// Five pointers for each: local name, prefix, namespace, first byte of the value, and the byte after its last.
    private let fields: UnsafeMutablePointer<UnsafePointer<UInt8>?>?
    package let count: Int

    init(fields: UnsafeMutablePointer<UnsafePointer<UInt8>?>?, count: Int) {
        self.fields = fields
        self.count = count
    }

    package var isEmpty: Bool { count == 0 }

    /// The value of the first attribute with this name.
    package subscript(_ name: XMLBytes) -> XMLBytes? {
        for index in 0..<count where self[index].name == name { return self[index].value }
        return nil
    }

    package subscript(_ index: Int) -> (name: XMLBytes, value: XMLBytes) {
        precondition(index >= 0 && index < count)
        guard let field = fields?.advanced(by: 5 * index), let name = field[0] else { return ("", "") }
        return (XMLBytes(terminated: name), XMLBytes(from: field[3], to: field[4]))
    }
}
