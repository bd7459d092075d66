import Cryptography
import Testing

struct SecretTests {
    private struct Holder {
        let name = "holder"
        let token = Secret("correct horse")
    }

    @Test func neverPrinted() {
        let secret = Secret("correct horse")
        var dumped = ""
        dump(Holder(), to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), "\(Holder())", "\([secret])", dumped] {
            #expect(text.contains("<secret>") || text == dumped)
            #expect(!text.contains("correct"))
            #expect(!text.contains("99, 111"))
        }
        #expect(dumped.contains("holder"))
    }

    @Test func givesItsBytes() {
        let secret = Secret([1, 2, 3] as [UInt8])
        #expect(secret.withBytes { Array($0) } == [1, 2, 3])
        #expect(Secret("päss").revealed() == "päss")
        #expect(Secret("").isEmpty)
        #expect(Secret("") == Secret([] as [UInt8]))
        #expect(secret == Secret([1, 2, 3] as [UInt8]))
        #expect(secret != Secret([1, 2, 4] as [UInt8]))
        #expect(secret != Secret([1, 2] as [UInt8]))
    }

    @Test func comparesInConstantTime() {
        #expect(ConstantTime.equal("abc".utf8, "abc".utf8))
        #expect(!ConstantTime.equal("abc".utf8, "abd".utf8))
        #expect(!ConstantTime.equal("abc".utf8, "ab".utf8))
        #expect(ConstantTime.equal([UInt8](), "".utf8))
    }

    @Test func random() {
        #expect(SecureRandom.bytes(0).isEmpty)
        #expect(SecureRandom.bytes(33).count == 33)
        #expect(SecureRandom.bytes(16) != SecureRandom.bytes(16))
    }
}
