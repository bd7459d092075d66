import AzureBlob
import HTTPStores
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

@Suite struct AzureBlobRulesTests {
    let rules = AzureBlobStore(
        configuration: AzureBlobConfiguration(account: "acct"), account: "acct", container: "c",
        transport: ScriptedTransport(.init(500)), credentials: nil
    ).rules

    @Test(arguments: [
        "a", "a/b", "/a", "a/", "a//b", "//", ".hidden", "a.b/c.d", ".lockstep/probe/x", "a b+c%d#e?f", "ü/日本/🙂",
        "~!@$&'()*,;=:[]{}|^`<>\"",
        "\u{FFFE}",
    ])
    func legalKeys(_ key: String) {
        #expect(rules.problem(with: ObjectKey(key)) == nil)
    }

    @Test(arguments: [
        "", ".", "..", "./a", "a/../b", "a/.", "a.", "a./b", "a...", "a\\b", "a\nb", "\u{0}", "a\u{7F}", "a\u{81}",
        "a\u{9F}b",
    ])
    func keysThatTheServiceChangesOrRefuses(_ key: String) {
        #expect(rules.problem(with: ObjectKey(key)) != nil)
    }

    @Test func limitsOfKeys() {
        #expect(rules.problem(with: ObjectKey(String(repeating: "x", count: 1024))) == nil)
        #expect(rules.problem(with: ObjectKey(String(repeating: "x", count: 1025)))?.contains("1024") == true)
        // Characters count, not bytes.
        #expect(rules.problem(with: ObjectKey(String(repeating: "ü", count: 1024))) == nil)
        #expect(rules.problem(with: ObjectKey(String(repeating: "🙂", count: 513))) != nil)
        #expect(rules.problem(with: ObjectKey(String(repeating: "a/", count: 253) + "a")) == nil)
        #expect(rules.problem(with: ObjectKey(String(repeating: "a/", count: 254) + "a")) != nil)
        #expect(rules.problem(with: ObjectKey([0x61, 0xFF])) != nil)
    }

    @Test(arguments: [
        ("plain_name1", "plain_name1"), ("Mixed-Case", "mixed_x2d_case"), ("a.b", "a_x2e_b"), ("1st", "_x31_st"),
        ("é", "_xc3__xa9_"),
        ("_x2d_", "_x5f_x2d_"), ("_x2d", "_x5f_x2d"), ("_x2d-", "_x5f_x2d_x2d_"), ("_x2", "_x2"), ("_xzz_", "_xzz_"),
        ("__x41_", "__x5f_x41_"),
        ("É", "_xc3__x89_"), ("a b", "a_x20_b"), ("_x5f_", "_x5f_x5f_"), ("lockstep_source", "lockstep_source"),
    ])
    func metadataNames(_ name: String, _ sent: String) {
        #expect(AzureMetadataNames.encode(name) == sent)
        #expect(AzureMetadataNames.decode(sent) == name.map { $0.isASCII ? $0.lowercased() : String($0) }.joined())
    }

    @Test(arguments: ["_x61_", "_x41_", "a_x2D_b", "_xff_", "_x5f_", "a_x31_", "x2d_", "_x2d"])
    func namesThatTheTableNeverMakesAreReadAsTheyStand(_ name: String) {
        #expect(AzureMetadataNames.decode(name) == name)
    }

    @Test func everyNameOfThreeHostileCharactersComesBack() {
        let alphabet = Array("_x2d-a")
        var seen: [String: String] = [:]
        func visit(_ name: String) {
            if !name.isEmpty {
                let sent = AzureMetadataNames.encode(name)
                #expect(AzureMetadataNames.decode(sent) == name)
                #expect(seen.updateValue(name, forKey: sent) == nil)
            }
            if name.count < 6 { for letter in alphabet { visit(name + String(letter)) } }
        }
        visit("")
    }

    @Test(arguments: ["", " ", "a ", "ü", "a\nb", "=?UTF-8?B?w7w=?=", "=?UTF-8?B?", "=?UTF-8?B??=", "\u{0}", "🙂"])
    func metadataValuesThatAreEncoded(_ value: String) {
        let sent = AzureMetadataNames.encodeValue(value)
        #expect(sent == value || sent.hasPrefix("=?UTF-8?B?"))
        #expect(sent.utf8.allSatisfy { (0x21...0x7E).contains($0) } && !sent.isEmpty)
        #expect(AzureMetadataNames.decodeValue(sent) == value)
    }

    @Test(arguments: ["plain", "a b", "100%25", "=?UTF-8?Q?x?=", "=?UTF-8?B?!!!?=", "\"x\""])
    func metadataValuesThatTravelAsTheyAre(_ value: String) {
        #expect(AzureMetadataNames.decodeValue(value) == value)
        #expect(AzureMetadataNames.decodeValue(AzureMetadataNames.encodeValue(value)) == value)
    }

    @Test func fitKeepsWhatComesBack() {
        let (kept, dropped) = rules.fit(
            ObjectAttributes(
                contentType: "text/plain", contentEncoding: "", contentLanguage: "de",
                contentDisposition: "attachment; filename=ü",
                cacheControl: "a\r\nx-evil: 1", userMetadata: ["Key": "1", "key": "2", "a-b": "ü", "": "x"]))
        #expect(kept.contentType == "text/plain")
        #expect(kept.contentEncoding == nil)
        #expect(kept.contentLanguage == "de")
        #expect(kept.contentDisposition == nil)
        #expect(kept.cacheControl == nil)
        #expect(kept.userMetadata == ["key": "1", "a-b": "ü"])
        #expect(Set(dropped) == ["Content-Disposition", "Cache-Control", "key", ""])
    }

    @Test func fitReportsWhatIsTooMuch() {
        let (kept, dropped) = rules.fit(
            ObjectAttributes(userMetadata: [
                "a": String(repeating: "x", count: 8000), "b": String(repeating: "y", count: 300), "c": "z",
            ]))
        #expect(Set(kept.userMetadata.keys) == ["a", "c"])
        #expect(dropped == ["b"])
    }
}
