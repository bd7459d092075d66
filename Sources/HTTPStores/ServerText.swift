/// What a server says, made fit for people.
package enum ServerText {
    /// One line of at most 300 characters, without control characters.
    package static func readable(_ text: String) -> String {
        String(
            text.prefix(300).map {
                $0.isNewline || $0.unicodeScalars.contains { $0.properties.generalCategory == .control } ? " " : $0
            })
    }
}
