import Synchronization

/// How a log writes, for all who write to it.
final class LogDial: Sendable {
    struct Setting: Sendable {
        var format: ServiceLog.Format
        var level: ServiceLog.Level
    }

    private let state: Mutex<Setting>

    init(_ format: ServiceLog.Format, _ level: ServiceLog.Level) {
        state = Mutex(Setting(format: format, level: level))
    }

    var setting: Setting { state.withLock { $0 } }

    func turn(_ format: ServiceLog.Format, _ level: ServiceLog.Level) {
        state.withLock { $0 = Setting(format: format, level: level) }
    }
}
