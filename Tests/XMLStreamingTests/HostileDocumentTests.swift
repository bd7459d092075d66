import Testing
import XMLStreaming

/// Documents that nobody should send: refused by name, at once, without reading anything else.
struct HostileDocumentTests {
    private func code(_ document: [UInt8], limits: XMLLimits = .default) throws -> XMLError.Code {
        var recorder = Recorder()
        return try #require(throws: XMLError.self) {
            try XMLReader.parse(document, limits: limits, handler: &recorder)
        }.code
    }

    @Test(arguments: [
        "", " ", "<", "<a", "<a>", "<a></b>", "<a/><b/>", "<a/>x", "x<a/>", "<a>&undefined;</a>", "<a>&#x1;</a>",
        "<a>&#xD800;</a>", "<a b=1/>", "<a b='1' b='2'/>", "<a><![CDATA[</a>", "{\"error\": 404}",
        "<a>\u{1}</a>", "<html><br></html>", "<a b='&undefined;'/>", "<x:a>", "<a>]]></a>",
    ])
    func malformed(_ document: String) throws {
        #expect(try code(Array(document.utf8)) == .malformed)
    }

    /// A truncated answer must not pass for a short one.
    @Test func everyTruncation() throws {
        let document = Array("<?xml version=\"1.0\"?>\n<r a=\"b\"><k>é&amp;</k><!-- c --><k/></r>".utf8)
        for length in 0..<document.count {
            #expect(try code(Array(document[..<length])) == .malformed)
        }
    }

    @Test(arguments: [
        [0x3C, 0x61, 0x3E, 0xFF, 0x3C, 0x2F, 0x61, 0x3E], [0x3C, 0x61, 0x3E, 0xC3, 0x3C, 0x2F, 0x61, 0x3E],
        [0x3C, 0x61, 0x3E, 0xED, 0xA0, 0x80, 0x3C, 0x2F, 0x61, 0x3E], [0x3C, 0x61, 0x3E, 0x00, 0x3C, 0x2F, 0x61, 0x3E],
        [0, 0, 0, 0], [0xFF, 0xFE],
    ])
    func invalidUTF8(_ document: [UInt8]) throws {
        #expect(try code(document) == .malformed)
    }

    @Test func growingEntities() throws {
        var document = "<!DOCTYPE lolz [<!ENTITY lol0 \"lol\">"
        for level in 1..<10 {
            let references = String(repeating: "&lol\(level - 1);", count: 10)
            document += "<!ENTITY lol\(level) \"\(references)\">"
        }
        document += "]><lolz>&lol9;</lolz>"
        #expect(try code(Array(document.utf8)) == .documentTypeRefused)
    }

    @Test(arguments: [
        "<!DOCTYPE a SYSTEM \"http://127.0.0.1:1/x.dtd\"><a/>",
        "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a>&e;</a>",
        "<!DOCTYPE a [<!ENTITY % p SYSTEM \"file:///etc/passwd\"> %p;]><a/>",
        "<!DOCTYPE a><a/>",
    ])
    func documentTypes(_ document: String) throws {
        #expect(try code(Array(document.utf8)) == .documentTypeRefused)
    }

    @Test func limits() throws {
        let limits = XMLLimits(bytes: 1000, depth: 3, elements: 5)
        #expect(try code([UInt8](repeating: 0x20, count: 1001), limits: limits) == .tooLong)
        #expect(try code(Array("<a><b><c><d/></c></b></a>".utf8), limits: limits) == .tooDeep)
        #expect(try code(Array("<a><b/><b/><b/><b/><b/></a>".utf8), limits: limits) == .tooManyElements)
        #expect(try Recorder.events("<a><b><c/></b><b/><b/></a>", limits: limits).count == 10)
    }

    @Test func deepNestingWithGreatLimits() throws {
        let limits = XMLLimits(bytes: 10 << 20, depth: 1_000_000, elements: 1_000_000)
        let document = String(repeating: "<a>", count: 500_000)
        #expect(try code(Array(document.utf8), limits: limits) == .malformed)
    }

    @Test func describedInOneBoundedLine() throws {
        let name = String(repeating: "x", count: 10_000)
        var recorder = Recorder()
        let error = try #require(throws: XMLError.self) {
            try XMLReader.parse(Array("<a>\n\n<\(name)></a>".utf8), handler: &recorder)
        }
        #expect(error.line == 3)
        #expect(error.description.utf8.count < 300)
        #expect(!error.description.contains("\n"))
    }

    /// Whatever is damaged: an answer or an error, never a crash.
    @Test(arguments: [UInt64(1), 2, 3])
    func damagedDocuments(seed: UInt64) {
        var state = seed
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let document = Array(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><r xmlns=\"u\" a=\"&amp;\"><k>é&#65;<![CDATA[x]]></k><!--c--></r>"
                .utf8)
        var outcomes = 0
        for _ in 0..<3_000 {
            var damaged = document
            for _ in 0...random(3) {
                let index = random(damaged.count)
                switch random(3) {
                case 0: damaged[index] = UInt8(random(256))
                case 1: damaged.remove(at: index)
                default: damaged.insert(contentsOf: damaged[index..<min(index + random(20), damaged.count)], at: index)
                }
            }
            var recorder = Recorder()
            do {
                try XMLReader.parse(damaged, handler: &recorder)
                outcomes += 1
            } catch {
                outcomes += error is XMLError ? 1 : 0
            }
        }
        #expect(outcomes == 3_000)
    }
}
