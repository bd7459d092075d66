import Testing
import Vault

@Suite struct VaultNameTests {
    @Test func readsWhatItWrites() {
        let session = SessionName(base: 7, random: [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(session.text == "0000000000000007-0102030405060708")
        #expect(session.base == 7)
        let name = VaultName.pack(session, Array(0..<16))
        #expect(VaultName.parts(of: name, prefix: VaultName.packPrefix)?.session == session)
        #expect(VaultName.parts(of: name, prefix: VaultName.indexPrefix) == nil)
        #expect(VaultName.sequence(of: VaultName.root(42), prefix: VaultName.rootPrefix) == 42)
        #expect(VaultName.sequence(of: "root/42", prefix: VaultName.rootPrefix) == nil)
        #expect(SessionName("0000000000000007-010203040506070G") == nil)
    }
}
