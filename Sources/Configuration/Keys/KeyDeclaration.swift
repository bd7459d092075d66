/// What stands behind a key.
indirect enum ValueShape: Sendable {
    case scalar(ValueType)
    /// One value, or a list of them.
    case list(ValueShape, orSingle: Bool = false, atLeast: Int = 0, atMost: Int = 1000)
    case object(ObjectShape)
    /// Names that people choose, each with an object behind it.
    case named(ValueShape, nounOfName: String)
    /// One word in place of an object whose other keys are left out: it is the value of this key.
    case short(key: String, ObjectShape)
    /// Objects that differ by the value of one key.
    case variants(key: String, [(value: String, shape: ObjectShape)])
}

/// One key of the file: the only place where its name, type, meaning and standard value are written.
struct KeyDeclaration: Sendable {
    let name: String
    let shape: ValueShape
    /// One sentence, for editors and for the manual.
    let summary: String
    /// What counts when the key is left out, in words or as it would be written.
    let standard: String?
    let isRequired: Bool
    /// Whether a pair that writes some keys of the object keeps the others of `defaults`. What belongs together is replaced together.
    let mergesWithDefaults: Bool

    init(
        _ name: String, _ shape: ValueShape, _ summary: String, standard: String? = nil, required: Bool = false,
        merges: Bool = false
    ) {
        self.name = name
        self.shape = shape
        self.summary = summary
        self.standard = standard
        isRequired = required
        mergesWithDefaults = merges
    }

    init(
        _ name: String, type: ValueType, _ summary: String, standard: String? = nil, required: Bool = false
    ) {
        self.init(name, .scalar(type), summary, standard: standard, required: required)
    }
}

/// The keys that an object can have.
struct ObjectShape: Sendable {
    /// Unique; what the schema calls it.
    let name: String
    let summary: String
    let keys: [KeyDeclaration]
    /// Of these keys exactly one is written.
    var oneOf: [String] = []

    subscript(_ key: String) -> KeyDeclaration? { keys.first { $0.name == key } }
}
