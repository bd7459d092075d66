import Cryptography
import Testing

struct X25519Tests {
    /// RFC 7748, section 6.1.
    @Test func published() throws {
        let alice = try X25519PrivateKey(
            raw: Secret(unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")))
        let bob = try X25519PrivateKey(
            raw: Secret(unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")))
        #expect(hex(alice.publicKey.raw) == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
        #expect(hex(bob.publicKey.raw) == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        let shared = Secret(unhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"))
        #expect(try alice.sharedSecret(with: X25519PublicKey(raw: bob.publicKey.raw)) == shared)
        #expect(try bob.sharedSecret(with: alice.publicKey) == shared)
    }

    /// Points of small order give zeros to everybody (RFC 7748, section 6.1).
    @Test func refusesPointsOfSmallOrder() throws {
        let key = try X25519PrivateKey.generate()
        for point in [[UInt8](repeating: 0, count: 32), [1] + [UInt8](repeating: 0, count: 31)] {
            let peer = try X25519PublicKey(raw: point)
            #expect(throws: CryptographyError.self) { try key.sharedSecret(with: peer) }
        }
    }

    @Test func refusesOtherLengths() {
        #expect(throws: CryptographyError.self) { try X25519PublicKey(raw: [1, 2]) }
        #expect(throws: CryptographyError.self) { try X25519PrivateKey(raw: Secret("short")) }
    }
}
