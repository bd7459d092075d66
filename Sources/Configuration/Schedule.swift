import ReplicationModel

/// When a pair's runs begin: a cron line or a fixed interval, moved by a share of the jitter that is the pair's own.
///
/// Moments follow from the clock alone, not from earlier runs: whoever restarts knows which ones passed meanwhile.
package struct Schedule: Sendable, Hashable {
    package enum Timing: Sendable, Hashable {
        case cron(CronSchedule)
        /// Seconds; the moments are its multiples since 1970, at least a minute.
        case every(Int64)
    }

    package var timing: Timing
    /// Seconds; each pair begins later by less than that, always by the same.
    package var jitter: Int64
    /// Whether a moment that passed while nobody was there to begin a run is made up for, once however many passed.
    package var catchesUp: Bool

    package init(_ timing: Timing, jitter: Int64 = 0, catchesUp: Bool = true) {
        self.timing = timing
        self.jitter = jitter
        self.catchesUp = catchesUp
    }

    /// `every: 15m`.
    package static func every(_ interval: Duration) throws(ScheduleError) -> Timing {
        let seconds = interval.components.seconds
        guard seconds >= 60 else {
            throw ScheduleError("every \(interval.text): at least a minute lies between two runs")
        }
        guard seconds <= 366 * 86400 else { throw ScheduleError("every \(interval.text): that is more than a year") }
        return .every(seconds)
    }

    /// The first moment after this one, in seconds since 1970.
    /// - Parameter seed: names the pair and the machine, so that neither the pairs of one machine nor one pair of many begin at once.
    package func next(after moment: Int64, seed: String) -> Int64? {
        let delay = delay(seed)
        return tick(after: moment - delay).map { $0 + delay }
    }

    /// The last moment before this one.
    package func previous(before moment: Int64, seed: String) -> Int64? {
        let delay = delay(seed)
        return tick(before: moment - delay).map { $0 + delay }
    }

    private func tick(after moment: Int64) -> Int64? {
        switch timing {
        case .cron(let line): line.next(after: moment)
        case .every(let interval): (floored(moment, interval) + 1) * interval
        }
    }

    private func tick(before moment: Int64) -> Int64? {
        switch timing {
        case .cron(let line): line.previous(before: moment)
        case .every(let interval): floored(moment - 1, interval) * interval
        }
    }

    private func floored(_ moment: Int64, _ interval: Int64) -> Int64 {
        let (quotient, rest) = moment.quotientAndRemainder(dividingBy: interval)
        return rest < 0 ? quotient - 1 : quotient
    }

    /// Seconds, below the jitter: FNV-1a of the seed, which is the same in every process.
    private func delay(_ seed: String) -> Int64 {
        guard jitter > 0 else { return 0 }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in seed.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        // The low bits of FNV differ least between similar seeds.
        hash ^= hash >> 32
        return Int64(hash % UInt64(jitter))
    }
}
