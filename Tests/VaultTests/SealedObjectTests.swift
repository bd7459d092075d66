import Cryptography
import Digests
import Testing
import Vault

struct SealedObjectTests {
    static let rootKey = Secret.random(32)
    static let keys = KeyRing(
        repository: Array(1...32), chunkIDKey: .random(32), slotsKey: .random(32), rootKeys: [rootKey])
    static let name = VaultName.root(7)

    private static func open(
        _ object: [UInt8], as type: SealedType = .root, name: String = name, keys: KeyRing = keys
    ) throws(VaultError) -> [UInt8] {
        let object = UnsafeRawBufferPointer(UnsafeBufferPointer(object.copy()))
        defer { object.deallocate() }
        return try keys.open(object, as: type, name: name)
    }

    /// Compressible, not compressible, and of no bytes at all.
    @Test(arguments: [0, 1, 100, 5000, 300_000], [true, false])
    func opensAgain(_ count: Int, _ compress: Bool) throws {
        for plain in [[UInt8](repeating: 7, count: count), SecureRandom.bytes(count)] {
            let object = Self.keys.seal(plain, as: .root, name: Self.name, compress: compress)
            #expect(Padding.padded(object.count) == object.count)
            #expect(try Self.open(object) == plain)
        }
    }

    @Test func layout() throws {
        let object = Self.keys.seal(Array("content".utf8), as: .page, name: "snap/x", compress: false)
        #expect(object.prefix(8).elementsEqual("LSVAULT1".utf8))
        #expect(Array(object[8..<32]) == [4, 1, 0, 0, 1, 0, 0, 0] + Array(1...16))
        #expect(object.suffix(8).elementsEqual("LSVEND01".utf8))
        #expect(object.suffix(48).prefix(8).allSatisfy { $0 == 0 })
        let hash = object.withUnsafeBytes { BLAKE3.hash(UnsafeRawBufferPointer(rebasing: $0.dropLast(40))) }
        #expect(Array(object.suffix(40).prefix(32)) == hash)

        // From the format page alone: the object's keys and its one record.
        let purpose = Array("lockstep vault object".utf8) + Array(1...32) + [4] + Array("snap/x".utf8)
        let derived = HKDFSHA256.derive(64, from: Self.rootKey, salt: Array(object[32..<64]), info: purpose)
        let bytes = derived.withBytes { Array($0) }
        #expect(Array(bytes.suffix(32)) == Array(object[64..<96]))
        let cipher = AES256GCM(key: Secret(bytes[..<32]))
        let record = Array(object[96..<object.count - 48])
        let place: [UInt8] = [96, 0, 0, 0, 0, 0, 0, 0, UInt8(record.count), 0, 0, 0]
        var plain = [UInt8](repeating: 0xEE, count: record.count - 16)
        let isAuthentic = record.withUnsafeBytes { record in
            place.withUnsafeBytes { place in
                plain.withUnsafeMutableBytes {
                    cipher.open(record, nonce: (96, 0), associated: place, into: $0.baseAddress!)
                }
            }
        }
        #expect(isAuthentic)
        let length: [UInt8] = [7, 0, 0, 0, 0, 0, 0, 0]
        #expect(plain.starts(with: [0] + length + length + Array("content".utf8)))
        #expect(plain.dropFirst(24).allSatisfy { $0 == 0 })
    }

    @Test func everyFlippedByteIsFound() {
        let object = Self.keys.seal(Array("something small".utf8), as: .root, name: Self.name)
        for index in object.indices {
            for mask: UInt8 in [1, 0x80] {
                var changed = object
                changed[index] ^= mask
                let error = #expect(throws: VaultError.self) { try Self.open(changed) }
                #expect(error.map { [.damaged, .newerFormat, .wrongKey].contains($0.code) } == true)
                #expect(error?.object == Self.name)
            }
        }
    }

    /// Who changes an object can make its checksum fit: the keys find it all the same.
    @Test func everyFlippedByteIsFoundWithAFittingChecksum() {
        let object = Self.keys.seal(Array("something small".utf8), as: .root, name: Self.name)
        for index in 0..<object.count - 48 {
            var changed = object
            changed[index] ^= 1
            let hash = changed.withUnsafeBytes { BLAKE3.hash(UnsafeRawBufferPointer(rebasing: $0.dropLast(40))) }
            changed.replaceSubrange(changed.count - 40..<changed.count - 8, with: hash)
            #expect(throws: VaultError.self) { try Self.open(changed) }
        }
    }

    @Test func everyShorteningIsFound() {
        let object = Self.keys.seal(Array("something small".utf8), as: .root, name: Self.name)
        for count in 0..<object.count {
            let error = #expect(throws: VaultError.self) { try Self.open(Array(object.prefix(count))) }
            #expect(error?.code == .damaged)
        }
    }

    @Test func anotherNameTypeOrVault() {
        let object = Self.keys.seal([1, 2, 3], as: .root, name: Self.name)
        for wrong: () throws -> [UInt8] in [
            { try Self.open(object, name: VaultName.root(8)) },
            { try Self.open(object, as: .page) },
            { try Self.open(object, keys: KeyRing.generate(repository: Array(1...32))) },
            { try Self.open(object, keys: KeyRing.generate(repository: Array(2...33))) },
        ] {
            let error = #expect(throws: VaultError.self) { _ = try wrong() }
            #expect(error?.code == .damaged)
        }
    }

    @Test func rotatedKeysOpenWhatIsOlder() throws {
        let rotated = Self.keys.rotated()
        let old = Self.keys.seal([1], as: .root, name: Self.name)
        let new = rotated.seal([2], as: .root, name: Self.name)
        #expect(try Self.open(old, keys: rotated) == [1])
        #expect(try Self.open(new, keys: rotated) == [2])
        #expect(rotated.newestVersion == 2)
        #expect(rotated.chunkIDKey == Self.keys.chunkIDKey)
        let error = #expect(throws: VaultError.self) { try Self.open(new) }
        #expect(error?.code == .wrongKey)
        #expect(error?.message.contains("run again") == true)
    }

    @Test func saltsAreFresh() {
        let headers = (0..<50).map { _ in Self.keys.newObject(.dataPack, name: "pack/x").header }
        #expect(Set(headers.map { Array($0[32..<64]) }).count == 50)
        #expect(headers.allSatisfy { $0.count == ObjectHeader.length })
    }

    @Test func recordsAreBoundToTheirPlace() {
        let cipher = Self.keys.newObject(.dataPack, name: "pack/x").cipher
        let plain = SecureRandom.bytes(100)
        var sealed = [UInt8](repeating: 0, count: 116)
        plain.withUnsafeBytes { plain in
            sealed.withUnsafeMutableBytes { cipher.seal(plain, at: 96, into: $0.baseAddress!) }
        }
        func open(at offset: UInt64) -> [UInt8]? {
            var output = [UInt8](repeating: 0, count: 100)
            let isAuthentic = sealed.withUnsafeBytes { sealed in
                output.withUnsafeMutableBytes { output in
                    let cut = 37
                    let whole = cipher.open(sealed, at: offset, into: output.baseAddress!)
                    let pieces = cipher.open(
                        UnsafeRawBufferPointer(rebasing: sealed[..<cut]),
                        UnsafeRawBufferPointer(rebasing: sealed[cut...]), at: offset, into: output.baseAddress!)
                    #expect(whole == pieces)
                    return whole
                }
            }
            return isAuthentic ? output : nil
        }
        #expect(open(at: 96) == plain)
        #expect(open(at: 97) == nil)
    }

    /// Padmé as its authors give it: at most 12 % more, and few different lengths.
    @Test func padding() {
        for (length, padded) in [(0, 0), (1, 1), (8, 8), (9, 10), (100, 104), (1000, 1024), (33_000_000, 33_030_144)] {
            #expect(Padding.padded(length) == padded)
        }
        for length in 1..<5000 {
            let padded = Padding.padded(length)
            #expect(padded >= length && padded * 100 <= length * 112)
            #expect(Padding.padded(padded) == padded)
        }
        #expect(Set((1 << 20..<1 << 21).lazy.map { Padding.padded($0) }).count == 33)
    }

    @Test func headerOfANewerVersion() {
        var object = Self.keys.seal([1], as: .root, name: Self.name)
        object[9] = 2
        let error = #expect(throws: VaultError.self) { try Self.open(object) }
        #expect(error?.code == .newerFormat)
    }
}

extension [UInt8] {
    /// Memory of its own, so that a read beyond its end is a read beyond an allocation.
    fileprivate func copy() -> UnsafeMutableBufferPointer<UInt8> {
        let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: count)
        _ = copy.initialize(from: self)
        return copy
    }
}
