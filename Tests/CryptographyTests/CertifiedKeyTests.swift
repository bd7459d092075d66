import Cryptography
import TestFixtures
import Testing

struct CertifiedKeyTests {
    static func bytes(_ texts: String...) -> [UInt8] { Array(texts.joined().utf8) }

    @Test func keyAndCertificateInAnyOrder() throws {
        let files = [
            Self.bytes(RSATestKey.privatePEM, RSATestKey.certificatePEM),
            Self.bytes(RSATestKey.certificatePEM, RSATestKey.privatePEM),
            Self.bytes(
                "a comment\n", Self.foreignPEM, RSATestKey.certificatePEM, Self.foreignPEM, RSATestKey.privatePEM),
        ]
        for file in files {
            let identity = try CertifiedKey(file: file)
            #expect(hex(SHA256.hash(identity.certificate)) == RSATestKey.fingerprint)
            #expect(try identity.key.pem() == RSATestKey.privatePEM)
        }
    }

    @Test func filesThatLackOneOfThem() throws {
        for file in [
            [], Self.bytes(RSATestKey.privatePEM), Self.bytes(RSATestKey.certificatePEM),
            Self.bytes(RSATestKey.privatePEM, Self.foreignPEM), [0x30, 0x82, 0, 0],
        ] {
            #expect(throws: CryptographyError.self) { try CertifiedKey(file: file) }
        }
        let error = try #require(throws: CryptographyError.self) {
            try CertifiedKey(file: Self.bytes(RSATestKey.privatePEM, Self.foreignPEM))
        }
        #expect(error.message.contains("no certificate"))
    }

    @Test func protectedKeys() throws {
        let file = Self.bytes(RSATestKey.certificatePEM, Self.protectedPEM)
        #expect(try CertifiedKey(file: file, password: Secret("canary-pass")).key.pem() == RSATestKey.privatePEM)
        #expect(throws: CryptographyError.self) { try CertifiedKey(file: file, password: Secret("another")) }
        let error = try #require(throws: CryptographyError.self) { try CertifiedKey(file: file) }
        #expect(error.code == .encryptedKey)
    }

    // Made by OpenSSL's command for the key of `RSATestKey`, and for another one.

    static let foreignPEM = """
        -----BEGIN CERTIFICATE-----
        MIIDAzCCAeugAwIBAgIUO3p74x6i8n2d4QpxejzFUpI3HzIwDQYJKoZIhvcNAQEL
        BQAwEDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTIxMTgwMzMxWhgPMjEyNjEwMjgx
        ODAzMzFaMBAxDjAMBgNVBAMMBW90aGVyMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A
        MIIBCgKCAQEAu4mWzob2gs5mKNbzmUFMHH4CRKQVIhULVAxfAr3DpY2Mq3GgYE3/
        irwLKCsKbcva8NrXuwm8l7yF5qcKXberLoNUEZrOgBrPbxhENIHEqKJCnLt/dakh
        zVLNwve8Bd9rFLA6Pt+cSqvXFxc+bGAKj43KsxmTPq32Zv2g9yS6+PbchjB10Gq0
        UqI6XSnLWH0g9ENeFmaowqz5w5GPF1xtR7hwt5giWsRaxhTVI/IOHIpRmBEp5VfV
        DNe29dFQV6HW4vcThg0YGKZweiLt0PqbHppyppPeVQQO1qi79VsYB0KdDehPX8Ny
        acvsLhOvl/AoLj7gVVX7DRSjnZK19v9CcQIDAQABo1MwUTAdBgNVHQ4EFgQUGa3h
        eSrcdspjxZIT3KHr1xfD1QAwHwYDVR0jBBgwFoAUGa3heSrcdspjxZIT3KHr1xfD
        1QAwDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEAI0sHJBDHn2Td
        OhUURG/QEkEdS2k1DbGpJ/UevYxppLBULRl/p/d+cLcd8NiKLo7sOc9xgFr6WxvT
        ZHpGAMiLMcXOsiLlx1xfQ4WS0AD9cv5DedSgzVUXSUP2WvTHAxNCytVWEpWAHVRt
        CWWdSk8OJqYjOZmzlE+EMYclXdIGJwkYa2ZHhYtM1Ee/YXrhSqog9+UShN4e6wFM
        GaNYwkQe08/EGX3ET4Y2/TF/34lJJ/Cd18xBEeAnw/BjNTalyrYRTLjrataF/M+8
        V6xppGUuabfXPKnG39xDfSbg/L2ggr2xWT0xbxyWfV9Kvj7KdygXgMbej3PsIKrv
        GQgSP3tixw==
        -----END CERTIFICATE-----

        """

    static let protectedPEM = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIKkb2mE51cEACAggA
        MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBAK2FKsYdP4M0iM4IehmfWEBIIE
        0BJbI6XoL6Yuk9DR+iMwkfoPco4TBtXYUOMIz5JFm6S2N9YDih6cRgaGcKbPJut0
        QCgMgNx4BlpgxCflecZVKGwFYXq1MqILjEmJzCPwrUzn6DH/kXNR5ugHw1dkDg9f
        CXmNJZY0DdmTtrhVqokCvtVftbXyZktHrag3bLgMhsCDGWNdmSkSJVLzs5oC4lUO
        a2PrzsH3DNgdOZP36QCXG2GWMbLgpj+WEtXczp5OWZwAP592L2n+ixBxp5QQbXx2
        vAqqM+jurTgdYr/NgCX84j7KMxfn0SI1aMDQsEXshVw8tcbpVdTzhclOusour9Vk
        c2YD5TTT4AFi5ozgjeeL7IsbkSqQzlrf9GkprgyqStzCMnkF/c/8Z+h/GROqYspB
        qqiAfNSrVZFtekRPOzShe4nmxgG/+paiBQeKEh89/jaZ8KSNxMkyRuYcZggRdCw3
        jma3/86OWCWksfKBhLUTN7rmRGUKwtVp4t318wRyKl8KC1n+nmUDWfFrS4oyV+b3
        h5vHHceaPDlsXaITvU7RKIh9LXYgvgGV+ytX2qQV23eWgp4HmsAPAjaVXXKKsfqv
        IV98r/XnxZe7nLO0zhqtPxyvAdmqViMcGEgF0tPJS2eMlX9m+zdsXJ8nyvs5sTih
        o9CE55KvqTewBCoa5wfeGSqybS6Bwnk6Kt2LXrsEMAMcztQi8b6VmizZXhHwD0vO
        4dVjJsVwxwHDlQsZA2VEs+fFxyY+yCBnpuUUOh0z2ceFreClDeELmJJ5k0vVts6G
        YOSSEqTaKuqvL5dANs5ewu+L4Uhi6UCCEoCp4mIOgHxh35VmPK91DYBRSZLGX5bX
        a2TRQpvVexyi57nki9r6nzBW8RkgG0JOqBWyEFHE1Dhgwi9y9BECrS9ijVy81cTG
        ai0s1C94CfwzxeJVWEhgwtErxeuz57Nrb/RUR7AP/gDI9j8bORbrDUjz3rVw9xR1
        pbcNUAXy2yQlofNpK3Q2QAMPg06l8Rf6cECzTxa1qb0dwgrOXL4jMG7THNT+tMVX
        eW5JgAyWEnEZq82Vg+DA0k5ycM4V4gEpXxq0clWlAs+MZLGPROV27P0FeJslJGRV
        Fc3O4arIMyOsQZ1o332njSgsdQ/EZUHKSY1j0FtMvE4FHKpSsFyAjuQpURTINm7R
        IpDysw54HFOm9JSzjwF33DeF1tNMpio3SD00r/mHG3lOKRVq43R5UmZyAQxoYoly
        mwqmSPXDVLpIyxG1XJdZvXYi8kRLd3xoC+OVLs8nnZLxaEeEft+XBgSPGycIC/aQ
        hoaQfjla6DTfFt3nlY7HntxZy85l895ZkWvJDHPSZWtkEr9EO3NeOxx3p3MdenWp
        tkk+DjqV9JQFBA3r6ccFGrzafGfVBoL6vkx7hLArWbf+AijU24zMMeNZEimtIqf9
        y1Ihgs665c2ixgQW8F3l3vHIwJKBDorcH0LTqSNJIINPMVqpJPQdDqqO4Kh2D/Di
        taOxhadGxwbqQ22Yzrjr9U1C0wEBfcFvtvI58mea5mq9Wrof6Xw4eaHm34yQ0snS
        aD1PDDc3M0BfZsC6Blq3m/GrgU7Gb0ABOMfOugxEWiQFUP7Amcj4eDpcdB75WMOZ
        APEm1yw2f3QXGV79CVsaX+QE8qcgTOIp/e1ixfUjPmgX
        -----END ENCRYPTED PRIVATE KEY-----

        """
}
