package import Cryptography

/// Where notices go.
package struct NotificationChannel: Sendable, Hashable {
    package enum Destination: Sendable, Hashable {
        /// A URL, which is a secret: whoever has it can post.
        case webhook(Secret)
        /// A program and its arguments, without a shell.
        case command([String])
    }

    package var name: String
    package var destination: Destination
    package var events: Set<PairEvent>
    /// nil: all.
    package var pairs: Set<String>?

    package init(name: String, destination: Destination, events: Set<PairEvent>, pairs: Set<String>? = nil) {
        self.name = name
        self.destination = destination
        self.events = events
        self.pairs = pairs
    }

    package func wants(_ notice: Notice) -> Bool {
        events.contains(notice.event) && pairs?.contains(notice.pair) ?? true
    }
}
