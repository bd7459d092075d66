import HTTPTransport
import ObjectStores
import ReplicationModel

/// Makes the store of a location, behind what retries, throttles and counts; of one in a vault, the vault's.
struct StoreFactory {
    let environment: [String: String]
    let transport: any HTTPTransport
    let time: any Timekeeper
    let credentials: CloudCredentials
    let passphrases: Passphrases
    /// Told about every wait before a retry.
    let onRetry: @Sendable (StoreError, Int, Duration) -> Void

    /// What a location may be used for.
    enum Use: Hashable {
        case reading
        /// A directory that does not exist is made by the first write, and is empty until then. `source` is what a vault's snapshot names
        /// as its origin.
        case writing(source: String)

        static let writing = Use.writing(source: "")
        var isReading: Bool { self == .reading }
    }

    /// - Parameter memory: bytes that a vault may hold while it reads or writes.
    func open(
        _ location: ObjectLocation, _ connection: Connection, for use: Use, rate: ByteRateLimit? = nil,
        memory: Int = 128 << 20
    ) async throws(CommandFailure) -> OpenStore {
        guard !location.isVault else {
            return try await openVault(location, connection, for: use, rate: rate, memory: memory)
        }
        if let option = connection.vault.options.first {
            throw CommandFailure(.usage, "\(option) is for vaults, and \(location) is none; write vault+\(location)")
        }
        return try openPlain(location, connection, for: use, rate: rate)
    }

    /// The objects of a location as they lie there, whatever they are.
    func openPlain(
        _ location: ObjectLocation, _ connection: Connection, for use: Use, rate: ByteRateLimit? = nil
    ) throws(CommandFailure) -> OpenStore {
        if let encryption = connection.encryption, let problem = Self.problem(encryption, location.service) {
            throw CommandFailure(.usage, "\(location): \(problem)")
        }
        let base = try cloud.base(location, connection, isReadOnly: use.isReading)
        let meter = MeteredStore(base.store)
        let onRetry = onRetry
        let retrying = RetryingStore(
            ThrottledStore(meter, rate: rate, time: time), time: time, addressName: connection.addressName(of: location)
        ) {
            meter.countRetry()
            onRetry($0, $1, $2)
        }
        let store = location.service == .file ? retrying : PrefixedStore.rooted(retrying, at: location.prefix)
        return OpenStore(
            location: location, store: store, meter: meter, identity: "\(location)@\(base.endpoint)",
            endpoint: base.endpoint, learned: base.learned)
    }

    private var cloud: CloudAccess {
        CloudAccess(environment: environment, transport: transport, time: time, credentials: credentials)
    }
}
