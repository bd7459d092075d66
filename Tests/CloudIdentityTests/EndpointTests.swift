import HTTPStores
import Testing

@Suite struct EndpointTests {
    @Test(arguments: ["127.0.0.1", "127.1.2.3", "localhost", "a.localhost", "[::1]"])
    func thisMachine(_ host: String) {
        #expect(Endpoint("http://\(host):9000")?.isLoopback == true)
    }

    /// Names that anybody can register, and that resolve to wherever they like.
    @Test(arguments: [
        "127.0.0.1.example.com", "127.example.com", "localhost.example.com", "notlocalhost", "[::2]", "128.0.0.1",
        "10.0.0.1",
    ])
    func othersThatLookLikeIt(_ host: String) {
        #expect(Endpoint("http://\(host)/token")?.isLoopback == false)
    }

    @Test func addressesThatNoPacketFromOutsideReaches() {
        for host in ["169.254.169.254", "172.16.3.1", "172.31.0.1", "10.1.1.1", "192.168.1.1"] {
            #expect(Endpoint("http://\(host)")?.isLocalAddress == true, "\(host)")
        }
        for host in ["169.254.169.254.example.com", "172.32.0.1", "8.8.8.8", "169.253.1.1"] {
            #expect(Endpoint("http://\(host)")?.isLocalAddress == false, "\(host)")
        }
    }
}
