import AWS
import Cryptography
import HTTPStores
import ObjectStores
import S3
import StoreConformance
import TestFixtures
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The contract against S3 servers that nobody here wrote, each without what it is known to lack.
///
/// They are started from outside and named in `LOCKSTEP_S3_PEERS`: `NAME ENDPOINT ACCESS-KEY SECRET-KEY BUCKET`,
/// several separated by commas. Without it nothing runs.
@Suite(.serialized) struct S3PeerTests {
    struct Peer: Sendable, CustomTestStringConvertible {
        var name: String
        var endpoint: String
        var accessKey: String
        var secretKey: String
        var bucket: String
        var testDescription: String { name }

        func store() -> S3Store {
            let credentials = AWSCredentials(accessKeyID: accessKey, secretAccessKey: Secret(secretKey))
            return S3Store(
                configuration: S3Configuration(endpoint: Endpoint(endpoint)), bucket: bucket,
                transport: SimulatedClouds.transport,
                credentials: SharedCredentials(StaticAWSCredentials(credentials), now: { 0 }))
        }

        /// What the server lacks, found by trying.
        var omitted: [ConformanceGroup: String] {
            switch name {
            case "moto":
                [
                    .wrongDigest: "stores what it is sent without looking at checksums",
                    .wrongPartDigest: "stores what it is sent without looking at checksums",
                    .reportedChecksums: "answers no checksum of a put",
                    .conditionalCompletion: "reads no condition when an upload is completed",
                    .conditionalCopy: "reads no condition of a copy",
                    .racingWriters: "looks at conditions and writes in two steps",
                ]
            case "rclone":
                [
                    .createOnly: "ignores conditions", .compareAndSwap: "ignores conditions",
                    .conditionalCompletion: "ignores conditions", .conditionalCopy: "ignores conditions",
                    .conditionalDelete: "ignores conditions", .racingWriters: "ignores conditions",
                    .wrongDigest: "ignores checksums", .wrongPartDigest: "ignores checksums",
                    .reportedChecksums: "ignores checksums", .attributes: "keeps a part of them",
                    .oddKeys: "keeps keys as file names", .partCopy: "takes a copied part for an empty one",
                ]
            default: [:]
            }
        }

        /// How often a check may be tried when the server fails inside: rclone stumbles over directories that appear and
        /// vanish under parallel writes.
        var attempts: Int { name == "rclone" ? 4 : 1 }

        /// Single checks that the server cannot pass, by a part of their names, with the reason.
        var hopeless: [String: String] {
            switch name {
            case "moto":
                [
                    "name with hyphen, underscore, digit": "drops headers with underscores",
                    "hundred names": "takes no hundred headers",
                    "an aborted upload is gone": "fails with 500 where the upload is gone",
                    "an upload that was aborted is gone": "fails with 500 where the upload is gone",
                    "a sweeper in another process": "fails with 500 where the upload is gone",
                    "open uploads are listed until they end": "gives all uploads in one page",
                    "line breaks": "finds no route for keys with line breaks",
                    "odd keys side by side": "finds no route for keys with line breaks",
                ]
            case "rclone":
                [
                    "a part that is sent again": "takes each part once",
                    "readers see the old object or the new one": "shows objects that are being written",
                ]
            default: [:]
            }
        }
    }

    static let peers: [Peer] = (getenv("LOCKSTEP_S3_PEERS").map { String(cString: $0) } ?? "").split(separator: ",")
        .compactMap {
            let fields = $0.split(separator: " ").map(String.init)
            guard fields.count == 5 else { return nil }
            return Peer(
                name: fields[0], endpoint: fields[1], accessKey: fields[2], secretKey: fields[3], bucket: fields[4])
        }

    @Test(.enabled(if: !peers.isEmpty), arguments: peers, StoreConformance.checks)
    func conforms(_ peer: Peer, _ check: ConformanceCheck) async throws {
        if let (_, reason) = peer.hopeless.first(where: { check.description.contains($0.key) }) {
            return print("conformance of \(peer.name): left out “\(check.description)”: \(reason)")
        }
        let fixture = ConformanceFixture(omitted: peer.omitted, reopen: { peer.store() })
        let suite = StoreConformance(store: peer.store(), fixture: fixture)
        for _ in 1..<peer.attempts {
            do {
                return try await suite.run(check)
            } catch let failure as ConformanceFailure {
                guard failure.found.contains("InternalError") else { throw failure }
            }
        }
        try await suite.run(check)
    }
}
