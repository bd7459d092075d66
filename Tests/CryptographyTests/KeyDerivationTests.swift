import Cryptography
import Testing

struct KeyDerivationTests {
    /// RFC 5869, appendix A.1 to A.3.
    @Test func hkdf() {
        let key = [UInt8](repeating: 0x0B, count: 22)
        let one = HKDFSHA256.derive(42, from: key, salt: Array(0...12) as [UInt8], info: Array(0xF0...0xF9) as [UInt8])
        #expect(
            one
                == Secret(
                    unhex(
                        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")))
        let two = HKDFSHA256.derive(
            82, from: Array(0...0x4F) as [UInt8], salt: Array(0x60...0xAF) as [UInt8],
            info: Array(0xB0...0xFF) as [UInt8])
        #expect(
            two
                == Secret(
                    unhex(
                        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da"
                            + "3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87")))
        let three = HKDFSHA256.derive(42, from: key, salt: [] as [UInt8], info: [] as [UInt8])
        #expect(
            three
                == Secret(
                    unhex(
                        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")))
    }

    /// RFC 7914, section 12; the fourth takes a gibibyte and is left out.
    @Test func scrypt() throws {
        func derive(_ password: String, _ salt: String, n: Int, r: Int, p: Int) throws -> Secret {
            try Scrypt.derive(64, password: Secret(password), salt: Array(salt.utf8), .init(n: n, r: r, p: p))
        }
        #expect(
            try derive("", "", n: 16, r: 1, p: 1)
                == Secret(
                    unhex(
                        "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                            + "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906")))
        #expect(
            try derive("password", "NaCl", n: 1024, r: 8, p: 16)
                == Secret(
                    unhex(
                        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
                            + "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640")))
        #expect(
            try derive("pleaseletmein", "SodiumChloride", n: 16384, r: 8, p: 1)
                == Secret(
                    unhex(
                        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                            + "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")))
    }

    @Test(arguments: [
        Scrypt.Parameters(n: 1 << 21, r: 8, p: 1), .init(n: 1000, r: 8, p: 1), .init(n: 1, r: 8, p: 1),
        .init(n: 0, r: 8, p: 1), .init(n: -16, r: 8, p: 1), .init(n: 16, r: 0, p: 1), .init(n: 16, r: 65, p: 1),
        .init(n: 16, r: 8, p: 17), .init(n: 16, r: 8, p: 0), .init(n: .max, r: .max, p: .max),
    ])
    func scryptIsBounded(_ parameters: Scrypt.Parameters) {
        let error = #expect(throws: CryptographyError.self) {
            try Scrypt.derive(password: Secret("p"), salt: [1], parameters)
        }
        #expect(error?.code == .unsupportedParameters)
    }

    @Test func scryptTakesItsLimit() {
        #expect(Scrypt.Parameters(n: 1 << 20, r: 8, p: 1).memory != nil)
        #expect(Scrypt.Parameters.standard.memory.map { $0 >> 20 } == 64)
    }
}
