package import Cryptography
package import ObjectStores
package import ReplicationModel

/// A queue into which a cloud writes that objects have changed: at least once, in any order, sometimes minutes late.
///
/// Calls are one attempt each, as those of stores.
package protocol EventQueue: Sendable {
    /// For people; no secrets.
    var name: String { get }
    /// - Parameters:
    ///   - limit: messages at most; a service may give fewer.
    ///   - wait: how long the service may wait for the first message, where it can wait at all.
    ///   - visibility: how long nobody else gets these messages.
    /// - Returns: none when there are none now.
    func receive(limit: Int, wait: Duration, visibility: Duration) async throws(StoreError) -> [EventMessage]
    /// Takes messages off the queue for good.
    func acknowledge(_ messages: [EventMessage]) async throws(StoreError)
    /// Keeps messages from others for so long from now; zero gives them back.
    func extend(_ messages: [EventMessage], by visibility: Duration) async throws(StoreError)
}

/// One message of a queue.
package struct EventMessage: Sendable {
    package var id: String
    /// What acknowledges this delivery.
    package var receipt: Secret
    /// How often the message was delivered, this time included; 1 where the service does not say.
    package var deliveries: Int
    package var content: EventContent

    package init(id: String, receipt: Secret, deliveries: Int, content: EventContent) {
        self.id = id
        self.receipt = receipt
        self.deliveries = deliveries
        self.content = content
    }
}

/// What a message says.
package enum EventContent: Sendable, Hashable {
    case changes([ObjectChange])
    /// The service tries whether it can write: S3 does when notifications are switched on.
    case test
    /// Why it cannot be understood; no secrets, and nothing of the message itself.
    case unreadable(String)
}

/// What happened to one object. A hint where to look, never evidence.
package struct ObjectChange: Sendable, Hashable {
    package enum Kind: String, Sendable {
        case written, removed, attributes
    }

    package var kind: Kind
    /// Azure's storage account; nil elsewhere.
    package var account: String?
    /// Bucket or container.
    package var container: String
    package var key: ObjectKey
    /// Orders the changes of one key by comparison of bytes, where the service gives that.
    package var order: String?
    /// Seconds since 1970.
    package var time: Int64?

    package init(
        kind: Kind, account: String? = nil, container: String, key: ObjectKey, order: String? = nil, time: Int64? = nil
    ) {
        self.kind = kind
        self.account = account
        self.container = container
        self.key = key
        self.order = order
        self.time = time
    }
}
