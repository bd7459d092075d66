// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// One target of the engine: its folder is `Sources/NAME`.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

/// A C library of the system, found by pkg-config, with the Debian package that carries it.
func systemLibrary(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let vocabulary: [Target.Dependency] = ["ReplicationModel", "Buffers", "Digests"]
let cloudStore: [Target.Dependency] =
    vocabulary + ["Cryptography", "XMLStreaming", "HTTPTransport", "ObjectStores", "HTTPStores"]
let eventLoops: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
]

let package = Package(
    name: "lockstep",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "lockstep", targets: ["lockstep"]),
        .executable(name: "cloudsim", targets: ["cloudsim"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C libraries, one Swift importer each.
        systemLibrary("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
        systemLibrary("COpenSSL", pkgConfig: "libcrypto", apt: "libssl-dev"),
        systemLibrary("CXML2", pkgConfig: "libxml-2.0", apt: "libxml2-dev"),
        systemLibrary("CXXHash", pkgConfig: "libxxhash", apt: "libxxhash-dev"),
        systemLibrary("CBLAKE3", pkgConfig: "libblake3", apt: "librust-blake3-dev"),
        systemLibrary("CLZ4", pkgConfig: "liblz4", apt: "liblz4-dev"),
        systemLibrary("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3"])]),
        .target(name: "CProcesses"),

        // Vocabulary and primitives.
        module("ReplicationModel"),
        module("Buffers"),
        module("Digests", ["CKernels", "CXXHash", "CBLAKE3"]),
        module("Cryptography", ["COpenSSL"]),
        module("Compression", ["CLZ4", "CZstd"]),
        module("XMLStreaming", ["CXML2"]),
        module("ChildProcesses", ["CProcesses"]),
        module("HTTPTransport", vocabulary + ["CCurl"]),

        // Stores and the manifest store.
        module("ObjectStores", vocabulary + ["CKernels"]),
        module("HTTPStores", vocabulary + ["Cryptography", "HTTPTransport", "ObjectStores"]),
        module("AWS", cloudStore + ["ChildProcesses"]),
        module("HashiCorp", vocabulary + ["Cryptography", "HTTPTransport", "ObjectStores", "HTTPStores"]),
        module("S3", cloudStore + ["AWS"]),
        module("Google", cloudStore + ["ChildProcesses"]),
        module("GCS", cloudStore + ["Google"]),
        module("Azure", cloudStore),
        module("AzureBlob", cloudStore + ["Azure"]),
        module("Manifests", vocabulary + ["Cryptography", "Compression", "ObjectStores"]),
        module(
            "SQLiteManifests",
            vocabulary + [
                "ObjectStores", "Manifests", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),

        // The hot path of sealed copies, and the store that is made of them.
        module("ChunkPipeline", vocabulary + ["CKernels", "Cryptography", "Compression"]),
        module("Vault", vocabulary + ["Cryptography", "Compression", "ObjectStores", "ChunkPipeline"]),

        // The control plane: protocols only.
        module("Replication", vocabulary + ["ObjectStores", "Manifests"]),

        // What people configure: settings of a pair, and the file that names them.
        module("Configuration", vocabulary + ["Cryptography", "Manifests", "Replication", "Yams"]),
        module(
            "Operations",
            vocabulary + [
                "ChildProcesses", "Cryptography", "HTTPTransport", "ObjectStores", "HTTPStores", "Replication",
                "Configuration", .product(name: "Logging", package: "swift-log"),
            ] + eventLoops),

        // Executables name the concrete stores.
        .executableTarget(
            name: "lockstep",
            dependencies: cloudStore + [
                "AWS", "Azure", "Google", "HashiCorp", "S3", "GCS", "AzureBlob", "Manifests", "SQLiteManifests",
                "ChunkPipeline", "Vault", "Replication", "Configuration", "Operations",
                argumentParser,
            ],
            swiftSettings: settings),

        // The three clouds on loopback.
        module("CloudSim", ["Digests", "Cryptography", "XMLStreaming"] + eventLoops),
        .executableTarget(name: "cloudsim", dependencies: ["CloudSim", argumentParser], swiftSettings: settings),

        // Tests. `StoreConformance` is the one suite that every store passes, `TestFixtures` what several suites need.
        .target(
            name: "StoreConformance", dependencies: vocabulary + ["ObjectStores"], path: "Tests/StoreConformance",
            swiftSettings: settings),
        .target(
            name: "TestFixtures", dependencies: vocabulary + ["HTTPTransport"], path: "Tests/TestFixtures",
            swiftSettings: settings),
        tests("DigestsTests", ["Digests", "CKernels", "TestFixtures"]),
        tests("CryptographyTests", ["Cryptography", "TestFixtures"]),
        tests("XMLStreamingTests", ["XMLStreaming"]),
        tests("ChildProcessesTests", ["ChildProcesses"]),
        tests("HTTPTransportTests", vocabulary + ["HTTPTransport"]),
        tests("ObjectStoresTests", vocabulary + ["ObjectStores", "StoreConformance", "TestFixtures"]),
        tests("CloudIdentityTests", cloudStore + ["AWS", "Azure", "Google", "TestFixtures"]),
        tests(
            "CloudStoresTests",
            cloudStore + [
                "AWS", "Azure", "Google", "S3", "GCS", "AzureBlob", "StoreConformance", "TestFixtures", "CloudSim",
            ]),
        tests(
            "ManifestsTests",
            vocabulary + ["Cryptography", "Compression", "ObjectStores", "Manifests", "SQLiteManifests"]),
        tests("CompressionTests", ["Compression"]),
        tests("ChunkPipelineTests", vocabulary + ["Cryptography", "Compression", "ChunkPipeline"]),
        tests(
            "VaultTests",
            vocabulary + [
                "Cryptography", "Compression", "ObjectStores", "ChunkPipeline", "Vault", "StoreConformance",
                "TestFixtures",
            ]),
        tests(
            "ReplicationTests",
            vocabulary + ["ObjectStores", "Manifests", "SQLiteManifests", "Replication", "TestFixtures"]),
        tests(
            "ConfigurationTests", vocabulary + ["Cryptography", "Manifests", "Replication", "Configuration"],
            exclude: ["make_cron_table.py"]),
        tests("CloudSimTests", ["CloudSim"]),
        tests(
            "OperationsTests",
            vocabulary + [
                "Cryptography", "ObjectStores", "HTTPStores", "HTTPTransport", "Replication", "Configuration",
                "Operations", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ]),
    ]
)
