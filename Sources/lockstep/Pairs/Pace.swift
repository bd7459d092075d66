import Configuration
import ObjectStores

/// How fast a run may read its source: a limit that follows the windows of its pair by the clock.
struct Pace {
    /// nil: no limit ever.
    let limit: ByteRateLimit?
    private let windows: RateWindows
    private let time: any Timekeeper

    init(_ windows: RateWindows, time: any Timekeeper) {
        self.windows = windows
        self.time = time
        limit =
            switch windows.allowance(at: time.nowSeconds()) {
            case .rate(let rate): ByteRateLimit(bytesPerSecond: rate, time: time)
            case .closed: nil
            case .unlimited where windows.nextChange(after: time.nowSeconds()) == nil: nil
            case .unlimited: ByteRateLimit(bytesPerSecond: nil, time: time)
            }
    }

    /// How long it is until nothing runs any more; nil: for ever. Zero: nothing runs now.
    var untilClosing: Duration? {
        let now = time.nowSeconds()
        return windows.nextClosing(from: now).map { .seconds($0 - now) }
    }

    /// Changes the limit when another window begins, until it is cancelled. Windows change on full minutes.
    func keep() async {
        guard let limit, windows.nextChange(after: time.nowSeconds()) != nil else { return }
        while !Task.isCancelled {
            do { try await time.sleep(for: .seconds(60 - time.nowSeconds() % 60)) } catch { return }
            switch windows.allowance(at: time.nowSeconds()) {
            case .rate(let rate): limit.change(to: rate)
            case .unlimited: limit.change(to: nil)
            // The run's time is up, and what is under way ends as it began.
            case .closed: break
            }
        }
    }
}
