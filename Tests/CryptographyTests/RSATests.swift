import Cryptography
import TestFixtures
import Testing

struct RSATests {
    @Test func publishedSignature() throws {
        let key = try RSAPrivateKey(pem: RSATestKey.privatePEM)
        #expect(try hex(key.signSHA256(Array(Self.message.utf8))) == Self.signature)
        #expect(try key.publicKeyPEM() == Self.publicPEM)
        #expect(try key.pem() == RSATestKey.privatePEM)
    }

    @Test func verification() throws {
        let key = try RSAPrivateKey(pem: RSATestKey.privatePEM)
        let publicKey = try RSAPublicKey(pem: Self.publicPEM)
        let message = Array(Self.message.utf8)
        var signature = try key.signSHA256(message)
        #expect(publicKey.verifySHA256(message, signature))
        #expect(!publicKey.verifySHA256(message.dropLast(), signature))
        #expect(!publicKey.verifySHA256(message, signature.dropLast()))
        #expect(!publicKey.verifySHA256(message, []))
        signature[100] ^= 1
        #expect(!publicKey.verifySHA256(message, signature))
    }

    /// The vector was made from the key's numbers as RFC 8017 says, without OpenSSL; own signatures have another salt each time.
    @Test func probabilisticSignatures() throws {
        let key = try RSAPrivateKey(pem: RSATestKey.privatePEM)
        let publicKey = try RSAPublicKey(pem: Self.publicPEM)
        let message = Array(Self.message.utf8)
        let vector = unhex(Self.probabilisticSignature)
        #expect(publicKey.verifyPSSSHA256(message, vector))
        #expect(!publicKey.verifyPSSSHA256(message.dropLast(), vector))
        #expect(!publicKey.verifySHA256(message, vector))
        let first = try key.signPSSSHA256(message)
        let second = try key.signPSSSHA256(message)
        #expect(publicKey.verifyPSSSHA256(message, first) && publicKey.verifyPSSSHA256(message, second))
        #expect(first != second)
        #expect(try !publicKey.verifyPSSSHA256(message, key.signSHA256(message)))
    }

    @Test func generatedKeys() throws {
        let key = try RSAPrivateKey.generate()
        let again = try RSAPrivateKey(pem: key.pem())
        let publicKey = try RSAPublicKey(pem: key.publicKeyPEM())
        let signature = try again.signSHA256([1, 2, 3])
        #expect(signature.count == 256)
        #expect(publicKey.verifySHA256([1, 2, 3], signature))
        #expect(try !RSAPublicKey(pem: Self.publicPEM).verifySHA256([1, 2, 3], signature))
    }

    @Test func noPrivateKey() throws {
        let damaged = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
        for pem in ["", damaged, Self.publicPEM, Self.ellipticPEM] {
            let error = try #require(throws: CryptographyError.self) { try RSAPrivateKey(pem: pem) }
            #expect(error.code == .invalidKey)
        }
    }

    @Test func noPublicKey() throws {
        for pem in ["", RSATestKey.privatePEM] {
            let error = try #require(throws: CryptographyError.self) { try RSAPublicKey(pem: pem) }
            #expect(error.code == .invalidKey)
        }
    }

    /// Nobody is asked on the terminal.
    @Test func protectedByAPassphrase() throws {
        let error = try #require(throws: CryptographyError.self) { try RSAPrivateKey(pem: Self.encryptedPEM) }
        #expect(error.code == .encryptedKey)
    }

    // The key, message and signature of RFC 7515, appendix A.2.

    static let message =
        "eyJhbGciOiJSUzI1NiJ9"
        + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

    static let signature =
        "702e218943e88fd11eb5d82dbf7845f34106ae1b81fff7731116add1717d83656d420afd3c96eedd73a2663e5166687b"
        + "000b87226e0187ed1073f945e582adfcef16d85a798ee8c66ddb3db8975b17d09402beedd5d9d97007108db28160d5f8"
        + "040ca7445762b81fbe7ff9d92e0ae76f24f25b33bbe6f44ae61eb1040acb20044d3ef9128ed40130795bd4bd3b41eeca"
        + "d066ab651981fde48df77f372dc38b9fafdd3befb18b5da3cc3c2eb02f9e3a41d612caad15911273a05f23b9e838faaf"
        + "849d698429ef5a1e88798236c3d40e604522a544c8f27a7a2db80663d16cf7caea56de405cb2215a45b2c25566b55ac1"
        + "a748a070dfc8a32a469543d019eefb47"

    /// Of the same message: PSS with SHA-256 and the salt 00 01 … 1f.
    static let probabilisticSignature =
        "0f47dd1105bcb0cc5d79b41c6c2836fe0a04f7296d5464939d00aca359f02611e4bdb4e2b03fca7032e1e1973ffa947b"
        + "3ef25ea4ad0a38408845b46308d1b0b9c30eb59ac52e2455d77ceab5bdd90961c514830f11aa82c104f9e5d02148b1ac"
        + "02ad101d705e9fff23882fc2e56ad9a316c69ef054e416e2cf8f846aa66430c34c3f06462ee0de1766fb84d73013773c"
        + "160494546499d0ef60653defc0f81ffba3c399133df464e1bcdeff84f148bd9e8f44cf47c8b6e55ca56e0d59168975e3"
        + "097aae02b17445fe4f06a45a9d4a8cfa4bc1c30241dd919163f86a608574d05fe374b7b583f5edbc317d80c09b961e0a"
        + "d293fdff00a69c5b7faf9d10d6be06f3"

    static let publicPEM = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj
        NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz
        P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo
        9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB
        EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX
        FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp
        oQIDAQAB
        -----END PUBLIC KEY-----

        """

    // Keys of no other use, made by OpenSSL's command.

    static let ellipticPEM = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7Ys8wGuMUw3vUkGK
        OYG7cd8LxPxjEwc0MSIRlw+RIUyhRANCAARjvgVYcu4QmMnaRserts8o4Up8NgaB
        wnSH6iFMNPwXTWudVv89Uz7mwWOpHSQk9LIJ/+fu+DnJqvHRHah9xKIM
        -----END PRIVATE KEY-----

        """

    static let encryptedPEM = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgB0q4kXjWsogICCAAw
        DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEIg/JNw1aD62173fyR2A+5YEgZAp
        WanboL2L74lp9yKAUDuq6LNCOQnWaH6HSEvMqWbmSwdhEtTYVQVCtu9XIVUPSSoL
        iSu+bjY9+1oCLGLdMmoKSTwPmiArPk+IFVp6tsrCzJysXYvzgtOB1eAAmcvqgYCs
        Ach8SNVQbbk9VxUj07X0l1Bc4m2KJ8ukFo62xheSeTYMMeP/ekU9pa/y5KgD7BU=
        -----END ENCRYPTED PRIVATE KEY-----

        """
}
