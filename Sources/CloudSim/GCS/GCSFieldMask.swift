/// The `fields` parameter: which members of a reply are wanted, as in `nextPageToken,items(name,metadata/owner)`.
///
/// A member that is named without further selection is wanted with all that is in it.
struct GCSFieldMask {
    private static let maximumDepth = 8

    private var isComplete: Bool
    private var members: [String: GCSFieldMask] = [:]

    /// Everything.
    static let all = GCSFieldMask(isComplete: true)

    private init(isComplete: Bool) {
        self.isComplete = isComplete
    }

    /// Nil when the text is not a selection.
    init?(_ text: String) {
        var rest = Substring(text)
        guard let mask = Self.list(&rest, depth: 0), rest.isEmpty else { return nil }
        self = mask
    }

    /// What is wanted of the member, or nil when it is not wanted.
    subscript(member: String) -> GCSFieldMask? {
        if isComplete { return .all }
        return members[member] ?? members["*"]
    }

    func includes(_ member: String) -> Bool { self[member] != nil }

    private static func list(_ text: inout Substring, depth: Int) -> GCSFieldMask? {
        guard depth < maximumDepth else { return nil }
        var mask = GCSFieldMask(isComplete: false)
        repeat {
            if text.first == "," { text.removeFirst() }
            guard let (name, selection) = path(&text, depth: depth) else { return nil }
            mask.merge(name, selection)
        } while text.first == ","
        return mask
    }

    private static func path(_ text: inout Substring, depth: Int) -> (String, GCSFieldMask)? {
        guard depth < maximumDepth else { return nil }
        let name = text.prefix { !",/()".contains($0) }
        guard !name.isEmpty else { return nil }
        text.removeFirst(name.count)
        switch text.first {
        case "/":
            text.removeFirst()
            guard let (next, selection) = path(&text, depth: depth + 1) else { return nil }
            var mask = GCSFieldMask(isComplete: false)
            mask.merge(next, selection)
            return (trimmed(name), mask)
        case "(":
            text.removeFirst()
            guard let mask = list(&text, depth: depth + 1), text.first == ")" else { return nil }
            text.removeFirst()
            return (trimmed(name), mask)
        default: return (trimmed(name), .all)
        }
    }

    private static func trimmed(_ name: Substring) -> String {
        String(name.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    private mutating func merge(_ name: String, _ selection: GCSFieldMask) {
        guard var known = members[name] else {
            members[name] = selection
            return
        }
        known.isComplete = known.isComplete || selection.isComplete
        for (member, more) in selection.members { known.merge(member, more) }
        members[name] = known
    }
}
