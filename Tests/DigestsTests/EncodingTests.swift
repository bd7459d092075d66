import Digests
import Testing

struct EncodingTests {
    @Test func checksumsAsTheStoresWriteThem() {
        let crc32c: UInt32 = 0xE306_9283
        let crc64nvme: UInt64 = 0xAE8B_1486_0A79_9888
        #expect(ChecksumEncoding.base64BigEndian(crc32c) == "4waSgw==")
        #expect(ChecksumEncoding.base64BigEndian(crc64nvme) == "rosUhgp5mIg=")
        #expect(ChecksumEncoding.base64LittleEndian(crc64nvme) == "iJh5CoYUi64=")
        #expect(ChecksumEncoding.hex(crc32c) == "e3069283")
        #expect(ChecksumEncoding.hex(UInt64(1)) == "0000000000000001")

        #expect(ChecksumEncoding.fromBase64BigEndian("4waSgw==") == crc32c)
        #expect(ChecksumEncoding.fromBase64BigEndian("rosUhgp5mIg=") == crc64nvme)
        #expect(ChecksumEncoding.fromBase64LittleEndian("iJh5CoYUi64=") == crc64nvme)
        #expect(ChecksumEncoding.fromHex("AE8B14860a799888") == crc64nvme)
    }

    @Test func wrongLengthsAreRefused() {
        #expect(ChecksumEncoding.fromBase64BigEndian("4waSgw==", as: UInt64.self) == nil)
        #expect(ChecksumEncoding.fromBase64BigEndian("rosUhgp5mIg=", as: UInt32.self) == nil)
        #expect(ChecksumEncoding.fromBase64LittleEndian("", as: UInt64.self) == nil)
        #expect(ChecksumEncoding.fromHex("e30692", as: UInt32.self) == nil)
    }

    /// The examples of RFC 4648.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zg==Zg==", "=Zg=", "====", "Zm9v\n", "Zm 9", "Zm-v", "Zmä",
    ])
    func base64Refused(_ text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test func base64ForURLs() {
        #expect(Base64.encodeForURL([0xFB, 0xFF, 0xFE, 0x01]) == "-__-AQ")
        #expect(Base64.encode([0xFB, 0xFF, 0xFE, 0x01]) == "+//+AQ==")
    }

    @Test func everyByte() {
        for count in 0...256 {
            let bytes = (0..<count).map { UInt8($0) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        }
    }

    @Test func hex() {
        #expect(Hex.encode([0x00, 0x0F, 0xA5, 0xFF]) == "000fa5ff")
        #expect(Hex.decode("000FA5ff") == [0x00, 0x0F, 0xA5, 0xFF])
        #expect(Hex.decode("0") == nil)
        #expect(Hex.decode("0g") == nil)
        #expect(Hex.decode("+1") == nil)
    }
}
