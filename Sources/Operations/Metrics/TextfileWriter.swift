import Synchronization

/// Writes a pair's metrics into the directory from which node_exporter reads, so that runs from cron are watched as a daemon is.
package final class TextfileWriter: Sendable {
    private let directory: Mutex<String?>

    /// - Parameter directory: nil: nothing is written.
    package init(directory: String?) {
        self.directory = Mutex(directory)
    }

    /// Where the next run's metrics go; files that are elsewhere stay as they are.
    package func change(to directory: String?) {
        self.directory.withLock { $0 = directory }
    }

    /// The pair's own file and no other: `lockstep_PAIR.prom`, readable by all, replaced at once.
    package func write(_ record: PairRecord, at now: Int64) throws(RecordError) {
        guard let directory = directory.withLock({ $0 }) else { return }
        var page = PrometheusText()
        PairMetrics.write([PairStatus(record: record)], at: now, to: &page)
        let path = "\(directory)/lockstep_\(WholeFile.name(for: record.pair)).prom"
        try WholeFile.replace(path, with: Array(page.text.utf8), mode: 0o644, isDurable: false)
    }
}
