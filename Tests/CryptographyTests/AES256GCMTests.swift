import Cryptography
import Testing

struct AES256GCMTests {
    private struct Vector {
        let key: String
        let nonce: String
        let plain: String
        let associated: String
        let sealed: String
    }

    private static let plain =
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    private static let cipher =
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
    private static let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"

    /// Test cases 13, 14, 15 and 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", which NIST's validation uses too.
    private static let vectors = [
        Vector(
            key: String(repeating: "0", count: 64), nonce: String(repeating: "0", count: 24), plain: "", associated: "",
            sealed: "530f8afbc74536b9a963b4f1c4cb738b"),
        Vector(
            key: String(repeating: "0", count: 64), nonce: String(repeating: "0", count: 24),
            plain: String(repeating: "0", count: 32), associated: "",
            sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
        Vector(
            key: key, nonce: "cafebabefacedbaddecaf888", plain: plain + "1aafd255", associated: "",
            sealed: cipher + "898015adb094dac5d93471bdec1a502270e3cc6c"),
        Vector(
            key: key, nonce: "cafebabefacedbaddecaf888", plain: plain,
            associated: "feedfacedeadbeeffeedfacedeadbeefabaddad2", sealed: cipher + "76fc6ece0f4e1768cddf8853bb2d551b"),
    ]

    private static func nonce(_ text: String) -> AES256GCM.Nonce {
        let bytes = unhex(text)
        return bytes.withUnsafeBytes {
            (
                UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)),
                UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
            )
        }
    }

    private static func seal(
        _ cipher: AES256GCM, _ plain: [UInt8], _ nonce: AES256GCM.Nonce, _ associated: [UInt8] = []
    ) -> [UInt8] {
        var sealed = [UInt8](repeating: 0xEE, count: plain.count + AES256GCM.tagLength)
        plain.withUnsafeBytes { plain in
            associated.withUnsafeBytes { associated in
                sealed.withUnsafeMutableBytes {
                    cipher.seal(plain, nonce: nonce, associated: associated, into: $0.baseAddress!)
                }
            }
        }
        return sealed
    }

    /// The plain bytes, or what was left where they were wanted.
    private static func open(
        _ cipher: AES256GCM, _ sealed: [UInt8], _ nonce: AES256GCM.Nonce, _ associated: [UInt8] = []
    ) -> (isAuthentic: Bool, output: [UInt8]) {
        var output = [UInt8](repeating: 0xEE, count: sealed.count)
        let isAuthentic = sealed.withUnsafeBytes { sealed in
            associated.withUnsafeBytes { associated in
                output.withUnsafeMutableBytes {
                    cipher.open(sealed, nonce: nonce, associated: associated, into: $0.baseAddress!)
                }
            }
        }
        return (isAuthentic, output)
    }

    @Test(arguments: vectors.indices)
    func published(_ index: Int) {
        let vector = Self.vectors[index]
        let (plain, associated, nonce) = (unhex(vector.plain), unhex(vector.associated), Self.nonce(vector.nonce))
        let cipher = AES256GCM(key: Secret(unhex(vector.key)))
        let sealed = Self.seal(cipher, plain, nonce, associated)
        #expect(hex(sealed) == vector.sealed)
        let opened = Self.open(cipher, sealed, nonce, associated)
        #expect(opened.isAuthentic)
        #expect(Array(opened.output.prefix(plain.count)) == plain)
    }

    @Test func everyChangeIsFound() {
        let cipher = AES256GCM(key: .random(32))
        let plain = SecureRandom.bytes(40)
        let associated = SecureRandom.bytes(12)
        let sealed = Self.seal(cipher, plain, (7, 9), associated)
        #expect(Self.open(cipher, sealed, (7, 9), associated).isAuthentic)
        var wrong: [(isAuthentic: Bool, output: [UInt8])] = []
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 0x80
            wrong.append(Self.open(cipher, changed, (7, 9), associated))
        }
        for index in associated.indices {
            var changed = associated
            changed[index] ^= 1
            wrong.append(Self.open(cipher, sealed, (7, 9), changed))
        }
        wrong.append(Self.open(cipher, sealed, (8, 9), associated))
        wrong.append(Self.open(cipher, sealed, (7, 8), associated))
        wrong.append(Self.open(AES256GCM(key: .random(32)), sealed, (7, 9), associated))
        for (isAuthentic, output) in wrong {
            #expect(!isAuthentic)
            #expect(output.prefix(plain.count).allSatisfy { $0 == 0 })
        }
        #expect(!Self.open(cipher, sealed.dropLast(), (7, 9), associated).isAuthentic)
        #expect(!Self.open(cipher, Array(sealed.prefix(15)), (7, 9), associated).isAuthentic)
        #expect(!Self.open(cipher, [], (7, 9), associated).isAuthentic)
    }

    @Test(arguments: [0, 1, 15, 16, 17, 1000, 70_000])
    func inPlace(_ count: Int) {
        let cipher = AES256GCM(key: .random(32))
        let plain = SecureRandom.bytes(count)
        let expected = Self.seal(cipher, plain, (1, 0), [1, 2])
        var bytes = plain + [UInt8](repeating: 0, count: 16)
        let isAuthentic = bytes.withUnsafeMutableBytes { bytes in
            [UInt8]([1, 2]).withUnsafeBytes { associated in
                let start = bytes.baseAddress!
                cipher.seal(
                    UnsafeRawBufferPointer(rebasing: bytes.prefix(count)), nonce: (1, 0), associated: associated,
                    into: start)
                #expect(bytes.elementsEqual(expected))
                return cipher.open(
                    UnsafeRawBufferPointer(bytes), nonce: (1, 0), associated: associated, into: start)
            }
        }
        #expect(isAuthentic)
        #expect(Array(bytes.prefix(count)) == plain)
    }

    /// Cut at every place, also inside the tag and at both ends.
    @Test func twoPieces() {
        let cipher = AES256GCM(key: .random(32))
        let plain = SecureRandom.bytes(50)
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        var sealed = Self.seal(cipher, plain, (3, 0))
        func open(_ cut: Int) -> [UInt8]? {
            let (first, second) = (Array(sealed[..<cut]), Array(sealed[cut...]))
            var output = [UInt8](repeating: 0, count: plain.count)
            let isAuthentic = first.withUnsafeBytes { first in
                second.withUnsafeBytes { second in
                    output.withUnsafeMutableBytes {
                        cipher.open(first, second, nonce: (3, 0), associated: none, into: $0.baseAddress!)
                    }
                }
            }
            return isAuthentic ? output : nil
        }
        for cut in 0...sealed.count { #expect(open(cut) == plain) }
        sealed[60] ^= 1
        for cut in 0...sealed.count { #expect(open(cut) == nil) }
    }

    /// Sealing and opening alternate on the same few contexts.
    @Test func manyAtOnce() async {
        let cipher = AES256GCM(key: .random(32))
        await withTaskGroup(of: Int.self) { group in
            for task in 0..<8 {
                group.addTask {
                    (0..<500).count { round in
                        let plain = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: 100 + round)
                        let nonce = (UInt64(task) << 32 | UInt64(round), UInt32(0))
                        let opened = Self.open(cipher, Self.seal(cipher, plain, nonce), nonce)
                        return !opened.isAuthentic || !opened.output.starts(with: plain)
                    }
                }
            }
            for await wrong in group { #expect(wrong == 0) }
        }
    }
}
