import Foundation
import ObjectStores
import ReplicationModel
import Testing

@Suite struct PrefixedStoreTests {
    private let base = MemoryStore()
    private var store: any ObjectStore { PrefixedStore.rooted(base, at: "data/set/") }

    @Test func keysAreRelativeToThePrefix() async throws {
        try await store.write("1", to: "a/b")
        try await store.write("2", to: "/c")
        for key in ["data/settings", "data/set", "data/set!", "other"] as [ObjectKey] {
            try await base.write("x", to: key)
        }
        #expect(try await base.text(of: "data/set/a/b") == "1")
        #expect(try await store.everything().keys == ["/c", "a/b"])
        #expect(try await store.everything("a", limit: 1).keys == ["a/b"])
        #expect(try await store.everything(startAfter: "/c").keys == ["a/b"])
        let head = try await store.head("a/b")
        #expect(head.object.key == "a/b")
        let copied = try await store.copy(
            CopyRequest(
                source: "a/b", sourceVersion: head.object.version, size: 1, destination: "d", condition: .absent))
        #expect(try await base.head("data/set/d").object.version == copied.version)
        for result in await store.delete([DeleteRequest(key: "a/b", version: head.object.version)]) { try result.get() }
        #expect(
            try await base.everything().keys == [
                "data/set", "data/set!", "data/set//c", "data/set/d", "data/settings", "other",
            ])
    }

    @Test func sessionsAreRelativeAndSurviveStorage() async throws {
        let session = try await store.upload([[1, 2], [3]], to: "folder/object", complete: false)
        #expect(session.key == "folder/object")
        let restored = try JSONDecoder().decode(UploadSession.self, from: try JSONEncoder().encode(session))
        #expect(restored == session)
        #expect(try await store.openUploads(ListRequest(prefix: "folder/")).uploads.map(\.session) == [session])
        #expect(try await base.openUploads(ListRequest()).uploads.map(\.session.key) == ["data/set/folder/object"])
        let parts = try await store.listParts(of: restored)
        #expect(parts.map(\.size) == [2, 1])
        try await store.abortUpload(restored)
        #expect(try await base.openUploads(ListRequest()).uploads.isEmpty)
    }

    @Test func uploadsEndBelowThePrefix() async throws {
        let session = try await store.upload([[1, 2], [3, 4], [5]], to: "object", complete: true)
        #expect(session.key == "object")
        #expect(try await base.bytes(of: "data/set/object") == [1, 2, 3, 4, 5])
    }

    @Test func theFoldersOwnMarkerIsNoObjectInIt() async throws {
        try await base.write("", to: "data/set/")
        try await base.write("x", to: "data/set/a")
        #expect(try await store.everything().keys == ["a"])
    }

    @Test func aListingThatLeavesThePrefixIsNotTrusted() async throws {
        let wrong = HookedStore(
            base,
            page: { page in
                ListPage(
                    objects: page.objects + [ListedObject(key: "elsewhere", size: 1, version: VersionToken("1"))],
                    next: nil)
            })
        try await base.write("x", to: "data/set/a")
        let store = PrefixedStore.rooted(wrong, at: "data/set/")
        #expect(try await failure { _ = try await store.list(ListRequest()) }?.code == .invalidResponse)
    }

    @Test func namesThatCannotBeListedAreRelativeToo() async throws {
        let odd = HookedStore(
            base,
            page: { _ in
                ListPage(
                    objects: [], next: nil, unlistable: [("data/set/a/link", "a link"), ("elsewhere", "unknown")])
            })
        let page = try await PrefixedStore.rooted(odd, at: "data/set/").list(ListRequest())
        #expect(page.unlistable.map(\.name) == ["a/link", "elsewhere"])
    }

    @Test func rulesCountThePrefix() {
        struct ShortKeys: ObjectRules {
            func problem(with key: ObjectKey) -> String? { key.bytes.count > 12 ? "too long" : nil }
            func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String]) { (attributes, []) }
        }
        let store = PrefixedStore.rooted(MemoryStore(rules: ShortKeys()), at: "data/set/")
        #expect(store.rules.problem(with: "abc") == nil)
        #expect(store.rules.problem(with: "abcd") == "too long")
    }

    @Test func noPrefixIsTheStoreItself() {
        #expect(PrefixedStore.rooted(base, at: "") is MemoryStore)
        #expect(store.name == "memory://store/data/set/")
    }
}
