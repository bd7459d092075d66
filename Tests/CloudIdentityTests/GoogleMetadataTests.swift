import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

/// Tokens of the machine's own service account.
@Suite struct GoogleMetadataTests {
    @Test func theServerIsAskedAsItWants() async throws {
        let scene = try GoogleScene { _, _ in GoogleScene.machine("t") }
        #expect(try await scene.token([:]) == "t")
        let request = scene.transport.requests[0]
        #expect(request.method == .get && request.reach == .metadata && request.headers["metadata-flavor"] == "Google")
        #expect(request.url.hasSuffix("token?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fdevstorage.read_write"))
        #expect(request.timeouts.connect <= .seconds(1) && request.timeouts.stall <= .seconds(3))
    }

    @Test func theEnvironmentNamesAnotherServer() async throws {
        let scene = try GoogleScene { _, _ in GoogleScene.machine("t") }
        for (environment, host) in [
            (["GCE_METADATA_HOST": "metadata.example:8080"], "metadata.example:8080"),
            (["GCE_METADATA_IP": "10.0.0.7"], "10.0.0.7"),
            (["GCE_METADATA_HOST": "a", "GCE_METADATA_IP": "10.0.0.7"], "a"),
        ] {
            _ = try await scene.token(environment)
            #expect(scene.transport.requests.last?.url.hasPrefix("http://\(host)/computeMetadata/") == true)
        }
        for bad in ["a/b", "user@a", "a?b", "a b"] {
            #expect(await scene.refusal(["GCE_METADATA_HOST": bad])?.message.contains("GCE_METADATA_HOST") == true)
        }
    }

    @Test func anotherCloudsServerIsNotTakenForGoogles() async throws {
        let scene = try GoogleScene { _, _ in GoogleScene.granted("of-another-cloud") }
        let error = await scene.refusal([:])
        #expect(error?.message.contains("not Google's") == true && scene.transport.requests.count == 1)
    }

    @Test func aMachineWithoutServiceAccountIsToldSo() async throws {
        let scene = try GoogleScene { _, _ in .init(404, ["metadata-flavor": "Google"]) }
        let error = await scene.refusal([:])
        #expect(error?.message.contains("attach a service account") == true && error?.retry == .never)
    }

    @Test func aServerThatCannotAnswerIsAskedThreeTimes() async throws {
        let scene = try GoogleScene { _, _ in .init(503, ["metadata-flavor": "Google"]) }
        let error = await scene.refusal([:])
        #expect(error?.retry == .transient && scene.transport.requests.count == 3)
    }

    @Test func silenceOfAServerThatIsThereIsTransient() async throws {
        let named = try GoogleScene { (_, _) throws(HTTPFailure) in throw GoogleScene.unreachable }
        #expect(await named.refusal(["GCE_METADATA_HOST": "127.0.0.1:1"])?.retry == .transient)
        // One that has given a token before is known to be there.
        let answers = Counter()
        let scene = try GoogleScene { (_, _) throws(HTTPFailure) in
            guard answers.next() == 0 else { throw GoogleScene.unreachable }
            return GoogleScene.machine("t")
        }
        let credentials = scene.credentials([:])
        _ = try await credentials.current()
        scene.advance(3600)
        let error = await #expect(throws: StoreError.self) { _ = try await credentials.current() }
        #expect(error?.retry == .transient && scene.transport.requests.count == 4)
    }
}
