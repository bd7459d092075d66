import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

@Suite struct FileNamesTests {
    /// Keys made of what is special to the coding, so that twins would show.
    private static func hostileKey(_ random: inout SeededRandom) -> ObjectKey {
        let pieces = [
            "/", "//", ".", "..", "%", "%lockstep", "%lockstep%", "%lockstep+", "%25", "%00", "\0", "a", "b",
            ".lockstep", "é", "\n",
            String(repeating: "x", count: 90), String(repeating: "y", count: 250),
        ]
        return ObjectKey(
            (0..<Int.random(in: 1...6, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined())
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func everyKeyHasAFileOfItsOwn(seed: UInt64) async throws {
        let directory = TemporaryDirectory()
        let store = directory.store()
        var random = SeededRandom(seed: seed)
        var contents: [ObjectKey: String] = [:]
        for number in 0..<300 {
            let key = Self.hostileKey(&random)
            let error = try await failure { try await store.write("\(number)", to: key) }
            if error == nil { contents[key] = "\(number)" } else { #expect(error?.code == .invalidKey) }
        }
        #expect(contents.count > 200)
        for (key, text) in contents { #expect(try await store.text(of: key) == text, "\(key)") }
        for limit in [1, 7, 1000] {
            let found = try await directory.store().everything(limit: limit)
            #expect(found.keys == contents.keys.sorted())
            #expect(found.unlistable.isEmpty)
        }
    }

    @Test func ordinaryKeysAreOrdinaryPaths() async throws {
        let directory = TemporaryDirectory()
        let store = directory.store()
        for key in ["a/b/c.txt", "with blank & ümlaut", "100%", ".hidden", "...", "a\\b"] {
            try await store.write(key, to: ObjectKey(key))
            #expect(try directory.text(of: key) == key)
        }
    }

    @Test func namesThatStandForNothingAreReported() async throws {
        let directory = TemporaryDirectory()
        let names = [
            "%lockstep", "%lockstepx", "%lockstep%a", "%lockstep%%zz", "%lockstep%.lockstep2",
            "sub/%lockstep%.lockstep",
            "%lockstep+piece", "%lockstep%%2e",
        ]
        for name in names { try directory.write("x", to: name) }
        try directory.write("x", to: "%lockstep+short/%lockstep%rest")
        try directory.write("object", to: "%lockstep%..")
        let found = try await directory.store().everything()
        #expect(found.keys == [".."])
        #expect(Set(found.unlistable.keys) == Set(names + ["%lockstep+short/%lockstep%rest"]))
        #expect(found.unlistable.values.allSatisfy { $0.contains("stands for no key") })
    }

    @Test func theReservedDirectoryIsNeitherListedNorReached() async throws {
        let directory = TemporaryDirectory()
        try directory.write("x", to: ".lockstep/tmp/x")
        try directory.write("deeper", to: "sub/.lockstep/x")
        let store = directory.store()
        #expect(try await store.everything().keys == ["sub/.lockstep/x"])
        #expect(try await failure { _ = try await store.head(".lockstep/tmp/x") }?.code == .notFound)
        try await store.write("mine", to: ".lockstep/tmp/x")
        #expect(try directory.text(of: ".lockstep/tmp/x") == "x")
        #expect(try await store.text(of: ".lockstep/tmp/x") == "mine")
    }

    @Test func longPathsAreRefusedByName() async throws {
        let store = TemporaryDirectory().store()
        let key = ObjectKey(String(repeating: "abcdefg/", count: 600) + "x")
        #expect(store.rules.problem(with: key)?.contains("4095") == true)
        #expect(try await failure { try await store.write("x", to: key) }?.code == .invalidKey)
    }
}
