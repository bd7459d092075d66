import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let attributeChecks: [ConformanceCheck] =
        [
            ConformanceCheck("every attribute comes back as it was written", needs: [.attributes]) { context in
                try await context.expectKept(TestAttributes.full, "full")
            },
            ConformanceCheck("an object without attributes has no user metadata") { context in
                try await context.put(TestContent(10, seed: 60), at: context.key("object"))
                let head = try await context.store.head(context.key("object"))
                try context.expect(
                    head.attributes.userMetadata.isEmpty, "no user metadata", "\(head.attributes.userMetadata)")
            },
            ConformanceCheck("a replacement brings its own attributes and none of those before", needs: [.attributes]) {
                context in
                let key = context.key("object")
                try await context.put(
                    TestContent(10, seed: 61), at: key, attributes: context.fitting(TestAttributes.full))
                let other = context.fitting(ObjectAttributes(contentType: "text/plain", userMetadata: ["other": "1"]))
                try await context.put(TestContent(10, seed: 62), at: key, attributes: other)
                try await context.expectObject(key, holds: TestContent(10, seed: 62), attributes: other)
            },
            ConformanceCheck("a body that claims to be gzip is never decoded", needs: [.attributes]) { context in
                let attributes = context.fitting(ObjectAttributes(contentType: "text/plain", contentEncoding: "gzip"))
                // A whole gzip member of ten bytes, and bytes that only claim to be one.
                for (name, content) in [
                    ("real", TestContent(TestAttributes.gzipped)), ("claimed", TestContent(5000, seed: 63)),
                ] {
                    try await context.put(content, at: context.key(name), attributes: attributes)
                    try await context.expectObject(context.key(name), holds: content, attributes: attributes)
                }
            },
            ConformanceCheck("an upload in parts brings its attributes", needs: [.attributes, .multipart]) { context in
                let attributes = context.fitting(TestAttributes.full)
                let content = TestContent(context.partSize + 99, seed: 64)
                try await context.upload(content, at: context.key("object"), attributes: attributes)
                try await context.expectObject(context.key("object"), holds: content, attributes: attributes)
            },
        ]
        + TestAttributes.odd.map { name, attributes in
            ConformanceCheck("odd attributes come back or are named as dropped: \(name)", needs: [.attributes]) {
                context in
                try await context.expectKept(attributes, name)
            }
        }
}

/// Attributes as people and tools write them, and as nobody should.
enum TestAttributes {
    static let full = ObjectAttributes(
        contentType: "application/x-lockstep; charset=utf-8", contentEncoding: "br", contentLanguage: "de-DE",
        contentDisposition: "attachment; filename=\"a b.bin\"", cacheControl: "no-cache, max-age=60",
        userMetadata: [
            "plain": "value", "lockstep-source": "0123456789abcdef", "two": "with blanks, commas; and \"quotes\"",
        ])

    static let odd: [(String, ObjectAttributes)] = [
        ("content type not a type", ObjectAttributes(contentType: "nonsense")),
        ("empty header", ObjectAttributes(contentType: "text/plain", cacheControl: "")),
        ("header with a line break", ObjectAttributes(contentDisposition: "inline\r\nX-Injected: 1")),
        ("header beyond ASCII", ObjectAttributes(contentDisposition: "attachment; filename=\"grün.bin\"")),
        ("value beyond ASCII", metadata("name", "grün ☃ 😀")),
        ("value that looks encoded", metadata("name", "=?UTF-8?B?Z3LDvG4=?=")),
        ("value with blanks at both ends", metadata("name", "  two blanks  ")),
        ("value with a control character", metadata("name", "a\u{1}b\u{7F}c")),
        ("value with a line break", metadata("name", "a\r\nb")),
        ("value with a percent sign", metadata("name", "100%25")),
        ("empty value", metadata("name", "")),
        ("empty name", metadata("", "value")),
        ("name in capitals", metadata("CamelCase", "value")),
        ("names that differ in case", ObjectAttributes(userMetadata: ["name": "1", "NAME": "2"])),
        ("name with hyphen, underscore, digit", ObjectAttributes(userMetadata: ["a-b": "1", "a_b": "2", "1c": "3"])),
        ("name with blank and colon", metadata("a b: c", "value")),
        ("name beyond ASCII", metadata("größe", "1")),
        ("value of 1,500 bytes", metadata("long", String(repeating: "x", count: 1500))),
        ("value of 100,000 bytes", metadata("long", String(repeating: "x", count: 100_000))),
        (
            "hundred names",
            ObjectAttributes(
                userMetadata: Dictionary(uniqueKeysWithValues: (0..<100).map { ("n\($0)", "value \($0)") }))
        ),
    ]

    private static func metadata(_ name: String, _ value: String) -> ObjectAttributes {
        ObjectAttributes(contentType: "application/octet-stream", userMetadata: [name: value])
    }

    /// gzip of "lockstep\n", made by gzip 1.12 with -n.
    static let gzipped: [UInt8] = [
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xcb, 0xc9, 0x4f, 0xce, 0x2e, 0x2e,
        0x49, 0x2d, 0xe0, 0x02, 0x00, 0x1f, 0x49, 0x21, 0x56, 0x09, 0x00, 0x00, 0x00,
    ]
}

extension ConformanceContext {
    /// The attributes as the store can hold them.
    fileprivate func fitting(_ attributes: ObjectAttributes) -> ObjectAttributes { store.rules.fit(attributes).kept }

    /// What `fit` keeps comes back unchanged, and what it does not keep it names.
    fileprivate func expectKept(_ attributes: ObjectAttributes, _ name: String) async throws {
        let (kept, dropped) = store.rules.fit(attributes)
        let again = store.rules.fit(kept)
        try expect(again.kept == kept && again.dropped.isEmpty, "that what fits once fits again", "\(again)")
        for lost in attributes.userMetadata.keys {
            let found =
                kept.userMetadata[lost] == attributes.userMetadata[lost]
                || kept.userMetadata[lost.lowercased()] == attributes.userMetadata[lost]
            try expect(found || dropped.contains(lost), "that the dropped metadata “\(lost)” is named", "\(dropped)")
        }
        let headers = [
            \ObjectAttributes.contentType, \.contentEncoding, \.contentLanguage, \.contentDisposition, \.cacheControl,
        ]
        let lost = headers.count { attributes[keyPath: $0] ?? "" != kept[keyPath: $0] ?? "" }
        let droppedHeaders = dropped.count { attributes.userMetadata[$0] == nil }
        try expect(lost <= droppedHeaders, "names for \(lost) dropped headers", "\(dropped)")
        let content = TestContent(100, seed: 65)
        try await put(content, at: key("object"), attributes: kept)
        let found = try await expectObject(key("object"), holds: content).attributes
        // A store may add a type of its own to an object that came without one.
        var expected = kept
        if expected.contentType == nil { expected.contentType = found.contentType }
        try expectEqual(found, expected, "the attributes “\(name)” that the store says it keeps")
    }
}
