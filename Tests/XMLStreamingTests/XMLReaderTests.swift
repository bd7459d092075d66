import Testing
import XMLStreaming

struct XMLReaderTests {
    @Test func elementsInOrder() throws {
        let events = try Recorder.events(
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Name>bucket</Name><Empty/>
              <Contents><Key>a</Key><Size>5</Size></Contents>
            </ListBucketResult>
            """)
        #expect(
            events == [
                "0<ListBucketResult", "1<Name", "1>Name bucket", "1<Empty", "1>Empty ", "1<Contents", "2<Key",
                "2>Key a",
                "2<Size", "2>Size 5", "1>Contents ", "0>ListBucketResult ",
            ])
    }

    @Test func textInPieces() throws {
        let events = try Recorder.events("<k>a&amp;b&lt;&#x20;&#xE9;é<![CDATA[<&]]]]><!-- no -->z\r\ny&#13;</k>")
        #expect(events == ["0<k", "0>k a&b< éé<&]]z\ny\r"])
    }

    @Test func spacesBelongToTheText() throws {
        #expect(try Recorder.events("<k> a  b </k>") == ["0<k", "0>k  a  b "])
    }

    @Test func textBesideChildrenIsLeftOut() throws {
        #expect(try Recorder.events("<a>x<b>y</b>z</a>") == ["0<a", "1<b", "1>b y", "0>a "])
    }

    @Test func localNamesAndAttributes() throws {
        let events = try Recorder.events(
            #"<x:a xmlns:x="urn:x" x:type="T" plain="1 &amp; &lt;&#x41;é"><x:b Encoded="true"/></x:a>"#)
        #expect(events == ["0<a type=T plain=1 & <Aé", "1<b Encoded=true", "1>b ", "0>a "])
    }

    @Test func byteOrderMark() throws {
        #expect(try Recorder.events("\u{FEFF}<a>é</a>") == ["0<a", "0>a é"])
    }

    @Test func longText() throws {
        let text = String(repeating: "0123456789&amp;", count: 100_000)
        let events = try Recorder.events("<a>\(text)</a>")
        #expect(events.last == "0>a " + String(repeating: "0123456789&", count: 100_000))
    }

    @Test func comparingAndCounting() throws {
        struct Handler: XMLHandler {
            var seen: [String] = []
            mutating func end(_ name: XMLBytes, depth: Int, text: XMLBytes) {
                switch name {
                case "Key": seen.append("key")
                case "Keys": seen.append("keys")
                default: seen.append("other")
                }
                if let number = text.integer { seen.append("\(number)") }
                if text == "true" { seen.append("yes") }
            }
        }
        var handler = Handler()
        let document = "<r><Key>5</Key><Keys>-07</Keys><Ke>true</Ke><Key>9223372036854775808</Key><K>+1</K></r>"
        try XMLReader.parse(Array(document.utf8), handler: &handler)
        #expect(handler.seen == ["key", "5", "keys", "-7", "other", "yes", "key", "other", "other"])
    }

    @Test(arguments: [
        ("0", 0), ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min), ("", nil), ("-", nil),
        ("1 ", nil), ("0x1", nil), ("92233720368547758070", nil), ("1e3", nil),
    ])
    func integers(text: String, value: Int64?) throws {
        struct Handler: XMLHandler {
            var value: Int64?
            mutating func end(_ name: XMLBytes, depth: Int, text: XMLBytes) { value = text.integer }
        }
        var handler = Handler()
        try XMLReader.parse(Array("<n>\(text)</n>".utf8), handler: &handler)
        #expect(handler.value == value)
    }

    @Test func whatAHandlerThrowsIsRethrown() throws {
        let document = Array("<a><b>1</b><c>2</c></a>".utf8)
        var recorder = Recorder(refusedStart: "c")
        #expect(throws: Recorder.Refusal(name: "c")) { try XMLReader.parse(document, handler: &recorder) }
        #expect(recorder.events == ["0<a", "1<b", "1>b 1", "1<c"])

        recorder = Recorder(refusedEnd: "b")
        #expect(throws: Recorder.Refusal(name: "b")) { try XMLReader.parse(document, handler: &recorder) }
        #expect(recorder.events == ["0<a", "1<b", "1>b 1"])
    }

    @Test func manyAtOnce() async throws {
        let document = "<r>" + (0..<500).map { "<k>\($0)</k>" }.joined() + "</r>"
        let expected = try Recorder.events(document)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask { try (0..<20).allSatisfy { _ in try Recorder.events(document) == expected } }
            }
            for try await same in group { #expect(same) }
        }
    }
}
