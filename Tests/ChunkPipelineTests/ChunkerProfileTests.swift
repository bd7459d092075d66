import ChunkPipeline
import Testing

@Suite struct ChunkerProfileTests {
    @Test func namesItsLargestChunk() {
        #expect(ChunkerProfile.standard.largest == 1 << 20)
        #expect(ChunkerProfile.fixed(size: 4096).largest == 4096)
    }
}
