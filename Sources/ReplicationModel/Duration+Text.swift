extension Duration {
    /// As people read it, rounded down to what matters: `0.1 s`, `10 s`, `2 min 3 s`, `1 h 5 min`, `3 days`.
    package var text: String {
        let tenths = max(0, self / .milliseconds(100))
        let seconds = Int64(tenths / 10)
        switch seconds {
        case ..<60: return Int64(tenths) % 10 == 0 ? "\(seconds) s" : "\(seconds).\(Int64(tenths) % 10) s"
        case ..<3600: return "\(seconds / 60) min" + (seconds % 60 == 0 ? "" : " \(seconds % 60) s")
        case ..<(2 * 86400):
            let minutes = seconds / 60 % 60
            return "\(seconds / 3600) h" + (minutes == 0 ? "" : " \(minutes) min")
        default: return "\(seconds / 86400) days"
        }
    }
}
