import AWS
import Cryptography
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Token, key and queue service of a server that nobody here wrote and that verifies signatures.
///
/// It is started from outside and described in `LOCKSTEP_AWS_PEER`: `ENDPOINT ACCESS-KEY SECRET-KEY ROLE KEY OTHER-KEY QUEUE`.
/// The queue holds what S3 wrote when the object `a b/ü+.txt` was put into the bucket `events`. Without the variable nothing runs.
@Suite(.enabled(if: getenv("LOCKSTEP_AWS_PEER") != nil)) struct AWSPeerTests {
    struct Peer {
        var endpoint: String
        var identity: AWSIdentity
        var role: String
        var keys: [String]
        var queue: String
    }

    static let transport = CurlTransport()

    func peer() throws -> Peer {
        let words = String(cString: try #require(getenv("LOCKSTEP_AWS_PEER"))).split(separator: " ").map(String.init)
        try #require(words.count == 7)
        return Peer(
            endpoint: words[0],
            identity: AWSIdentity(
                accessKeyID: words[1], secretAccessKey: Secret(words[2]), stsEndpoint: words[0]),
            role: words[3], keys: [words[4], words[5]], queue: words[6])
    }

    func credentials(_ identity: AWSIdentity) throws -> SharedCredentials<AWSCredentials> {
        let found = try AWSCredentials.shared(
            identity, region: "us-east-1", environment: ["HOME": "/nonexistent"], transport: Self.transport,
            now: { Int64(time(nil)) })
        return try #require(found)
    }

    func key(_ peer: Peer, _ name: String, as identity: AWSIdentity) throws -> AWSKeyService {
        try AWSKeyService(
            key: name, region: "us-east-1", endpoint: Endpoint(peer.endpoint), credentials: try credentials(identity),
            transport: Self.transport, now: { Int64(time(nil)) })
    }

    @Test func aKeyOpensWhatItClosedAndNothingElse() async throws {
        let peer = try peer()
        let secret = Secret.random(32)
        let service = try key(peer, peer.keys[0], as: peer.identity)
        var ciphertext = try await service.encrypt(secret)
        #expect(try await service.decrypt(ciphertext, parameters: [:]) == secret)
        ciphertext[ciphertext.count - 1] ^= 1
        await #expect {
            try await service.decrypt(ciphertext, parameters: [:])
        } throws: { error in
            (error as? StoreError)?.code == .damaged
        }
    }

    @Test func aKeyThatIsNotThereIsNamed() async throws {
        let peer = try peer()
        let service = try key(peer, "00000000-0000-0000-0000-000000000000", as: peer.identity)
        await #expect {
            try await service.encrypt(Secret.random(32))
        } throws: { error in
            (error as? StoreError)?.code == .notFound
        }
    }

    @Test func keysOfARoleAreTaken() async throws {
        let peer = try peer()
        var identity = peer.identity
        identity.roleARN = peer.role
        let secret = Secret.random(32)
        let service = try key(peer, peer.keys[1], as: identity)
        #expect(try await service.decrypt(try await service.encrypt(secret), parameters: [:]) == secret)
    }

    @Test func wrongKeysAreRefused() async throws {
        let peer = try peer()
        var identity = peer.identity
        identity.secretAccessKey = Secret("canary")
        let service = try key(peer, peer.keys[0], as: identity)
        await #expect {
            try await service.encrypt(Secret.random(32))
        } throws: { error in
            let error = error as? StoreError
            return error?.code == .unauthenticated && error?.message.contains("canary") == false
        }
    }

    @Test func aQueueGivesWhatS3WroteUntilItIsAcknowledged() async throws {
        let peer = try peer()
        let queue = try AWSEventQueue(
            url: peer.queue, region: "us-east-1", endpoint: nil, credentials: try credentials(peer.identity),
            transport: Self.transport, now: { Int64(time(nil)) })
        var seen: [EventMessage] = []
        while !seen.contains(where: { $0.content != .test }) {
            let messages = try await queue.receive(limit: 10, wait: .seconds(2), visibility: .seconds(600))
            try #require(!messages.isEmpty)
            seen += messages
        }
        let changes = seen.flatMap { message -> [ObjectChange] in
            if case .changes(let changes) = message.content { return changes }
            return []
        }
        #expect(changes.map(\.key) == ["a b/ü+.txt"])
        #expect(changes.first?.kind == .written && changes.first?.container == "events")
        // Given back, it comes again, and says so.
        try await queue.extend(seen, by: .zero)
        let again = try await queue.receive(limit: 10, wait: .seconds(2), visibility: .seconds(600))
        #expect(again.contains { $0.deliveries == 2 })
        try await queue.acknowledge(again)
        #expect(try await queue.receive(limit: 10, wait: .zero, visibility: .seconds(600)).isEmpty)
    }
}
