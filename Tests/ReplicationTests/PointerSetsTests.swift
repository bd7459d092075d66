import Replication
import ReplicationModel
import Testing

/// Which objects are pointers, and how far their sets extend.
@Suite struct PointerSetsTests {
    private func prefix(_ pointer: ObjectKey, _ extent: ArtifactSets.Extent) throws -> String {
        let sets = ArtifactSets(pointers: [try GlobPattern("**/latest")], extent: extent)
        #expect(sets.isPointer(pointer))
        return sets.prefix(of: pointer).text
    }

    @Test(arguments: [("a/b/latest", "a/b/"), ("latest", ""), ("a//latest", "a//"), ("/latest", "/")])
    func `a set is what is below the pointer's own folder`(pointer: String, expected: String) throws {
        #expect(try prefix(ObjectKey(pointer), .folder) == expected)
    }

    @Test(arguments: [
        (0, "a/b/c/latest", ""), (1, "a/b/c/latest", "a/"), (2, "a/b/c/latest", "a/b/"), (3, "a/b/c/latest", "a/b/c/"),
        (9, "a/b/c/latest", "a/b/c/"), (2, "latest", ""), (2, "a/latest", "a/"), (1, "//latest", "/"),
    ])
    func `or below its first folders`(depth: Int, pointer: String, expected: String) throws {
        #expect(try prefix(ObjectKey(pointer), .depth(depth)) == expected)
    }

    @Test(arguments: [
        ("models/*/v*/", "models/a/v1/x/latest", "models/a/v1/"), ("models/*/v*", "models/a/v1/latest", "models/a/v1/"),
        // Outside of every such folder: its own.
        ("models/*/v*/", "models/a/latest", "models/a/"), ("v*/", "latest", ""),
        // The outermost, which waits for more.
        ("v*/", "v1/vocabulary/latest", "v1/"), ("/v*/", "x/v1/y/latest", "x/v1/y/"), ("**", "x/v1/latest", "x/"),
    ])
    func `or below a folder that a pattern matches`(pattern: String, pointer: String, expected: String) throws {
        #expect(try prefix(ObjectKey(pointer), .matching([ArtifactSets.folderPattern(pattern)])) == expected)
    }

    @Test func `several folder patterns mean the outermost folder of any`() throws {
        let extent = ArtifactSets.Extent.matching(try ["inner/", "outer/"].map { try ArtifactSets.folderPattern($0) })
        #expect(try prefix("outer/inner/latest", extent) == "outer/")
    }

    @Test(arguments: ["", "/"]) func `a folder has a name`(pattern: String) {
        #expect(throws: GlobPattern.SyntaxError.self) { try ArtifactSets.folderPattern(pattern) }
    }

    @Test func `what no pattern matches is no pointer`() throws {
        let sets = ArtifactSets(pointers: try ["**/latest", "*.index.json"].map { try GlobPattern($0) })
        #expect(sets.isPointer("a/x.index.json"))
        for key: ObjectKey in ["a/latest/x", "a/latest2", "x.json"] { #expect(!sets.isPointer(key)) }
    }
}
