import GCS
import ReplicationModel
import Testing

/// What a resumable session does next, from what the server says it holds.
@Suite struct GCSResumableProgressTests {
    private let quantum = Int64(GCSResumableProgress.quantum)

    private func range(_ from: Int64, _ to: Int64) -> ByteRange { ByteRange(offset: from, length: to - from) }

    @Test(arguments: [(0, 0), (1, 0), (262_143, 0), (262_144, 0), (262_145, 262_144), (10 << 20, (10 << 20) - 262_144)])
    func theEndIsHeldBack(_ size: Int64, _ reserve: Int64) {
        #expect(GCSResumableProgress(size: size, held: 0).reserve == reserve)
    }

    @Test func aPartIsSentOnceAndItsEndKept() {
        var progress = GCSResumableProgress(size: 10 * quantum + 5, held: 0)
        #expect(progress.next(for: range(0, 8 * quantum)) == .send(range(0, 8 * quantum)))
        #expect(progress.note(held: 8 * quantum, sentTo: 8 * quantum) == nil)
        #expect(progress.next(for: range(0, 8 * quantum)) == .finished)
        #expect(progress.next(for: range(8 * quantum, 10 * quantum + 5)) == .send(range(8 * quantum, 10 * quantum)))
        #expect(progress.note(held: 10 * quantum, sentTo: 10 * quantum) == nil)
        #expect(progress.nextForCompletion() == .send(range(10 * quantum, 10 * quantum + 5)))
    }

    @Test func fewerBytesThanSentAreSentAgain() {
        var progress = GCSResumableProgress(size: 100 * quantum, held: 0)
        let part = range(0, 20 * quantum)
        #expect(progress.note(held: 3 * quantum, sentTo: 20 * quantum) == nil)
        #expect(progress.next(for: part) == .send(range(3 * quantum, 20 * quantum)))
    }

    @Test func unknownProgressIsAskedFor() {
        var progress = GCSResumableProgress(size: 100 * quantum, held: nil)
        #expect(progress.next(for: range(20 * quantum, 40 * quantum)) == .ask)
        #expect(progress.nextForCompletion() == .ask)
        #expect(progress.note(held: 30 * quantum, sentTo: nil) == nil)
        #expect(progress.next(for: range(20 * quantum, 40 * quantum)) == .send(range(30 * quantum, 40 * quantum)))
        #expect(progress.next(for: range(0, 20 * quantum)) == .finished)
    }

    @Test func lostPartsEndTheSession() {
        let progress = GCSResumableProgress(size: 100 * quantum, held: 10 * quantum)
        #expect(progress.next(for: range(20 * quantum, 40 * quantum)) == .failed(.lostParts))
        #expect(progress.nextForCompletion() == .failed(.lostParts))
    }

    @Test func moreBytesThanSentEndTheSession() {
        var progress = GCSResumableProgress(size: 100 * quantum, held: 0)
        #expect(progress.note(held: 21 * quantum, sentTo: 20 * quantum) == .corrupt)
        #expect(progress.note(held: 101 * quantum, sentTo: nil) == .corrupt)
    }

    @Test func aServerThatTakesNothingIsGivenUp() {
        var progress = GCSResumableProgress(size: 100 * quantum, held: 0)
        for _ in 0..<3 {
            #expect(progress.next(for: range(0, quantum)) == .send(range(0, quantum)))
            #expect(progress.note(held: 0, sentTo: quantum) == nil)
        }
        #expect(progress.next(for: range(0, quantum)) == .failed(.standstill))
    }

    @Test func completingAlwaysSends() {
        #expect(GCSResumableProgress(size: 0, held: 0).nextForCompletion() == .send(range(0, 0)))
        #expect(
            GCSResumableProgress(size: quantum, held: quantum).nextForCompletion() == .send(range(quantum, quantum)))
    }

    @Test func theRangeHeaderCountsBytes() {
        #expect(GCSResumableProgress.held(rangeHeader: nil) == 0)
        #expect(GCSResumableProgress.held(rangeHeader: "bytes=0-262143") == 262_144)
        #expect(GCSResumableProgress.held(rangeHeader: "0-0") == 1)
        for text in ["bytes=1-2", "bytes=0-x", "bytes=0--1", "nonsense"] {
            #expect(GCSResumableProgress.held(rangeHeader: text) == nil)
        }
    }
}
