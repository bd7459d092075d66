import Testing
import XMLStreaming

struct XMLElementTests {
    @Test func errorDocument() throws {
        let root = try XMLElement.parse(
            Array(
                """
                <?xml version="1.0"?>
                <ErrorResponse><Error><Code>NoSuchKey</Code><Message>It is &lt;gone&gt;</Message></Error>
                <RequestId a="1">7</RequestId></ErrorResponse>
                """.utf8))
        #expect(root.name == "ErrorResponse")
        #expect(root.first("Code")?.text == "NoSuchKey")
        #expect(root.first("Message")?.text == "It is <gone>")
        #expect(root.child("Code") == nil)
        #expect(root.child("RequestId")?.attributes == ["a": "1"])
        #expect(root.first("Resource") == nil)
        #expect(root.text == "")
    }

    @Test func repeatedChildren() throws {
        let root = try XMLElement.parse(Array("<r><p>1</p><q/><p>2</p></r>".utf8))
        #expect(root.children("p").map(\.text) == ["1", "2"])
        #expect(root.children.map(\.name) == ["p", "q", "p"])
        #expect(root.first("p")?.text == "1")
    }

    @Test func notXML() {
        #expect(throws: XMLError.self) { try XMLElement.parse(Array("Service Unavailable".utf8)) }
        #expect(throws: XMLError.self) { try XMLElement.parse([]) }
    }
}
