import Configuration
import Manifests
import Replication
import ReplicationModel
import Testing

@Suite struct SettingsTests {
    private func problems(_ change: (inout PairSettings) -> Void) -> [String] {
        var settings = PairSettings()
        change(&settings)
        return settings.problems { $0.keyName }.map(\.text)
    }

    @Test func `settings that nobody changed have no problems`() {
        #expect(PairSettings().problems { $0.keyName }.isEmpty)
        #expect(CheckSettings().problems { $0.keyName }.isEmpty)
    }

    @Test func `values out of bounds are named by the name that was written`() {
        #expect(
            problems { $0.limits = LimitSettings(concurrency: 0) } == ["limits.concurrency must be between 1 and 1024"])
        #expect(LimitSettings(concurrency: 1025).problems { _ in "--concurrency" }.count == 1)
        #expect(
            problems { $0.limits = LimitSettings(memory: ByteQuantity("1M")) } == ["limits.memory must be at least 8M"])
        #expect(problems { $0.limits = LimitSettings(rate: ByteQuantity("0")) } == ["limits.rate must be at least 1"])
        #expect(problems { $0.lease = LeaseSettings(length: TimeQuantity("1s")) } == ["lease must be at least 2s"])
    }

    @Test func `a part must fit into the memory, also into the standard one`() {
        #expect(problems { $0.limits = LimitSettings(partSize: ByteQuantity("129M")) }.count == 1)
        #expect(
            problems { $0.limits = LimitSettings(memory: ByteQuantity("1G"), partSize: ByteQuantity("129M")) }.isEmpty)
    }

    @Test func `how far a set extends is said once, and of pointers`() throws {
        let pattern = try GlobPattern("**/latest")
        #expect(problems { $0.pointers = PointerSettings(patterns: [], setDepth: 1) }.count == 1)
        #expect(
            problems { $0.pointers = PointerSettings(patterns: [pattern], setDepth: 1, folders: [pattern]) }.count == 1)
        #expect(problems { $0.pointers = PointerSettings(patterns: [pattern], setDepth: -1) }.count == 1)
    }

    @Test func `what is deleted is kept where no run looks`() {
        #expect(problems { $0.deletion = DeletionSettings(isEnabled: true, backupPrefix: "trash") }.count == 1)
        var settings = PairSettings()
        settings.deletion = DeletionSettings(isEnabled: true, limits: [.percent(5)])
        #expect(
            settings.options(runFolder: "now").deletion
                == .on(
                    limit: .init(count: 10_000, percent: 5, percentFloor: 0),
                    backupPrefix: ObjectKey(".lockstep/deleted/now/")))
    }

    @Test func `a manifest that is not published has neither a place nor a signer`() {
        #expect(problems { $0.manifest = ManifestSettings(isEnabled: false, control: "s3://x") }.count == 1)
    }

    @Test func `a check that may not read cannot ask for read bytes`() {
        var settings = CheckSettings()
        settings.mayRead = false
        settings.sample = PercentQuantity("1%")
        #expect(settings.evidence == .reread)
        #expect(
            settings.problems { $0.keyName }.map(\.text) == [
                "check.evidence 3 reads both sides, check.read: false forbids it: use one of them"
            ])
    }
}
