import Foundation
import Manifests
import ObjectStores
import ReplicationModel
import SQLiteManifests
import Synchronization
import Testing

@Suite struct LeaseTests {
    private let files: LedgerFixture
    private let time = SettableTime()
    private let stranger = LeaseHolder(machine: "elsewhere", process: 1, started: 1)

    init() throws {
        files = try LedgerFixture()
    }

    private func request(_ holder: LeaseHolder, seconds: Int64 = 60, hasEnded: Bool = false) -> LeaseRequest {
        LeaseRequest(
            holder: holder, now: time.nowSeconds(), until: time.nowSeconds() + seconds, hasEnded: { _ in hasEnded })
    }

    @Test func `one holder at a time, until it gives the pair back`() async throws {
        let (first, second) = (try files.open(), try files.open())
        #expect(try await first.takeLease(request(.current())) == .taken(epoch: 1))
        #expect(
            try await second.takeLease(request(stranger))
                == .held(by: .current(), until: time.nowSeconds() + 60))
        try await first.releaseLease()
        #expect(try await second.takeLease(request(stranger)) == .taken(epoch: 2))
    }

    @Test func `a lease that is not renewed is another's, and the first can change nothing any more`() async throws {
        let (paused, second) = (try files.open(), try files.open())
        let row = LedgerFixture.row("k")
        _ = try await paused.takeLease(request(stranger))
        time.advance(61)
        #expect(try await second.takeLease(request(.current())) == .taken(epoch: 2))
        try await second.apply([.record(row)])

        let changes: [() async throws -> Void] = [
            { try await paused.apply([.forget("k")]) },
            { try await paused.setNote("a", "b") },
            { try await paused.clearDeleteCandidates() },
            { try await paused.addDeleteCandidates([]) },
            { try await paused.renewLease(until: .max) },
            { try await paused.releaseLease() },
        ]
        for change in changes {
            await #expect { try await change() } throws: { ($0 as? LedgerError)?.code == .fenced }
        }
        #expect(try await second.row(for: "k") == row)
        #expect(try await second.takeLease(request(stranger)) == .held(by: .current(), until: time.nowSeconds() + 60))
    }

    @Test func `a renewed lease holds`() async throws {
        let (first, second) = (try files.open(), try files.open())
        _ = try await first.takeLease(request(stranger))
        time.advance(50)
        try await first.renewLease(until: time.nowSeconds() + 60)
        time.advance(50)
        #expect(try await second.takeLease(request(.current())) == .held(by: stranger, until: time.nowSeconds() + 10))
    }

    @Test func `a holder that is known to have ended need not be waited for`() async throws {
        let (first, second) = (try files.open(), try files.open())
        _ = try await first.takeLease(request(stranger))
        #expect(try await second.takeLease(request(.current(), hasEnded: true)) == .taken(epoch: 2))
    }

    @Test func `processes are told apart`() async throws {
        let this = LeaseHolder.current()
        #expect(!this.hasEnded)
        #expect(!stranger.hasEnded)
        var earlier = this
        earlier.started -= 1
        #expect(earlier.hasEnded)
        let child = Process()
        child.executableURL = URL(fileURLWithPath: "/bin/true")
        try child.run()
        child.waitUntilExit()
        #expect(
            LeaseHolder(machine: this.machine, process: child.processIdentifier, started: this.started).hasEnded)
    }

    @Test func `waiting ends when the lease does, or when the waiter is cancelled`() async throws {
        let (first, second) = (try files.open(), try files.open())
        _ = try await first.takeLease(request(stranger))
        let impatient = Task { [time] in try await PairLease.wait(second, for: .seconds(60), time: time) }
        impatient.cancel()
        await #expect(throws: CancellationError.self) { try await impatient.value }
        let waiter = Task { [time] in try await PairLease.wait(second, for: .seconds(60), time: time) }
        time.advance(61)
        _ = try await waiter.value
    }

    @Test func `keeping a lease ends when it is lost`() async throws {
        let (first, second) = (try files.open(), try files.open())
        let lease = try #require(try await PairLease.take(first, for: .seconds(60), time: time).lease)
        _ = try await second.takeLease(request(stranger, hasEnded: true))
        await #expect { try await lease.keep() } throws: { ($0 as? LedgerError)?.code == .fenced }
        try await lease.release()
        #expect(try await first.takeLease(request(.current())) == .held(by: stranger, until: time.nowSeconds() + 60))
    }

    /// A clock that is set, and sleeps that only give way.
    private final class SettableTime: Timekeeper {
        private let seconds = Mutex<Int64>(1_700_000_000)

        func advance(_ by: Int64) { seconds.withLock { $0 += by } }
        func now() -> Int64 { seconds.withLock { $0 } * 1_000_000_000 }
        func monotonic() -> Int64 { now() }
        func sleep(for duration: Duration) async throws {
            try Task.checkCancellation()
            await Task.yield()
        }
    }
}
