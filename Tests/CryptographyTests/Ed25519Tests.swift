import Cryptography
import Testing

struct Ed25519Tests {
    /// RFC 8032, 7.1: TEST 1, 2, 3 and SHA(abc).
    static let vectors: [(seed: String, publicKey: String, message: String, signature: String)] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ]

    @Test(arguments: vectors.indices)
    func `the signatures of RFC 8032`(index: Int) throws {
        let vector = Self.vectors[index]
        let key = try Ed25519PrivateKey(seed: bytes(vector.seed))
        #expect(hex(key.publicKey.raw) == vector.publicKey)
        let message = bytes(vector.message)
        #expect(hex(try key.sign(message)) == vector.signature)
        #expect(key.publicKey.verify(bytes(vector.signature), of: message))
    }

    @Test func `anything else is no signature`() throws {
        let vector = Self.vectors[2]
        let key = try Ed25519PublicKey(raw: bytes(vector.publicKey))
        let signature = bytes(vector.signature)
        #expect(!key.verify(signature, of: [0xaf, 0x83]))
        #expect(!key.verify(signature, of: [UInt8]()))
        #expect(!key.verify(signature.dropLast(), of: [0xaf, 0x82]))
        #expect(!key.verify([], of: [0xaf, 0x82]))
        for bit in 0..<signature.count * 8 {
            var damaged = signature
            damaged[bit / 8] ^= 1 << (bit % 8)
            #expect(!key.verify(damaged, of: [0xaf, 0x82]), "bit \(bit)")
        }
        // S + L, which the RFC forbids: else a signature could be changed into another one that holds too.
        let order: [UInt8] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ]
        var shifted = signature
        var carry = 0
        for index in 0..<32 {
            carry += Int(shifted[32 + index]) + Int(order[index])
            shifted[32 + index] = UInt8(carry & 255)
            carry >>= 8
        }
        #expect(!key.verify(shifted, of: [0xaf, 0x82]))
    }

    /// RFC 8410, 10.1 and 10.3: a public key, and the private key that belongs to it.
    @Test func `keys in PEM form`() throws {
        let key = try Ed25519PrivateKey(pem: Self.privatePEM)
        #expect(try key.pem() == Self.privatePEM)
        #expect(try key.publicKey.pem() == Self.publicPEM)
        #expect(try Ed25519PublicKey(pem: Self.publicPEM) == key.publicKey)
    }

    @Test func `generated keys differ and survive their PEM form`() throws {
        let key = try Ed25519PrivateKey.generate()
        let again = try Ed25519PrivateKey(pem: key.pem())
        #expect(again.publicKey == key.publicKey)
        #expect(try again.sign([1, 2, 3]) == key.sign([1, 2, 3]))
        #expect(try Ed25519PrivateKey.generate().publicKey != key.publicKey)
    }

    @Test func `other keys and other texts`() throws {
        let rsa = try RSAPrivateKey.generate(bits: 1024)
        for pem in ["", "no key", Self.publicPEM, try rsa.pem()] {
            #expect(throws: CryptographyError.self) { try Ed25519PrivateKey(pem: pem) }
        }
        for pem in ["", "no key", Self.privatePEM, try rsa.publicKeyPEM()] {
            #expect(throws: CryptographyError.self) { try Ed25519PublicKey(pem: pem) }
        }
        #expect(throws: CryptographyError.self) { try Ed25519PrivateKey(seed: [1, 2, 3]) }
        #expect(throws: CryptographyError.self) { try Ed25519PublicKey(raw: []) }
    }

    private func bytes(_ digits: String) -> [UInt8] {
        var rest = digits[...]
        var bytes: [UInt8] = []
        while !rest.isEmpty {
            bytes.append(UInt8(rest.prefix(2), radix: 16)!)
            rest = rest.dropFirst(2)
        }
        return bytes
    }

    static let privatePEM = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
        -----END PRIVATE KEY-----

        """
    static let publicPEM = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
        -----END PUBLIC KEY-----

        """
}
