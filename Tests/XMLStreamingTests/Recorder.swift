import XMLStreaming

/// Writes down what a handler is told; throws where it is told to.
struct Recorder: XMLHandler {
    struct Refusal: Error, Equatable {
        let name: String
    }

    var events: [String] = []
    var refusedStart: String?
    var refusedEnd: String?

    mutating func start(_ name: XMLBytes, depth: Int, attributes: XMLAttributes) throws {
        var event = "\(depth)<\(name)"
        for index in 0..<attributes.count { event += " \(attributes[index].name)=\(attributes[index].value)" }
        events.append(event)
        if let refusedStart, name.string == refusedStart { throw Refusal(name: refusedStart) }
    }

    mutating func end(_ name: XMLBytes, depth: Int, text: XMLBytes) throws {
        events.append("\(depth)>\(name) \(text)")
        if let refusedEnd, name.string == refusedEnd { throw Refusal(name: refusedEnd) }
    }

    static func events(_ document: String, limits: XMLLimits = .default) throws -> [String] {
        var recorder = Recorder()
        try XMLReader.parse(Array(document.utf8), limits: limits, handler: &recorder)
        return recorder.events
    }
}
