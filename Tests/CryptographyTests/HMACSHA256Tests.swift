import Cryptography
import Testing

struct HMACSHA256Tests {
    /// RFC 4231, cases 1 to 4, 6 and 7.
    static let vectors: [(key: [UInt8], message: [UInt8], code: String)] = [
        (
            .init(repeating: 0x0B, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            .init(repeating: 0xAA, count: 20), .init(repeating: 0xDD, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            Array(1...25), .init(repeating: 0xCD, count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            .init(repeating: 0xAA, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            .init(repeating: 0xAA, count: 131),
            Array(
                ("This is a test using a larger than block-size key and a larger than block-size data. "
                    + "The key needs to be hashed before being used by the HMAC algorithm.").utf8),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ]

    @Test(arguments: vectors.indices)
    func publishedCodes(_ index: Int) {
        let vector = Self.vectors[index]
        #expect(hex(HMACSHA256.authenticate(key: vector.key, message: vector.message)) == vector.code)
        #expect(hex(HMACSHA256.authenticate(key: Secret(vector.key), message: vector.message[...])) == vector.code)
    }

    @Test func nothing() {
        let code = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        #expect(hex(HMACSHA256.authenticate(key: [], message: [])) == code)
        #expect(hex(HMACSHA256.authenticate(key: none, message: none)) == code)
        #expect(hex(HMACSHA256.authenticate(key: "".utf8, message: "".utf8)) == code)
    }

    /// The signing key of Amazon's examples of Signature Version 4.
    @Test func chainOfKeys() {
        var key = Array("AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".utf8)
        for part in ["20130524", "us-east-1", "s3", "aws4_request"] {
            key = HMACSHA256.authenticate(key: key, message: part.utf8)
        }
        #expect(hex(key) == "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378")
    }

    @Test func manyAtOnce() async {
        let vectors = Self.vectors
        await withTaskGroup(of: Int.self) { group in
            for task in 0..<4 {
                group.addTask {
                    (0..<2_000).count { round in
                        let vector = vectors[(task + round) % vectors.count]
                        return hex(HMACSHA256.authenticate(key: vector.key, message: vector.message)) != vector.code
                    }
                }
            }
            for await wrong in group { #expect(wrong == 0) }
        }
    }
}
