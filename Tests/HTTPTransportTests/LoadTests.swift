import Buffers
import Digests
import HTTPTransport
import Testing

/// Many requests at once.
@Suite struct LoadTests {
    @Test func twoThousandSmallRequests() async throws {
        let server = try ScriptedServer { connection in
            while true {
                let request = try connection.readRequest()
                // Back comes what the path asks for, or the body.
                let path = request.head.split(separator: " ")[1].dropFirst()
                try connection.reply(request.head.hasPrefix("GET") ? pattern(3000, seed: UInt64(path)!) : request.body)
            }
        }
        let transport = CurlTransport()
        let pool = BufferPool(limit: 16 << 20)
        let url = server.url
        @Sendable func exchange(_ index: Int) async throws {
            let expected = pattern(3000, seed: UInt64(index))
            if index.isMultiple(of: 2) {
                let buffer = try await pool.acquire(3000)
                let response = try await send(
                    HTTPRequest(.get, "\(url)/\(index)"), into: .buffer(buffer, limit: 3000), over: transport
                ).get()
                #expect(response.digest == expected.withUnsafeBytes { ContentDigest(of: $0) })
            } else {
                let slice = try await pooled(expected, in: pool)
                let body = HTTPBody.slice(slice)
                let response = try await send(HTTPRequest(.put, "\(url)/\(index)", body: body), over: transport).get()
                #expect(response.body == expected)
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<2000 {
                if index >= 64 { try await group.next() }
                group.addTask { try await exchange(index) }
            }
            try await group.waitForAll()
        }
        #expect(transport.statistics.requests == 2000)
        #expect(transport.statistics.connections <= 128)
        #expect(transport.statistics.bytesReceived == 6_000_000)
        #expect(transport.statistics.bytesSent == 3_000_000)
        #expect(pool.inUse == 0)
    }
}
