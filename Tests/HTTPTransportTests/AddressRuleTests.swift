import Glibc
import HTTPTransport
import Testing

/// A name that resolves to where nobody expects it must not take a request there.
@Suite struct AddressRuleTests {
    private func reply(_ server: ScriptedServer, host: String, reach: HTTPReach, allowsLoopback: Bool = false) async
        -> Result<
            HTTPResponse, HTTPFailure
        >
    {
        var configuration = CurlConfiguration()
        configuration.loops = 1
        configuration.allowsLoopback = allowsLoopback
        let request = HTTPRequest(.get, "http://\(host):\(server.port)/", reach: reach)
        return await send(request, over: CurlTransport(configuration))
    }

    private func server() throws -> ScriptedServer {
        try ScriptedServer { connection in
            while true {
                _ = try connection.readRequest()
                try connection.reply()
            }
        }
    }

    @Test(arguments: ["127.0.0.1", "localhost", "LOCALHOST"])
    func thisMachineIsReachedWhereTheURLSaysSo(host: String) async throws {
        let server = try server()
        #expect(try await reply(server, host: host, reach: .service).get().status == 200)
    }

    @Test(arguments: ["169.254.169.254", "169.254.170.2", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"])
    func aServiceIsNeverAtALinkLocalAddress(host: String) async throws {
        let server = try server()
        guard case .failure(let failure) = await reply(server, host: host, reach: .service) else {
            Issue.record("\(host) was asked")
            return
        }
        #expect(failure.code == .refusedAddress && !failure.mayHaveBeenProcessed, "\(failure)")
        #expect(failure.message.contains("link-local"))
    }

    /// Loopback in a form that no name stands for: what a hostile name server would answer.
    @Test func anotherFormOfALoopbackAddressIsRefusedUnlessAllowed() async throws {
        let server = try server()
        guard case .failure(let failure) = await reply(server, host: "[::ffff:127.0.0.1]", reach: .service) else {
            Issue.record("it was asked")
            return
        }
        #expect(failure.code == .refusedAddress && failure.message.contains("LOCKSTEP_ALLOW_LOOPBACK"), "\(failure)")
        #expect(
            try await reply(server, host: "[::ffff:127.0.0.1]", reach: .service, allowsLoopback: true).get().status
                == 200)
    }

    /// A connection that was made for a metadata service serves nothing else.
    @Test func aConnectionOfAMetadataServiceIsNotKept() async throws {
        let server = try server()
        let transport = CurlTransport.single()
        for reach in [HTTPReach.metadata, .service, .service, .metadata] {
            let request = HTTPRequest(.get, server.url, reach: reach)
            #expect(try await send(request, over: transport).get().status == 200)
        }
        #expect(transport.statistics.connections == 2)
    }
}
