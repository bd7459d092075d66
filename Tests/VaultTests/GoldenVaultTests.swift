import ChunkPipeline
import Cryptography
import Foundation
import ObjectStores
import ReplicationModel
import Testing
import Vault

/// The vaults of which `Tests/Vault/golden` keeps specimens: here they are made anew and read.
///
/// With `LOCKSTEP_GOLDEN=DIRECTORY` in the environment they stay there, to be kept as specimens:
/// `tar --exclude .lockstep -C DIRECTORY/NAME -cJf NAME.tar.xz manifest.json vault`. Specimens are never replaced, for what once was
/// written must stay readable: a change of the format adds some.
@Suite struct GoldenVaultTests {
    private static let passphrase = VaultCredential.passphrase(Secret(GoldenVault.passphrase))
    private static let keyFile = VaultCredential.keyFile(Secret(GoldenVault.keyFile))
    private static let gear = GearSizes(min: 4096, average: 8192, max: 32768)

    /// Tensors in planes, text as LZ4, odd keys and attributes, a checkpoint that was replaced and one that was not, two slots, two root
    /// keys.
    @Test func tensor() async throws {
        try await make(
            "tensor", Self.passphrase,
            VaultOptions(chunker: .tensor(grid: 4096, otherwise: Self.gear), compression: .auto)
        ) { vault in
            let model = Self.safetensors()
            try await vault.write("models/tiny.safetensors", model)
            try await vault.write(
                "notes/Größe \u{2603}.json", Array(String(repeating: #"{"step":1,"loss":0.5}"#, count: 900).utf8),
                ObjectAttributes(
                    contentType: "application/json; charset=\"utf-8\"", contentEncoding: "identity",
                    contentLanguage: "de", contentDisposition: #"attachment; filename="a\b.json""#,
                    cacheControl: "no-cache\t\u{1}",
                    userMetadata: ["b": "ü\u{1F426}", "a": "", "B": "line\nline", "quote\"": "\\"]))
            try await vault.write("empty", [], ObjectAttributes(userMetadata: ["kind": "empty"]))
            try await vault.write("one", [0x5A])
            try await vault.commit()

            try await vault.write("notes/1", noise(3000, seed: 1))
            try await vault.commit(.checkpoint)
            try await vault.write("notes/2", noise(3000, seed: 1), ObjectAttributes(contentType: "a/b"))
            try await vault.write(ObjectKey([0x01, 0xFF, 0x2F, 0x2F, 0x20, 0x22, 0x5C, 0xC3]), noise(100, seed: 2))
            try await vault.commit()

            try await vault.addKey(Self.keyFile)
            try await vault.rotateKeys()
            try await vault.copy("models/tiny.safetensors", to: "models/renamed.safetensors")
            try await vault.delete("models/tiny.safetensors")
            try await vault.delete("one")
            try await vault.write("notes/1", noise(4000, seed: 3))
            try await vault.commit()

            try await vault.write("notes/3", noise(50, seed: 4))
            try await vault.commit(.checkpoint)
        }
    }

    /// Chunks in a list, a tree of two levels, an empty snapshot, packs of metadata.
    @Test func fixed() async throws {
        try await make(
            "fixed", Self.passphrase, VaultOptions(chunker: .fixed(size: 4096), compression: .zstd)
        ) { vault in
            for number in 0..<700 {
                try await vault.write(ObjectKey("rows/\(1000 + number)"), [UInt8(number % 3)])
            }
            let lines = (0..<40_000).map { "\($0) bottles\n" }.joined()
            try await vault.write("large", Array(lines.utf8.prefix(80 * 4096 + 5)))
            try await vault.commit()

            try await vault.write("rows/1500", [9, 9])
            try await vault.delete("rows/1699")
            try await vault.write("rows/1200a", [], ObjectAttributes(contentType: "text/plain"))
            try await vault.commit()

            for number in 0..<700 { try await vault.delete(ObjectKey("rows/\(1000 + number)")) }
            try await vault.delete("rows/1200a")
            try await vault.delete("large")
            try await vault.commit()
        }
    }

    /// Chunks as content cuts them, of which a later object shares most; nothing compressed; a key file only.
    @Test func gear() async throws {
        try await make("gear", Self.keyFile, VaultOptions(chunker: .gear(Self.gear), compression: .none)) { vault in
            let bytes = noise(30_000, seed: 5)
            try await vault.write("a", bytes)
            try await vault.commit()
            try await vault.write("b", Array(bytes[..<15_000] + [1, 2, 3] + bytes[15_000...]))
            try await vault.commit()
        }
    }

    /// Text and bytes that do not shrink, as LZ4 may leave them.
    @Test func lz4() async throws {
        try await make("lz4", Self.keyFile, VaultOptions(chunker: .fixed(size: 8192), compression: .lz4)) { vault in
            try await vault.write("text", Array(String(repeating: "to be or not to be, ", count: 1000).utf8))
            try await vault.write("noise", noise(9000, seed: 6))
            try await vault.commit()
        }
    }

    private func make(
        _ name: String, _ credential: VaultCredential, _ options: VaultOptions,
        _ fill: (inout GoldenVault) async throws -> Void
    ) async throws {
        let kept = ProcessInfo.processInfo.environment["LOCKSTEP_GOLDEN"].map {
            URL(fileURLWithPath: $0).appendingPathComponent(name)
        }
        let directory =
            kept ?? FileManager.default.temporaryDirectory.appendingPathComponent("lockstep-\(UUID().uuidString)")
        defer { if kept == nil { try? FileManager.default.removeItem(at: directory) } }
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        var vault = try await GoldenVault(directory.appendingPathComponent("vault"), credential, options)
        try await fill(&vault)
        try await vault.check()
        try vault.writeManifest(directory.appendingPathComponent("manifest.json"))
    }

    /// BF16, F32 and F64 with few exponents, bytes between the tensors, and a small one.
    private static func safetensors() -> [UInt8] {
        let weights = noise(9000, seed: 7).map { Float($0) / 4096 }
        var data: [UInt8] = []
        var tensors: [String] = []
        func add(_ name: String, _ type: String, _ count: Int, _ bytes: [UInt8]) {
            tensors.append(
                "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":[\(count)],"
                    + "\"data_offsets\":[\(data.count),\(data.count + bytes.count)]}")
            data += bytes
        }
        add("a", "BF16", 9000, weights.flatMap { Array(littleEndian($0.bitPattern)[2...]) })
        add("b", "F32", 5003, weights[..<5003].flatMap { littleEndian($0.bitPattern) })
        // So a chunk ends within an element.
        data += [1, 2, 3]
        add("c", "F64", 2500, weights[..<2500].flatMap { littleEndian(Double($0).bitPattern) })
        add("d", "U8", 1001, noise(1001, seed: 8))
        let header = Array("{\(tensors.joined(separator: ","))}".utf8)
        return littleEndian(UInt64(header.count)) + header + data
    }

    private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
