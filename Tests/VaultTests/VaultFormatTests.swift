import ChunkPipeline
import Testing
import Vault

struct VaultFormatTests {
    private static func format(
        _ chunker: ChunkerProfile = .standard, packSize: Int = VaultFormat.standardPackSize
    ) throws(VaultError) -> VaultFormat {
        try VaultFormat(
            repository: Array(0...31), chunker: chunker, compression: .auto, packSize: packSize, isSingleWriter: false)
    }

    @Test(
        arguments: [
            .standard, .gear(.small), .fixed(size: 1 << 20), .tensor(grid: 1 << 19, otherwise: .small),
        ] as [ChunkerProfile])
    func readsWhatItWrites(_ chunker: ChunkerProfile) throws {
        let format = try VaultFormat(
            repository: Array(1...32), chunker: chunker, compression: .zstd, packSize: 8 << 20, isSingleWriter: true)
        let again = try VaultFormat(decoding: format.bytes)
        #expect(again.repository == Array(1...32))
        #expect(again.chunker == chunker)
        #expect(again.compression == .zstd)
        #expect(again.packSize == 8 << 20)
        #expect(again.isSingleWriter)
        #expect(again.bytes == format.bytes)
    }

    @Test func golden() throws {
        #expect(
            try String(decoding: Self.format().bytes, as: UTF8.self)
                == #"{"chunker":{"average":262144,"grid":262144,"kind":"tensor","max":1048576,"min":65536},"#
                + #""cipher":"AES-256-GCM","compression":"auto","features":[],"hash":"BLAKE3","magic":"lockstep vault","#
                + #""packSize":33554432,"#
                + #""repository":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f","#
                + #""singleWriter":false,"version":1}"# + "\n")
    }

    @Test(arguments: [
        ("\"version\":1", "\"version\":2", "version 2"),
        ("\"features\":[]", "\"features\":[\"dictionaries\",\"mirrors\"]", "dictionaries, mirrors"),
        ("AES-256-GCM", "AES-512", "AES-512"), ("BLAKE3", "BLAKE4", "BLAKE4"), ("\"tensor\"", "\"rabin\"", "rabin"),
        ("\"auto\"", "\"brotli\"", "brotli"),
    ])
    func newer(_ old: String, _ new: String, _ named: String) throws {
        let error = #expect(throws: VaultError.self) { try VaultFormat(decoding: Self.changed(old, new)) }
        #expect(error?.code == .newerFormat)
        #expect(error?.message.contains(named) == true)
        #expect(error?.object == "format")
    }

    @Test(arguments: [
        ("lockstep vault", "something else"), ("{", "["), ("\"version\":1", "\"version\":\"1\""),
        ("\"average\":262144", "\"average\":262143"), ("\"average\":262144,", ""), ("\"min\":65536", "\"min\":524288"),
        ("\"min\":65536", "\"min\":2048"), ("\"max\":1048576", "\"max\":16777216"),
        ("\"max\":1048576", "\"max\":131072"),
        ("\"grid\":262144,", ""), ("\"grid\":262144", "\"grid\":0"), ("33554432", "8388607"), ("33554432", "268435457"),
        ("33554432", "-1"), ("33554432", "1e99"), ("\"0001", "\"00"), ("\"0001", "\"xx01"),
        ("\"singleWriter\":false,", ""),
    ])
    func malformed(_ old: String, _ new: String) throws {
        let error = #expect(throws: VaultError.self) { try VaultFormat(decoding: Self.changed(old, new)) }
        #expect(error?.code == .damaged)
        #expect(error?.object == "format")
    }

    private static func changed(_ old: String, _ new: String) throws -> [UInt8] {
        let text = String(decoding: try format().bytes, as: UTF8.self)
        let place = try #require(text.firstRange(of: old))
        return Array(text.replacingCharacters(place, new).utf8)
    }

    @Test func refusesSizesThatMakeNoSense() {
        for (chunker, packSize) in [
            (ChunkerProfile.fixed(size: 3000), 32 << 20), (.fixed(size: 8 << 20), 8 << 20),
            (.gear(GearSizes(min: 1 << 20, average: 1 << 18, max: 1 << 20)), 32 << 20), (.standard, 4 << 20),
        ] {
            let error = #expect(throws: VaultError.self) { try Self.format(chunker, packSize: packSize) }
            #expect(error?.code == .invalid)
        }
    }
}

extension String {
    fileprivate func replacingCharacters(_ range: Range<Index>, _ text: String) -> String {
        self[..<range.lowerBound] + text + self[range.upperBound...]
    }
}
