/// Receives the elements of a document in the order in which they stand.
///
/// Names are local names: prefixes and namespaces are left out. The depth is the number of elements around this one, so the
/// root's is 0. Whatever a method throws stops the parser and is what `XMLReader.parse` throws.
package protocol XMLHandler {
    /// An element begins. Names and attributes are there during the call only.
    mutating func start(_ name: XMLBytes, depth: Int, attributes: XMLAttributes) throws

    /// An element ends. `text` is the whole text of an element without children, entities and CDATA resolved, and empty
    /// for one with children; it is there during the call only.
    mutating func end(_ name: XMLBytes, depth: Int, text: XMLBytes) throws
}

extension XMLHandler {
    package mutating func start(_ name: XMLBytes, depth: Int, attributes: XMLAttributes) throws {}
}
