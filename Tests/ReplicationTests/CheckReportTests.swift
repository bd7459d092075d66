import Buffers
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import Testing

@Suite(.timeLimit(.minutes(10))) struct CheckReportTests {
    @Test func `a sample is a share of the keys, the same for the same seed`() async throws {
        let sample = CheckSample(percent: 10, seed: 7)
        let keys = (0..<10_000).map { ObjectKey("folder/\($0)") }
        let chosen = keys.filter(sample.includes)
        #expect((800...1200).contains(chosen.count))
        #expect(chosen == keys.filter(CheckSample(percent: 10, seed: 7).includes))
        #expect(chosen != keys.filter(CheckSample(percent: 10, seed: 8).includes))
        #expect(keys.allSatisfy(CheckSample(percent: 100, seed: 1).includes))
    }

    @Test func `the bound of a sample is the exact one`() {
        var result = SampleResult(seed: 1)
        result.population = 1_000_000_000
        result.checked = 299
        // 1 - 0.05^(1/299)
        #expect(abs(result.upperBound! - 0.009969) < 0.00001)
        result.population = 10
        result.checked = 5
        // C(7,5)/C(10,5) = 1/12, C(6,5)/C(10,5) = 1/42 <= 0.05
        #expect(result.upperBound == 0.4)
        result.checked = 10
        #expect(result.upperBound == 0)
        result.differing = 1
        #expect(result.upperBound == nil)
    }

    @Test func `a sample proves all only with the ledger's help`() async throws {
        let pair = try EngineFixture()
        for index in 0..<200 { try await pair.put(ObjectKey("k\(index)"), [UInt8(index)]) }
        try await pair.run()
        let sample = CheckSample(percent: 20, seed: 3)
        let check = try await pair.check(.reread) { $0.sample = sample }
        let chosen = (0..<200).filter { sample.includes(ObjectKey("k\($0)")) }.count
        #expect(check.verdict == .inSync)
        #expect(check.summary.sample?.checked == chosen && check.summary.sample?.population == 200)
        #expect(check.summary.counts.same[.recorded]?.objects == 200 - chosen)
        #expect(check.requests(.read) == 2 * chosen)
        let blind = try await pair.check(.reread, ledger: false) { $0.sample = sample }
        #expect(blind.verdict == .unproven)
        #expect(blind.summary.counts.unproven[.unsampled]?.objects == 200 - chosen)
        _ = await pair.target.delete([DeleteRequest(key: "k9", version: nil)])
        #expect(try await pair.check(.reread, ledger: false) { $0.sample = sample }.verdicts["k9"] == .onlyInSource)
    }

    @Test func `sets are complete when all their objects are`() async throws {
        let pair = try EngineFixture()
        for key in ["a/1/x", "a/1/y", "a/2/x", "b/1/x", "b/1/y/z", "loose", "a/loose"] {
            try await pair.put(ObjectKey(key), [1])
        }
        try await pair.run()
        try await pair.put("b/1/y/z", [2, 2])
        let check = try await pair.check { $0.sets = .depth(2) }
        let sets = try #require(check.summary.sets)
        #expect(sets.complete == 2 && sets.incomplete == 1)
        #expect(sets.firstIncomplete.map(\.name) == ["b/1/"])
        #expect(sets.firstIncomplete.first?.problems == 1 && sets.firstIncomplete.first?.objects.objects == 2)
        let pattern = try GlobPattern("/b")
        let named = try #require(try await pair.check { $0.sets = .folders(pattern) }.summary.sets)
        #expect(named.complete == 0 && named.firstIncomplete.map(\.name) == ["b/"])
        #expect(check.summary.recovery.waiting.objects == 1)
        #expect(check.summary.recovery.oldest == (try await pair.source.head("b/1/y/z").object.modified))
    }

    @Test func `findings come in key order however long each look takes`() async throws {
        let pair = try EngineFixture()
        for index in 0..<300 {
            try await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(index % 7 == 0 ? 100_000 : 10, seed: 3))
        }
        try await pair.run()
        for index in stride(from: 0, to: 300, by: 5) {
            try await pair.put(ObjectKey("k\(index)"), [1], in: pair.target)
        }
        let check = try await pair.check(.reread)
        #expect(check.findings.count == 300)
        #expect(check.findings.map(\.key) == check.findings.map(\.key).sorted())
        #expect(check.summary.counts.differences == 60)
        #expect(check.summary.peakBuffers <= 8 << 20)
    }

    @Test(
        arguments: [
            [0x61], [0x0A], [0x61, 0x0D, 0x0A, 0x62], [0x5C], [0x5C, 0x78, 0x30, 0x61], [0xFF, 0xFE], [0xC3, 0x28],
            [0xE2, 0x80],
            Array("ключ/\u{202E}x\u{2028}".utf8), [0x20, 0x61, 0x20], [0x00], Array(repeating: 0x5C, count: 7),
        ] as [[UInt8]])
    func `every key comes back from its line`(bytes: [UInt8]) throws {
        for mark in CombinedLine.Mark.allCases {
            let line = CombinedLine(mark, ObjectKey(bytes))
            #expect(!line.text.utf8.contains { $0 < 0x20 || $0 == 0x7F })
            #expect(try CombinedLine(parsing: line.text.utf8) == line)
        }
    }

    @Test(arguments: ["", "=", "= ", "a key", "=key", "* a\\", "* a\\n", "* a\\x1", "* a\\xzz", "* a\\x+f"])
    func `what is no line is refused`(text: String) {
        #expect(throws: CombinedLine.SyntaxError.self) { try CombinedLine(parsing: text.utf8) }
    }
}
