import Cryptography
import Testing

/// Values of FIPS 180 and RFC 1321.
struct MessageDigestTests {
    static let million = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)

    @Test func sha256() {
        #expect(
            hex(SHA256.hash([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            hex(SHA256.hash("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            hex(SHA256.hash(Self.million)) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test func sha1() {
        #expect(hex(SHA1.hash([])) == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(hex(SHA1.hash("abc".utf8)) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(hex(SHA1.hash(Self.million)) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f")
    }

    @Test func md5() {
        #expect(hex(MD5.hash([])) == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(hex(MD5.hash("abc".utf8)) == "900150983cd24fb0d6963f7d28e17f72")
        #expect(hex(MD5.hash("123456789".utf8)) == "25f9e794323b453885f5181f1b624d0b")
        #expect(hex(MD5.hash(Self.million)) == "7707d6ae4e027c70eea2a935c2296f21")
    }

    @Test func nothingWithoutAnAddress() {
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        #expect(SHA256.hash(nothing) == SHA256.hash([]))
        var hasher = MD5()
        hasher.update(nothing)
        #expect(hasher.finalize() == MD5.hash([]))
    }

    @Test func piecesGiveTheSame() {
        var sha256 = SHA256()
        var sha1 = SHA1()
        var md5 = MD5()
        for start in stride(from: 0, to: Self.million.count, by: 7_777) {
            let piece = Self.million[start..<min(start + 7_777, Self.million.count)]
            sha256.update(piece)
            sha1.update(piece)
            md5.update(piece)
        }
        #expect(sha256.finalize() == SHA256.hash(Self.million))
        #expect(sha1.finalize() == SHA1.hash(Self.million))
        #expect(md5.finalize() == MD5.hash(Self.million))
    }

    @Test func copiesContinueOnTheirOwn() {
        var first = SHA256()
        first.update("ab".utf8)
        let copy = first
        first.update("c".utf8)
        #expect(first.finalize() == SHA256.hash("abc".utf8))
        #expect(copy.finalize() == SHA256.hash("ab".utf8))
        #expect(first.finalize() == SHA256.hash("abc".utf8))
    }
}
