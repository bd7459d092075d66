import Testing
import XMLStreaming

struct XMLWriterTests {
    @Test func document() {
        var writer = XMLWriter()
        writer.element("Delete", attributes: ["xmlns": "http://s3.amazonaws.com/doc/2006-03-01/"]) { writer in
            writer.element("Quiet", text: "true")
            writer.element("Size", number: 5)
            writer.element("Empty") { _ in }
        }
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == #"<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">"#
                + "<Quiet>true</Quiet><Size>5</Size><Empty></Empty></Delete>")
    }

    @Test func escaping() {
        #expect(xmlEscape("a<b>&\"c'é") == "a&lt;b&gt;&amp;&quot;c'é")
        #expect(xmlEscape("\u{1}\t\n\r\u{7F}") == "&#x1;&#x9;&#xA;&#xD;&#x7F;")
        #expect(xmlEscape("]]>") == "]]&gt;")
    }

    /// Every text that XML can hold comes back as it was, from elements and from attributes.
    @Test func thereAndBack() throws {
        for text in [
            "", " ", " a ", "\t\n\r\r\n", "<&>\"'", "]]>", "<!--", "é🙂\u{FFFD}", "&amp;", "%00", "\u{7F}\u{85}",
        ] {
            var writer = XMLWriter(declaration: false)
            writer.element("k", attributes: ["a": text], text: text)
            let element = try XMLElement.parse(writer.bytes)
            #expect(element.text == text)
            #expect(element.attributes["a"] == text)
        }
    }

    @Test func bytesOfAKey() throws {
        var writer = XMLWriter(declaration: false)
        writer.start("Key")
        writer.text(utf8: Array("a&é".utf8))
        writer.end("Key")
        #expect(try XMLElement.parse(writer.bytes).text == "a&é")
    }

    @Test func names() {
        for name in ["a", "_a", "x:a", "a-b.c1", "é"] { #expect(isXMLName(name)) }
        for name in ["", "1a", "a b", "a>", "-a", "a\"", "a&", "a="] { #expect(!isXMLName(name)) }
    }
}
