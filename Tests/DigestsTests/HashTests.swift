import Digests
import Testing

/// Published values of the two hash libraries, which also shows that the right functions are linked.
struct HashTests {
    /// The input of BLAKE3's own vectors: 0…250, again and again.
    static func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8($0 % 251) } }

    @Test(arguments: [
        (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
        (1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"),
        (102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"),
    ])
    func blake3(count: Int, expected: String) {
        Self.pattern(count).withUnsafeBytes { bytes in
            #expect(Hex.encode(BLAKE3.hash(bytes)) == expected)
        }
    }

    @Test(arguments: [
        (0, "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26"),
        (1, "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b"),
    ])
    func keyedBLAKE3(count: Int, expected: String) {
        var hasher = BLAKE3(key: Array("whats the Elvish word for friend".utf8))
        Self.pattern(count).withUnsafeBytes { hasher.update($0) }
        #expect(Hex.encode(hasher.finalize()) == expected)
    }

    @Test func blake3CopiesContinueOnTheirOwn() {
        let bytes = Self.pattern(5000)
        bytes.withUnsafeBytes { bytes in
            var first = BLAKE3()
            first.update(UnsafeRawBufferPointer(rebasing: bytes[..<2000]))
            let copy = first
            let before = copy.finalize()
            first.update(UnsafeRawBufferPointer(rebasing: bytes[2000...]))
            #expect(copy.finalize() == before)
            #expect(before == BLAKE3.hash(UnsafeRawBufferPointer(rebasing: bytes[..<2000])))
            #expect(first.finalize() == BLAKE3.hash(bytes))
        }
    }

    @Test func xxh3() {
        #expect(XXH3.hash64(UnsafeRawBufferPointer(start: nil, count: 0)) == 0x2D06_8005_38D3_94C2)
        Array("123456789".utf8).withUnsafeBytes { bytes in
            #expect(XXH3.hash64(bytes) != XXH3.hash64(bytes, seed: 1))
            #expect(XXH3.hash64(bytes) == XXH3.hash64(bytes, seed: 0))
        }
    }
}
