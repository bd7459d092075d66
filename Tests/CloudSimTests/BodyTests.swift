import CloudSim
import Testing

@Suite struct BodyTests {
    private func bytes(_ body: Body) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try body.forEachPiece { bytes += Array($0) }
        return bytes
    }

    @Test func slicesOfJoinedBodies() throws {
        var body = Body()
        for length in [3, 0, 5, 1] { body.append(Body(bytes: (0..<UInt8(length)).map { $0 + UInt8(body.count) })) }
        let all = Array(UInt8(0)..<9)
        #expect(try bytes(body) == all)
        for lower in 0...9 {
            for upper in lower...9 {
                #expect(try bytes(body.slice(lower..<upper)) == Array(all[lower..<upper]))
            }
        }
    }

    @Test(arguments: [nil, 10, 100_000, 1_000_000])
    func writersTakeMoreOrLessThanAnnounced(_ announced: Int?) async throws {
        let sim = try await CloudSim.start()
        let data = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let result = try await sim.withStorage(.s3) { storage in
            let writer = try storage.makeWriter(expectedLength: announced, digests: [.crc32, .crc32c, .crc64nvme])
            for start in stride(from: 0, to: data.count, by: 7_777) {
                try data[start..<min(start + 7_777, data.count)].withUnsafeBytes { try writer.receive($0) }
            }
            return try writer.finish()
        }
        #expect(try bytes(result.body) == data)
        var whole = RunningDigests([.crc32, .crc32c, .crc64nvme])
        data.withUnsafeBytes { whole.update($0) }
        #expect(result.digests == whole.finish())
        try await sim.stop()
    }

    @Test func digestsOfTheCheckString() {
        var running = RunningDigests([.crc32, .crc32c, .crc64nvme])
        Array("123456789".utf8).withUnsafeBytes { running.update($0) }
        let digests = running.finish()
        #expect(digests.crc32 == 0xCBF4_3926)
        #expect(digests.crc32c == 0xE306_9283)
        #expect(digests.crc64nvme == 0xAE8B_1486_0A79_9888)
    }
}
