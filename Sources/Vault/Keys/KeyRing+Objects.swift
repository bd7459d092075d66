import Compression
import Cryptography
import Digests

/// Whole sealed objects with one record: roots, pages, index segments, collections.
extension KeyRing {
    /// Most plain bytes of one object.
    package static let maxPlainLength = 256 << 20

    /// Bytes of one whole object, at most.
    static let maxSealedLength = Padding.padded(maxPlainLength + 4096)

    /// Codec, plain length and payload length, before the payload.
    private static let preludeLength = 17

    /// How the payload became smaller, as the format numbers it.
    private enum Codec: UInt8 {
        case raw = 0
        case zstd = 2
    }

    /// The whole sealed object, padded so that its length says little.
    /// - Precondition: at most `maxPlainLength` bytes.
    package func seal(
        _ plain: [UInt8], as type: SealedType, name: String, compress: Bool = true
    ) -> [UInt8] {
        precondition(plain.count <= Self.maxPlainLength, "a sealed object holds at most 256 MiB")
        let compressed = compress ? Self.compressed(plain) : nil
        let payload = compressed ?? plain
        let content = Self.preludeLength + payload.count
        let around = ObjectHeader.length + RecordCipher.overhead + ObjectTrailer.length
        let total = Padding.padded(around + content)
        let (header, cipher) = newObject(type, name: name)
        return [UInt8](unsafeUninitializedCapacity: total) { buffer, count in
            let object = UnsafeMutableRawBufferPointer(buffer)
            object.copyBytes(from: header)
            let record = UnsafeMutableRawBufferPointer(
                rebasing: object[ObjectHeader.length..<total - ObjectTrailer.length])
            record[0] = (compressed == nil ? Codec.raw : .zstd).rawValue
            record.storeBytes(of: UInt64(plain.count).littleEndian, toByteOffset: 1, as: UInt64.self)
            record.storeBytes(of: UInt64(payload.count).littleEndian, toByteOffset: 9, as: UInt64.self)
            UnsafeMutableRawBufferPointer(rebasing: record[Self.preludeLength...]).copyBytes(from: payload)
            let padded = UnsafeMutableRawBufferPointer(rebasing: record.dropLast(RecordCipher.overhead))
            UnsafeMutableRawBufferPointer(rebasing: padded[content...]).initializeMemory(as: UInt8.self, repeating: 0)
            cipher.seal(UnsafeRawBufferPointer(padded), at: UInt64(ObjectHeader.length), into: record.baseAddress!)
            let sealed = UnsafeRawBufferPointer(rebasing: object.dropLast(ObjectTrailer.length))
            UnsafeMutableRawBufferPointer(rebasing: object.suffix(ObjectTrailer.length))
                .copyBytes(from: ObjectTrailer(of: sealed, footerLength: 0).bytes)
            count = total
        }
    }

    /// The plain bytes of a whole sealed object.
    package func open(
        _ object: UnsafeRawBufferPointer, as type: SealedType, name: String
    ) throws(VaultError) -> [UInt8] {
        try SealedCheck.verify(object, name: name)
        let cipher = try cipher(for: object, type, name: name)
        let body = object[ObjectHeader.length..<object.count - ObjectTrailer.length]
        let record = UnsafeRawBufferPointer(rebasing: body)
        let room = record.count - RecordCipher.overhead
        let content = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, room), alignment: 16)
        defer { content.deallocate() }
        guard cipher.open(record, at: UInt64(ObjectHeader.length), into: content.baseAddress!) else {
            throw VaultError(.damaged, object: name, "is not what was sealed: it was changed")
        }
        return try Self.payload(UnsafeRawBufferPointer(rebasing: content.prefix(room)), name: name)
    }

    /// Undoes padding and compression of an opened record.
    private static func payload(_ content: UnsafeRawBufferPointer, name: String) throws(VaultError) -> [UInt8] {
        guard content.count >= preludeLength, let codec = Codec(rawValue: content[0]) else {
            throw VaultError(.damaged, object: name, "its content is not of a known form")
        }
        func number(_ offset: Int) -> UInt64 {
            UInt64(littleEndian: content.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        let (plainLength, payloadLength) = (number(1), number(9))
        guard plainLength <= UInt64(maxPlainLength), payloadLength <= UInt64(content.count - preludeLength) else {
            throw VaultError(.damaged, object: name, "its content does not have the length that it names")
        }
        let payload = UnsafeRawBufferPointer(rebasing: content[preludeLength..<preludeLength + Int(payloadLength)])
        switch codec {
        case .raw:
            guard plainLength == payloadLength else {
                throw VaultError(.damaged, object: name, "its content does not have the length that it names")
            }
            return Array(payload)
        case .zstd:
            do throws(ZstdError) {
                return try decompressed(payload, Int(plainLength))
            } catch {
                throw VaultError(.damaged, object: name, "its content cannot be decompressed: \(error)")
            }
        }
    }

    /// nil when that saves nothing.
    private static func compressed(_ plain: [UInt8]) -> [UInt8]? {
        let frame = [UInt8](unsafeUninitializedCapacity: Zstd.bound(plain.count)) { buffer, count in
            count = plain.withUnsafeBytes {
                ZstdCompressor().compress($0, into: UnsafeMutableRawBufferPointer(buffer))
            }
        }
        return frame.count < plain.count ? frame : nil
    }

    private static func decompressed(_ frame: UnsafeRawBufferPointer, _ length: Int) throws(ZstdError) -> [UInt8] {
        var failure: ZstdError?
        let plain = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            do throws(ZstdError) {
                try Zstd.decompress(
                    frame,
                    into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<length]))
                count = length
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return plain
    }
}
